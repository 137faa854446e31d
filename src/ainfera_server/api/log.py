"""The public log for everybody: checkpoints, tiles and proofs, as others' tools expect them.

https://c2sp.org/tlog-tiles says what is where; the proofs as JSON are for those without such tools.
"""

import re
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, Field

from ainfera_server.api import answers
from ainfera_server.api.given import Opened
from ainfera_server.audit.public_log import log_store, merkle, tiles, witnesses
from ainfera_server.audit.public_log.log_store import Stored
from ainfera_server.audit.public_log.notes import NOTE_BYTES_MAX, NotACheckpoint
from ainfera_server.audit.public_log.witnesses import NoSuchCheckpoint
from ainfera_server.errors import Invalid, NotFound
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection

NEWEST_CACHE = {"cache-control": "public, max-age=1"}
FIXED_CACHE = {"cache-control": "public, max-age=31536000, immutable"}
"""What a path of a tile leads to never changes, so a cache may keep it."""

PLAIN = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def _plain(value: object) -> object:
    """One way to write a number, so that a proof has one address: decimal digits alone."""
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        raise ValueError("must be written in decimal digits alone")
    return value


async def _require_no_repeats(request: Request) -> None:
    """Of a name that comes twice, other programs may read the one that we do not."""
    names = [name for name, _ in request.query_params.multi_items()]
    if len(set(names)) != len(names):
        raise Invalid("Each parameter can be given once.", param="query")


Plain = BeforeValidator(_plain)
Index = Annotated[int, Plain, Query(ge=0, le=merkle.SIZE_MAX)]
Size = Annotated[int, Plain, Query(ge=1, le=merkle.SIZE_MAX)]
Once = Annotated[None, Depends(_require_no_repeats)]


class BroughtCosignature(BaseModel):
    """A checkpoint of ours with the signature of a witness under it."""

    note: str = Field(max_length=NOTE_BYTES_MAX, description="The whole signed note.")


async def newest_checkpoint(gateway: Opened) -> Response:
    """Read the newest checkpoint of the public log: a signed note with its size and its root."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        return await _checkpoint(connection, await log_store.newest_checkpoint(connection))


async def newest_cosigned_checkpoint(gateway: Opened) -> Response:
    """Read the newest checkpoint that a witness cosigned."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        stored = await log_store.newest_cosigned_checkpoint(connection)
        return await _checkpoint(connection, stored)


async def checkpoint_of_size(gateway: Opened, size: Annotated[int, Plain]) -> Response:
    """Read the checkpoint that was signed for a size, with what witnesses wrote under it since."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        is_size = 1 <= size <= merkle.SIZE_MAX
        stored = await log_store.checkpoint(connection, size) if is_size else None
        return await _checkpoint(connection, stored)


async def tile(gateway: Opened, tile: str) -> Response:
    """Read a tile of the log's tree, `0/x001/234` or `0/001.p/5`, or of its `entries/`."""
    wanted = tiles.read_path(tile)
    data: bytes | None = None
    if wanted is not None:
        async with tenancy.public_transaction(gateway.pools.app) as connection:
            stored = await log_store.contents(connection, (wanted,))
        data = tiles.first_of(stored.get(wanted, b""), wanted)
    if data is None:
        raise NotFound("There is no such tile, or not yet so much of it.", resource="tile")
    return Response(data, media_type="application/octet-stream", headers=FIXED_CACHE)


async def inclusion_proof(
    gateway: Opened, _once: Once, log_index: Index, tree_size: Size | None = None
) -> Response:
    """Prove that an entry is in the log; without a size, in its newest checkpoint."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        if tree_size is None:
            signed = await log_store.newest_checkpoint(connection)
        else:
            signed = await log_store.checkpoint(connection, tree_size)
        if signed is None:
            raise _no_checkpoint()
        if log_index >= signed.size:
            raise NotFound(
                f"The checkpoint covers {signed.size} entries; the first has the index 0.",
                resource="entry",
            )
        found = await log_store.inclusion_proofs(connection, signed, (log_index,))
    return answers.json(found[log_index].document)


async def consistency_proof(
    gateway: Opened, _once: Once, old_size: Size, new_size: Size
) -> Response:
    """Prove that a tree is an older one with entries added; for any sizes that are signed over."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        newest = await log_store.newest_checkpoint(connection)
        if newest is None or new_size > newest.size:
            raise _no_checkpoint()
        if old_size > new_size:
            raise Invalid("`old_size` is larger than `new_size`.", param="old_size")
        proof = await log_store.consistency_proof(connection, old_size=old_size, new_size=new_size)
    return answers.json(
        {"old_size": old_size, "new_size": new_size, "hashes": [one.hex() for one in proof]},
        headers=FIXED_CACHE,
    )


async def bring_cosignature(gateway: Opened, body: BroughtCosignature) -> Response:
    """Hand in what a witness that is configured here wrote under one of the log's checkpoints."""
    async with pools.transaction(gateway.pools.writer) as connection:
        try:
            kept = await witnesses.accept(
                connection, body.note.encode(errors="surrogatepass"), gateway.witnesses
            )
        except NotACheckpoint as problem:
            raise Invalid(f"The note cannot be taken: {problem}.", param="note") from problem
        except NoSuchCheckpoint as problem:
            raise _no_checkpoint() from problem
    return answers.json(
        {"cosignatures": [{"witness": one.witness, "time": one.time_s} for one in kept]}
    )


async def _checkpoint(connection: Connection, stored: Stored | None) -> Response:
    if stored is None:
        raise _no_checkpoint()
    note = await log_store.cosigned_note(connection, stored)
    return Response(note, media_type="text/plain; charset=utf-8", headers=NEWEST_CACHE)


def _no_checkpoint() -> NotFound:
    return NotFound("No such checkpoint was signed, or not yet.", resource="checkpoint")
