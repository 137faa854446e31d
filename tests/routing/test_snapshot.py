"""A snapshot comes back from its bytes as it was, and equal snapshots have equal bytes."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing.snapshot import NotASnapshot, Snapshot
from tests.promises import proves
from tests.routing import anchors
from tests.routing import snapshots as any_snapshot


@proves("decisions-can-be-made-again")
@given(any_snapshot.snapshots)
def test_a_snapshot_comes_back_from_its_bytes(snapshot: Snapshot) -> None:
    stored = snapshots.encode(snapshot)

    assert snapshots.decode(stored) == snapshot
    assert snapshots.encode(snapshots.decode(stored)) == stored


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-9, max_value=9))
def test_equal_numbers_are_written_alike(number: Decimal) -> None:
    text = snapshots.decimal_text(number)

    assert Decimal(text) == number
    assert text == snapshots.decimal_text(number * Decimal("1.000"))


@pytest.mark.parametrize(
    ("written", "text"),
    [("0.80", "0.8"), ("1E+2", "100"), ("-0.00", "0"), ("10", "10"), ("1E-7", "0.0000001")],
)
def test_a_number_has_neither_exponent_nor_idle_zero(written: str, text: str) -> None:
    assert snapshots.decimal_text(Decimal(written)) == text


@pytest.mark.parametrize(
    "change",
    [
        (b'"format":1', b'"format":2'),
        (b'"format":1', b'"format":1,"more":true'),
        (b'"min_quality":"0.5"', b'"min_quality":0.5'),
        (b'"min_quality":"0.5"', b'"min_quality":"half"'),
        (b'"price_in_per_mtok_usd":"2"', b'"price_in_per_mtok_usd":"much"'),
        (b'"general"', b'"unheard_of"'),
    ],
)
def test_bytes_of_another_shape_are_refused(change: tuple[bytes, bytes]) -> None:
    stored = snapshots.encode(anchors.snapshot(anchors.anchors(), anchors.asking()))
    assert change[0] in stored

    with pytest.raises(NotASnapshot):
        snapshots.decode(stored.replace(*change))


def test_an_offer_is_a_candidate_only_once() -> None:
    snapshot = anchors.snapshot(anchors.anchors(), anchors.asking())

    with pytest.raises(AssertionError, match="once"):
        replace(snapshot, candidates=snapshot.candidates * 2)
