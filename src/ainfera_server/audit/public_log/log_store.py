"""The public log in the database: its tree, its checkpoints, its witnesses, and proofs from them.

Proofs are made of tiles, so one costs the same whatever the log's size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ainfera_server.audit.public_log import log, merkle, tiles
from ainfera_server.audit.public_log.log import InclusionProof
from ainfera_server.audit.public_log.merkle import HashOf, Node
from ainfera_server.audit.public_log.tiles import Piece, Tile
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row

QUERIES = queries.load(__name__, "log.sql")
LOCK_TREE = QUERIES["lock_tree"]
NAME_TREE = QUERIES["name_tree"]
IDENTITY = QUERIES["identity"]
REACH = QUERIES["reach"]
NEWEST_CHECKPOINT = QUERIES["newest_checkpoint"]
NEWEST_COSIGNED_CHECKPOINT = QUERIES["newest_cosigned_checkpoint"]
CHECKPOINT = QUERIES["checkpoint"]
COSIGNATURES = QUERIES["cosignatures"]
ENTRIES = QUERIES["entries"]
PIECES = QUERIES["pieces"]
ADD = QUERIES["add"]
ADD_COSIGNATURE = QUERIES["add_cosignature"]
CLAIM_WITNESS = QUERIES["claim_witness"]
WITNESS_FOLLOWS = QUERIES["witness_follows"]

LOG = 0


class LogIsBroken(RuntimeError):
    """What is stored does not fit together, so nothing is signed; the text says what and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a log is, for good: its name, and the text of its verifier key."""

    origin: str
    verifier_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTree:
    """The tree, which this transaction alone may add to; `identity` is None before it is named."""

    identity: Identity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A checkpoint that was signed, as a note; `size` is how many entries it is about."""

    size: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many events the log has, and the newest checkpoint with its age; None before it."""

    height: int
    newest: Stored | None
    age_s: float | None

    @property
    def size(self) -> int:
        """How many entries the newest checkpoint covers."""
        return 0 if self.newest is None else self.newest.size


async def locked_tree(connection: Connection) -> LockedTree | None:
    """Be the one that adds to the tree until commit; None when another process is."""
    row = await connection.fetchrow(LOCK_TREE, LOG)
    return None if row is None else LockedTree(identity=_identity(row))


async def name_tree(connection: Connection, identity: Identity) -> None:
    """Give the log its name and its key, which it keeps."""
    await connection.execute(NAME_TREE, LOG, identity.origin, identity.verifier_key)


async def identity(connection: Connection) -> Identity | None:
    """Who the log is; None before its first checkpoint."""
    row = await connection.fetchrow(IDENTITY, LOG)
    return None if row is None else _identity(row)


async def reach(connection: Connection) -> Reach:
    """How far the log goes, and its newest checkpoint."""
    row = await connection.fetchrow(REACH, LOG)
    assert row is not None, "the migrations make the head of the log"
    newest = None if row["note"] is None else _stored(row)
    return Reach(height=row["height"], newest=newest, age_s=row["age_s"])


async def newest_checkpoint(connection: Connection) -> Stored | None:
    """The newest checkpoint; None before the first."""
    return _stored(await connection.fetchrow(NEWEST_CHECKPOINT, LOG))


async def newest_cosigned_checkpoint(connection: Connection) -> Stored | None:
    """The newest checkpoint that a witness cosigned; None while there is none."""
    return _stored(await connection.fetchrow(NEWEST_COSIGNED_CHECKPOINT, LOG))


async def checkpoint(connection: Connection, size: int) -> Stored | None:
    """The checkpoint of a size; None when none was signed for it."""
    return _stored(await connection.fetchrow(CHECKPOINT, LOG, size))


async def cosigned_note(connection: Connection, stored: Stored) -> bytes:
    """A checkpoint with everything that witnesses wrote under it."""
    rows = await connection.fetch(COSIGNATURES, LOG, stored.size)
    return (stored.note + "".join(row["line"] for row in rows)).encode()


async def entries(connection: Connection, *, after: int, entries_max: int) -> tuple[bytes, ...]:
    """What follows the first `after` entries. Raises LogIsBroken when one is missing."""
    rows = await connection.fetch(ENTRIES, LOG, after, entries_max)
    for height, row in enumerate(rows, start=after + 1):
        if row["height"] != height:
            raise LogIsBroken(f"entry {height} of the log is missing")
    return tuple(log.entry(AgentId(row["agent_id"]), row["seq"], row["event_hash"]) for row in rows)


async def contents(connection: Connection, wanted: Iterable[Tile]) -> Mapping[Tile, bytes]:
    """What is stored of these tiles, each from its beginning; a tile of which nothing is, is not.

    Raises LogIsBroken when pieces of a tile are missing.
    """
    by_start = {(tile.level, tile.start): tile for tile in wanted}
    levels = [level for level, _ in by_start]
    starts = [start for _, start in by_start]
    found: dict[Tile, bytearray] = {}
    reached: dict[Tile, int] = {}
    for row in await connection.fetch(PIECES, LOG, levels, starts):
        tile = by_start[row["level"], row["tile_start"]]
        if row["start"] != reached.get(tile, tile.start):
            raise LogIsBroken(f"a piece of the tile {tile.path!r} is missing")
        found.setdefault(tile, bytearray()).extend(row["data"])
        reached[tile] = row["start"] + row["width"]
    return {tile: bytes(data) for tile, data in found.items()}


async def add(connection: Connection, pieces: Sequence[Piece], signed: Stored) -> None:
    """Store what a turn added to the tree, and what was signed about it."""
    await connection.execute(
        ADD,
        LOG,
        signed.size,
        signed.note,
        [one.level for one in pieces],
        [one.start for one in pieces],
        [one.width for one in pieces],
        [one.data for one in pieces],
    )


async def add_cosignature(connection: Connection, size: int, *, witness: str, line: str) -> None:
    """Store what a witness wrote under a checkpoint; a second word of it changes nothing."""
    await connection.execute(ADD_COSIGNATURE, LOG, size, witness, line)


async def claim_witness(
    connection: Connection, witness: str, *, size: int, every_s: float
) -> int | None:
    """Take the turn to ask a witness about a checkpoint of a size.

    Returns the size up to which it follows; None when it has this one, or was asked lately.
    """
    old_size: int | None = await connection.fetchval(CLAIM_WITNESS, LOG, witness, size, every_s)
    return old_size


async def witness_follows(connection: Connection, witness: str, size: int) -> None:
    """Remember how far a witness has come."""
    await connection.execute(WITNESS_FOLLOWS, LOG, witness, size)


async def proofs(
    connection: Connection, heights: Iterable[int]
) -> Mapping[int, InclusionProof | None]:
    """Inclusion proofs against the newest checkpoint, by height; None for what it does not cover.

    A height counts from 1, as in the public feed. Raises LogIsBroken.
    """
    wanted = frozenset(heights)
    newest = await newest_checkpoint(connection)
    if newest is None:
        return dict.fromkeys(wanted)
    found = await inclusion_proofs(
        connection, newest, (height - 1 for height in wanted if 1 <= height <= newest.size)
    )
    return {height: found.get(height - 1) for height in wanted}


async def inclusion_proofs(
    connection: Connection, signed: Stored, indexes: Iterable[int]
) -> Mapping[int, InclusionProof]:
    """Proofs against a checkpoint, by the entries' places in the log, which count from 0."""
    paths = {
        index: merkle.inclusion_path(index=index, size=signed.size) for index in sorted(indexes)
    }
    hash_of = await _hashes(connection, [leaves for path in paths.values() for leaves in path])
    return {
        index: InclusionProof(
            log_index=index,
            tree_size=signed.size,
            hashes=tuple(merkle.range_hash(leaves, hash_of) for leaves in path),
            checkpoint=signed.note,
        )
        for index, path in paths.items()
    }


