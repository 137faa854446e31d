"""A tree grows by its right edge alone, and its tiles are found and cut as C2SP says."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ainfera_server.audit.public_log import merkle, tiles
from ainfera_server.audit.public_log.tiles import EMPTY, ENTRIES, Fringe, NotABundle, Tile

LEAVES = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(70_000)]
turns = st.lists(st.integers(1, 1_100), min_size=1, max_size=8)


@given(turns)
@settings(max_examples=40, deadline=None)
def test_however_a_tree_grows_its_root_proofs_and_tiles_are_the_same(sizes: list[int]) -> None:
    size = 0
    stored: dict[tuple[int, int], bytes] = {}
    for count in sizes:
        growth = tiles.grown(edge(stored, size), LEAVES[size : size + count])
        assert growth.old_root == merkle.root(LEAVES[:size])
        assert growth.root == merkle.root(LEAVES[: growth.size])
        proof = merkle.consistency_proof(LEAVES[: growth.size], old_size=size)
        assert growth.consistency_proof() == proof
        for piece in growth.pieces():
            assert piece.start // 256 == (piece.start + piece.width - 1) // 256
            tile = (piece.level, piece.start // 256)
            assert piece.start % 256 == len(stored.get(tile, b"")) // 32
            stored[tile] = stored.get(tile, b"") + piece.data
        size = growth.size
    assert stored == expected_tiles(size)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537])
def test_a_tree_grows_from_what_is_stored_at_every_boundary(size: int) -> None:
    assert tiles.grown(EMPTY, LEAVES[:size]).root == merkle.root(LEAVES[:size])
    growth = tiles.grown(edge(expected_tiles(size), size), LEAVES[size : size + 300])
    assert growth.root == merkle.root(LEAVES[: size + 300])
    proof = merkle.consistency_proof(LEAVES[: size + 300], old_size=size)
    assert growth.consistency_proof() == proof


def edge(stored: dict[tuple[int, int], bytes], size: int) -> Fringe:
    """The right edge of a tree, read back from its tiles."""
    held = [(tile, stored[tile.level, tile.index]) for tile in tiles.unfinished(size)]
    assert all(len(data) == 32 * tile.width for tile, data in held)
    return tiles.fringe(size, held)


def expected_tiles(size: int) -> dict[tuple[int, int], bytes]:
    """Every tile of a tree, level by level."""
    found: dict[tuple[int, int], bytes] = {}
    row = LEAVES[:size]
    for level in itertools.count():
        if not row:
            return found
        for start in range(0, len(row), 256):
            found[level, start // 256] = b"".join(row[start : start + 256])
        row = [merkle.root(row[end - 256 : end]) for end in range(256, len(row) + 1, 256)]
    raise AssertionError("a tree has an end")


@given(st.integers(0, 40), st.integers(0, 1 << 20))
def test_a_node_is_found_in_the_tile_it_lies_in(level: int, index: int) -> None:
    tile, span = tiles.place(merkle.Node(level=level, index=index))
    assert 0 <= span.start < span.stop <= 256
    first_leaf = (tile.start + span.start) << (8 * tile.level)
    assert first_leaf == index << level
    assert len(span) << (8 * tile.level) == 1 << level


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/000", Tile(level=0, index=0)),
        ("0/001", Tile(level=0, index=1)),
        ("3/x001/x234/067", Tile(level=3, index=1_234_067)),
        ("0/x001/000.p/255", Tile(level=0, index=1000, width=255)),
        ("entries/x273/203.p/5", Tile(level=ENTRIES, index=273_203, width=5)),
    ],
)
def test_paths_are_those_of_c2sp(path: str, tile: Tile) -> None:
    assert tile.path == path
    assert tiles.read_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/", "0/1", "0/0000", "0/x000/001", "0/001/002", "0/x001/x002", "00/000",
        "8/000", "-1/000", "entry/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/",
        "0/000.p/5/", "0/000/", "/0/000", "0/000\n", "0/\u0660\u0660\u0661",
        "0/x999/x999/x999/x999/x999/999",
    ],
)  # fmt: skip
def test_what_is_no_path_of_a_tile_names_none(path: str) -> None:
    assert tiles.read_path(path) is None


@given(st.integers(-1, 7), st.integers(0, 2**50), st.integers(1, 256))
def test_every_tile_is_found_under_its_path(level: int, index: int, width: int) -> None:
    tile = Tile(level=level, index=index, width=width)
    assert tiles.read_path(tile.path) == tile


@given(st.integers(0, 600), st.lists(st.binary(max_size=40), min_size=1, max_size=600))
@settings(max_examples=30, deadline=None)
def test_entries_are_bundled_behind_their_lengths_and_can_be_cut(
    start: int, entries: list[bytes]
) -> None:
    pieces = list(tiles.bundle_pieces(start, entries))
    assert sum(piece.width for piece in pieces) == len(entries)
    read = [one for piece in pieces for one in tiles.split_entries(piece.data)]
    assert read == entries
    first = pieces[0]
    for width in {1, first.width}:
        cut = tiles.first_of(first.data, Tile(level=ENTRIES, index=0, width=width))
        assert cut is not None
        assert tiles.split_entries(cut) == tuple(entries[:width])
    beyond = Tile(level=ENTRIES, index=0, width=first.width + 1)
    assert tiles.first_of(first.data, beyond) is None


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x02a", b"\x00\x01ab\x00", b"\xff\xff"])
def test_a_bundle_that_breaks_off_is_refused(data: bytes) -> None:
    with pytest.raises(NotABundle):
        tiles.split_entries(data)
