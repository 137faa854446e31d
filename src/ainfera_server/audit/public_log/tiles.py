"""The tree cut into tiles of 256 hashes, as stored and served: https://c2sp.org/tlog-tiles.

What is on a level is only ever added to. So a tile that is not full is a beginning of the same tile
when it is, and can be cut from it at any time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ainfera_server.audit.public_log import merkle
from ainfera_server.audit.public_log.merkle import HASH_BYTES, Node

WIDTH = 256
HEIGHT = 8
"""A full tile is a complete subtree of this height, and one hash of the tile above it."""

ENTRIES = -1
"""The level of the entries themselves, which come in bundles of 256."""

LEVELS = 8
"""As many rows of tiles as a tree of 2**63 leaves can have."""

LENGTH_BYTES = 2
PATH = re.compile(
    r"(?P<level>0|[1-7]|entries)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class NotABundle(ValueError):
    """The bytes are no bundle of entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Which hashes (or entries, on the level ENTRIES): the first `width` of a tile."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where the tile is served, after `/log/tile/`."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        groups = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{level}/{'/'.join(groups)}{part}"

    @property
    def start(self) -> int:
        """The place of its first hash or entry on the level."""
        return self.index * WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one turn adds to one tile: `width` hashes or entries, from a place on the level on."""

    level: int
    start: int
    width: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fringe:
    """A tree's right edge, which is all that is needed to add to it.

    `rows` are the hashes of the unfinished tile of each level, from the leaves upwards.
    """

    size: int
    rows: tuple[tuple[bytes, ...], ...]


EMPTY = Fringe(size=0, rows=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A tree before and after leaves were added.

    `levels` have, for each level of tiles, what was in the unfinished tile and what came behind, as
    the hashes of all complete subtrees over it, by their height.
    """

    old: Fringe
    size: int
    levels: tuple[tuple[Sequence[bytes], ...], ...]

    @property
    def old_root(self) -> bytes:
        """The root before."""
        return merkle.range_hash(range(self.old.size), self._hash)

    @property
    def root(self) -> bytes:
        """The root after."""
        return merkle.range_hash(range(self.size), self._hash)

    def consistency_proof(self) -> tuple[bytes, ...]:
        """That the tree was only added to, made of the edge and what was added."""
        path = merkle.consistency_path(old_size=self.old.size, new_size=self.size)
        return tuple(merkle.range_hash(leaves, self._hash) for leaves in path)

    def pieces(self) -> Iterator[Piece]:
        """What is to be stored: the hashes that are new, cut where tiles end."""
        for level, heights in enumerate(self.levels):
            start = self.old.size >> (HEIGHT * level)
            for part_start, part in _cut(start, heights[0][start % WIDTH :]):
                data = b"".join(part)
                yield Piece(level=level, start=part_start, width=len(part), data=data)

    def _hash(self, node: Node) -> bytes:
        level, height = divmod(node.level, HEIGHT)
        first_tile = self.old.size >> (HEIGHT * (level + 1))
        return self.levels[level][height][node.index - (first_tile * WIDTH >> height)]


def grown(old: Fringe, leaf_hashes: Sequence[bytes]) -> Growth:
    """Add leaves to a tree."""
    coming = leaf_hashes
    levels: list[tuple[Sequence[bytes], ...]] = []
    while coming or len(levels) < len(old.rows):
        held = old.rows[len(levels)] if len(levels) < len(old.rows) else ()
        heights = _subtree_hashes((*held, *coming))
        levels.append(heights)
        coming = heights[HEIGHT]
    return Growth(old=old, size=old.size + len(leaf_hashes), levels=tuple(levels))


def _subtree_hashes(hashes: Sequence[bytes]) -> tuple[Sequence[bytes], ...]:
    """The hashes of all complete subtrees over a row that begins with a tile, by their height."""
    heights = [hashes]
    while len(heights) <= HEIGHT:
        below = heights[-1]
        pairs = zip(below[::2], below[1::2], strict=False)
        heights.append([merkle.node_hash(left, right) for left, right in pairs])
    return tuple(heights)


def unfinished(size: int) -> tuple[Tile, ...]:
    """The tiles whose hashes make the right edge of a tree; those without a hash are left out."""
    found: list[Tile] = []
    for level in range(LEVELS):
        hashes = size >> (HEIGHT * level)
        if hashes % WIDTH:
            found.append(Tile(level=level, index=hashes // WIDTH, width=hashes % WIDTH))
    return tuple(found)


def fringe(size: int, tiles: Sequence[tuple[Tile, bytes]]) -> Fringe:
    """The right edge of a tree, from the contents of its unfinished tiles."""
    rows = {tile.level: split_hashes(data) for tile, data in tiles}
    height = max(rows, default=-1) + 1
    return Fringe(size=size, rows=tuple(rows.get(level, ()) for level in range(height)))


def place(node: Node) -> tuple[Tile, range]:
    """Where a node's hash comes from: a tile, and the hashes in it that the node stands above."""
    level, height = divmod(node.level, HEIGHT)
    first = node.index << height
    start = first % WIDTH
    return Tile(level=level, index=first // WIDTH), range(start, start + (1 << height))


def split_hashes(data: bytes) -> tuple[bytes, ...]:
    """The hashes of a tile."""
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def bundle_pieces(start: int, entries: Sequence[bytes]) -> Iterator[Piece]:
    """New entries, from a place in the log on, as they are stored: cut where bundles end."""
    for part_start, part in _cut(start, entries):
        data = b"".join(len(one).to_bytes(LENGTH_BYTES, "big") + one for one in part)
        yield Piece(level=ENTRIES, start=part_start, width=len(part), data=data)


def split_entries(bundle: bytes) -> tuple[bytes, ...]:
    """The entries of a bundle, each behind its length. Raises NotABundle."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        begin = at + LENGTH_BYTES
        end = begin + int.from_bytes(bundle[at:begin], "big")
        if end > len(bundle):
            raise NotABundle("the bundle breaks off within an entry")
        entries.append(bundle[begin:end])
        at = end
    return tuple(entries)


def first_of(data: bytes, tile: Tile) -> bytes | None:
    """The beginning of a tile's contents that the tile names; None when there is not so much."""
    if tile.level != ENTRIES:
        end = tile.width * HASH_BYTES
        return data[:end] if end <= len(data) else None
    entries = split_entries(data)
    if len(entries) < tile.width:
        return None
    return data[: sum(LENGTH_BYTES + len(one) for one in entries[: tile.width])]


def read_path(path: str) -> Tile | None:
    """Which tile a path names, `0/x001/234.p/5`; None when it is no path of one."""
    match = PATH.fullmatch(path)
    if match is None:
        return None
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    index = int(re.sub("[x/]", "", match["index"]))
    width = int(match["width"] or WIDTH)
    tile = Tile(level=level, index=index, width=width)
    return tile if tile.path == path and tile.start <= merkle.SIZE_MAX else None


def _cut(start: int, items: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Parts of a level that lie in one tile each, with the place where each begins."""
    done = 0
    while done < len(items):
        room = WIDTH - (start + done) % WIDTH
        yield start + done, items[done : done + room]
        done += min(room, len(items) - done)