async def consistency_proof(
    connection: Connection, *, old_size: int, new_size: int
) -> tuple[bytes, ...]:
    """That the first entries of a tree are the old tree.

    For any sizes up to that of the newest checkpoint, also such as no checkpoint was signed for.
    """
    path = merkle.consistency_path(old_size=old_size, new_size=new_size)
    hash_of = await _hashes(connection, path)
    return tuple(merkle.range_hash(leaves, hash_of) for leaves in path)


async def _hashes(connection: Connection, ranges: Iterable[range]) -> HashOf:
    """The hashes of all nodes above these leaves, from one reading of the tiles they are in."""
    nodes = {node for leaves in ranges for node in merkle.subtrees(leaves)}
    places = {node: tiles.place(node) for node in nodes}
    stored = await contents(connection, {tile for tile, _ in places.values()})
    known = {
        node: _hash(stored.get(tile, b""), tile, span) for node, (tile, span) in places.items()
    }

    def hash_of(node: Node) -> bytes:
        return known[node]

    return hash_of


def _hash(data: bytes, tile: Tile, span: range) -> bytes:
    hashes = tiles.split_hashes(
        data[span.start * merkle.HASH_BYTES : span.stop * merkle.HASH_BYTES]
    )
    if len(hashes) != len(span):
        raise LogIsBroken(f"the tile {tile.path!r} is shorter than the log")
    return merkle.root(hashes)


def _identity(row: Row) -> Identity | None:
    if row["origin"] is None:
        return None
    return Identity(origin=row["origin"], verifier_key=row["verifier_key"])


def _stored(row: Row | None) -> Stored | None:
    return None if row is None else Stored(size=row["size"], note=row["note"])
