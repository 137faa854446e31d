"""Brings the tree up to the log, a turn at a time, and signs where it got.

A turn is one transaction, so it is there whole or not at all, and whoever comes next goes on. It
never signs what does not continue the checkpoint that was signed last.
"""

from dataclasses import dataclass

from ainfera_server.audit.public_log import log_store, merkle, notes, tiles
from ainfera_server.audit.public_log.log_store import Identity, LogIsBroken, Reach, Stored
from ainfera_server.audit.public_log.merkle import NotAProof
from ainfera_server.audit.public_log.notes import Checkpoint, NotACheckpoint
from ainfera_server.audit.public_log.tiles import Fringe, Growth
from ainfera_server.audit.signing import Signer
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres.pool import Connection, Pool

TURN_ENTRIES_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a turn signed, and how high the log was then."""

    signed: Stored
    height: int


async def publish(
    pool: Pool, *, origin: str, signer: Signer, entries_max: int = TURN_ENTRIES_MAX
) -> Stored | None:
    """Take turns until the tree is as high as the log, and return the last checkpoint.

    None means that there was nothing to do, or that another process does it. Raises LogIsBroken,
    and StoreUnavailable.
    """
    signed: Stored | None = None
    while True:
        async with pools.transaction(pool) as connection:
            done = await turn(connection, origin=origin, signer=signer, entries_max=entries_max)
        if done is None:
            return signed
        signed = done.signed
        # What was added meanwhile is for the next call, so this ends.
        if signed.size == done.height:
            return signed


async def turn(
    connection: Connection, *, origin: str, signer: Signer, entries_max: int = TURN_ENTRIES_MAX
) -> Turn | None:
    """Add what comes next to the tree and sign it; None when there is nothing to do here.

    `origin` names the log if it has no name yet. Raises LogIsBroken.
    """
    reach = await log_store.reach(connection)
    if reach.size == reach.height:
        return None  # Without the lock, which would be a write every second.
    tree = await log_store.locked_tree(connection)
    if tree is None:
        return None
    identity = tree.identity or await _named(connection, origin, signer)
    _require_own_key(identity, signer)
    reach = await log_store.reach(connection)
    last = _last(reach, identity)
    if reach.height < last.size:
        raise LogIsBroken(f"{last.size} entries were signed, and the log has {reach.height}")
    entries = await log_store.entries(connection, after=last.size, entries_max=entries_max)
    if not entries:
        return None
    growth = tiles.grown(
        await _edge(connection, last.size), [merkle.leaf_hash(one) for one in entries]
    )
    checkpoint = Checkpoint(origin=identity.origin, size=growth.size, root=growth.root)
    _require_continued(last, checkpoint, growth)
    signed = Stored(size=checkpoint.size, note=notes.signed(checkpoint, signer).decode())
    pieces = (*growth.pieces(), *tiles.bundle_pieces(last.size, entries))
    await log_store.add(connection, pieces, signed)
    return Turn(signed=signed, height=max(reach.height, signed.size))


async def _named(connection: Connection, origin: str, signer: Signer) -> Identity:
    identity = Identity(origin=origin, verifier_key=notes.log_key(origin, signer).text)
    await log_store.name_tree(connection, identity)
    return identity


def _require_own_key(identity: Identity, signer: Signer) -> None:
    if notes.log_key(identity.origin, signer).text != identity.verifier_key:
        raise LogIsBroken(
            f"the log {identity.origin!r} signs with the key {identity.verifier_key!r}, and this "
            f"server's secret makes another: start it with the secret that the log began with"
        )


def _last(reach: Reach, identity: Identity) -> Checkpoint:
    """What was signed last, as everybody reads it; an empty tree before anything was."""
    if reach.newest is None:
        return Checkpoint(origin=identity.origin, size=0, root=merkle.EMPTY_ROOT)
    try:
        read = notes.read_checkpoint(
            reach.newest.note.encode(), verifier_keys=(identity.verifier_key,)
        ).checkpoint
    except NotACheckpoint as problem:
        raise LogIsBroken(f"the newest checkpoint is not ours: {problem}") from problem
    if (read.size, read.origin) != (reach.newest.size, identity.origin):
        raise LogIsBroken("the newest checkpoint is another's")
    return read


async def _edge(connection: Connection, size: int) -> Fringe:
    """The tree's right edge from its stored tiles; whether it is the tree's is looked at later."""
    wanted = tiles.unfinished(size)
    stored = await log_store.contents(connection, wanted)
    held = [(tile, tiles.first_of(stored.get(tile, b""), tile)) for tile in wanted]
    missing = next((tile for tile, data in held if data is None), None)
    if missing is not None:
        raise LogIsBroken(f"the tile {missing.path!r} is shorter than the log that was signed")
    return tiles.fringe(size, [(tile, data) for tile, data in held if data is not None])


def _require_continued(last: Checkpoint, next_one: Checkpoint, growth: Growth) -> None:
    """Prove to ourselves, as a stranger would, that nothing that was signed is taken back."""
    if growth.old_root != last.root:
        raise LogIsBroken(f"the stored tiles are not the tree of {last.size} that was signed")
    try:
        merkle.check_consistency(
            old_size=last.size,
            old_root=last.root,
            new_size=next_one.size,
            new_root=next_one.root,
            proof=growth.consistency_proof(),
        )
    except NotAProof as problem:
        raise LogIsBroken(
            f"the tree of {next_one.size} does not continue that of {last.size}: {problem}"
        ) from problem
