"""Checks the published heads: that they were signed, and that the log leads to each of them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import cast
from uuid import UUID

from ainfera_server.audit.public_log import log, merkle, notes, tiles
from ainfera_server.audit.public_log.notes import Checkpoint, NotACheckpoint, NotAVerifierKey
from ainfera_server.identifiers import AgentId
from ainfera_server.selfcheck import verdicts
from ainfera_server.selfcheck.reading import Reader
from ainfera_server.selfcheck.verdicts import Fault

SIGNED = "a checkpoint was signed by the log that it names"
LEADS = "the entries of the log lead to the root that was signed"
STORED = "the stored tree leads to the root that was signed"


def last_checkpoint(reader: Reader, *, size: int) -> tuple[Fault, ...]:
    """Check the newest head against the stored tree, and its last entries against the log."""
    read, unsigned = _read(reader, since=size)
    if not read:
        return unsigned
    newest = read[-1]
    edge = _stored_edge(reader, newest.size)
    told = [] if _root(edge) == newest.root else [_named(newest)]
    leaves = edge[0] if edge else ()
    ending = tuple(_leaves(reader, after=newest.size - len(leaves), until=newest.size))
    strange = [] if ending == tuple(leaves) else [_named(newest)]
    return (*unsigned, *verdicts.faults(STORED, told), *verdicts.faults(LEADS, strange))


def every_checkpoint(reader: Reader) -> tuple[Fault, ...]:
    """Make the tree again from the first entry on, and compare it with each head on the way."""
    read, unsigned = _read(reader, since=0)
    if not read:
        return unsigned
    newest = read[-1]
    coming = _leaves(reader, after=0, until=newest.size)
    tree, strange = _Tree(), list[str]()
    for checkpoint in read:
        tree.add(islice(coming, checkpoint.size - tree.size))
        if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
            strange.append(_named(checkpoint))
    told = [] if _root(_stored_edge(reader, newest.size)) == newest.root else [_named(newest)]
    return (*unsigned, *verdicts.faults(LEADS, strange), *verdicts.faults(STORED, told))


class _Tree:
    """A tree that only grows: the complete subtrees it consists of, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def add(self, leaves: Iterator[bytes]) -> None:
        """Add leaves; as many subtrees become one as a binary counter carries."""
        for leaf in leaves:
            whole, carried = leaf, self.size
            while carried % 2:
                whole, carried = merkle.node_hash(self._subtrees.pop(), whole), carried // 2
            self._subtrees.append(whole)
            self.size += 1

    def root(self) -> bytes:
        """The root over all leaves: each subtree with all that is right of it."""
        right: bytes | None = None
        for subtree in reversed(self._subtrees):
            right = subtree if right is None else merkle.node_hash(subtree, right)
        return merkle.EMPTY_ROOT if right is None else right


def _read(reader: Reader, *, since: int) -> tuple[list[Checkpoint], tuple[Fault, ...]]:
    """The heads that are what they say they are, in the order of their sizes, and the others."""
    identity = reader.row("log_identity")
    origin, key = identity["origin"], str(identity["verifier_key"])
    read: list[Checkpoint] = []
    unsigned: list[str] = []
    for row in reader.rows("checkpoints", since):
        try:
            signed = notes.read_checkpoint(str(row["note"]).encode(), verifier_keys=(key,))
        except (NotACheckpoint, NotAVerifierKey) as problem:
            unsigned.append(f"checkpoint of {row['size']} ({problem})")
            continue
        found = signed.checkpoint
        if (found.origin, found.size) == (origin, row["size"]):
            read.append(found)
        else:
            unsigned.append(f"checkpoint of {row['size']}, which is another's")
    return read, verdicts.faults(SIGNED, unsigned)


def _leaves(reader: Reader, *, after: int, until: int) -> Iterator[bytes]:
    for row in reader.stream("log_entries", after, until):
        agent_id = AgentId(cast("UUID", row["agent_id"]))
        entry = log.entry(agent_id, cast("int", row["seq"]), str(row["event_hash"]))
        yield merkle.leaf_hash(entry)


def _stored_edge(reader: Reader, size: int) -> Sequence[Sequence[bytes]]:
    """The hashes of the unfinished tile of each level, from the leaves upwards, as stored."""
    rows = {
        tile.level: tiles.split_hashes(_stored(reader, tile)[: tile.width * merkle.HASH_BYTES])
        for tile in tiles.unfinished(size)
    }
    return [rows.get(level, ()) for level in range(max(rows, default=-1) + 1)]


def _stored(reader: Reader, tile: tiles.Tile) -> bytes:
    rows = reader.rows("stored_tile", tile.level, tile.start)
    return b"".join(cast("bytes", row["data"]) for row in rows)


def _root(edge: Sequence[Sequence[bytes]]) -> bytes:
    """The root over a stored edge: each row, with all that is right of it as its last."""
    right: bytes | None = None
    for row in edge:
        with_rest = row if right is None else (*row, right)
        right = merkle.root(with_rest) if with_rest else right
    return merkle.EMPTY_ROOT if right is None else right


def _named(checkpoint: Checkpoint) -> str:
    return f"checkpoint of {checkpoint.size}"
