"""An id is a UUID of version 7 that says where its tenant lives, in one spelling."""

import uuid
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import identifiers
from ainfera_server.identifiers import CELLS, RANDOM_BYTES, Cell

cells = st.integers(0, CELLS - 1).map(Cell)
times = st.integers(0, 2**48 - 1)
randoms = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(cells, times, randoms)
def test_an_id_tells_its_cell_and_its_time_and_is_of_version_7(
    cell: Cell, unix_ms: int, random: bytes
) -> None:
    made = identifiers.new_id(cell=cell, unix_ms=unix_ms, random=random)
    assert identifiers.cell_of(made) == cell
    assert int.from_bytes(made.bytes[:6], "big") == unix_ms
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


@given(cells, times, times, randoms, randoms)
def test_ids_sort_by_time(cell: Cell, one: int, other: int, random: bytes, another: bytes) -> None:
    first = identifiers.new_id(cell=cell, unix_ms=min(one, other), random=random)
    second = identifiers.new_id(cell=cell, unix_ms=max(one, other), random=another)
    assert one == other or first < second


@given(cells, times, randoms, randoms)
def test_other_random_bytes_make_another_id(
    cell: Cell, unix_ms: int, random: bytes, another: bytes
) -> None:
    """Two of the ten bytes lose bits to version and variant, and the last is the cell's."""
    kept = [
        (bytes_[0] & 0x0F, bytes_[1], bytes_[2] & 0x3F, bytes_[3:9]) for bytes_ in (random, another)
    ]
    first = identifiers.new_id(cell=cell, unix_ms=unix_ms, random=random)
    second = identifiers.new_id(cell=cell, unix_ms=unix_ms, random=another)
    assert (first == second) == (kept[0] == kept[1])


@pytest.mark.parametrize(("cell", "random"), [(-1, 10), (CELLS, 10), (0, 9), (0, 11)], ids=str)
def test_an_id_is_made_of_one_cell_and_ten_random_bytes(cell: int, random: int) -> None:
    with pytest.raises(AssertionError):
        identifiers.new_id(cell=Cell(cell), unix_ms=0, random=bytes(random))


@given(st.uuids())
def test_an_id_is_read_in_its_usual_spelling_and_no_other(identifier: UUID) -> None:
    assert identifiers.parsed(str(identifier)) == identifier
    assert identifiers.parsed(str(identifier).upper()) == identifier
    for unusual in (
        identifier.hex,
        identifier.urn,
        f"{{{identifier}}}",
        f" {identifier}",
        f"{identifier}\n",
        str(identifier)[:-1],
    ):
        assert identifiers.parsed(unusual) is None


@given(st.text())
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    found = identifiers.parsed(text)
    assert found is None or str(found) == text.lower()
