"""Amounts are whole millionths, read exactly, and rounded in one place the way each use needs."""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import money
from ainfera_server.money import (
    AMOUNT_MAX,
    MICROS_PER_USD,
    NotAnAmount,
    UsdMicros,
    UsdMicrosPerMtok,
)
from tests.promises import proves

amounts = st.integers(-AMOUNT_MAX, AMOUNT_MAX).map(UsdMicros)
costs = st.integers(0, 10**24)
divisors = st.integers(1, 10**12)


@proves("money-is-exact")
@given(amounts)
def test_an_amount_comes_back_from_its_text(amount: UsdMicros) -> None:
    assert money.parse_usd(money.usd(amount)) == amount
    assert Decimal(money.usd(amount)) * MICROS_PER_USD == amount


@given(st.integers(0, AMOUNT_MAX).map(UsdMicrosPerMtok))
def test_a_price_is_written_as_short_as_it_can_be(price: UsdMicrosPerMtok) -> None:
    text = money.usd_per_mtok(price)
    assert Decimal(text) * MICROS_PER_USD == price
    assert text == f"{Decimal(text).normalize():f}"


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.000000"), (-1, "-0.000001"), (4_999_953, "4.999953"), (-1_500_000, "-1.500000")],
)
def test_an_amount_has_six_places_and_at_most_one_sign(amount: int, text: str) -> None:
    assert money.usd(UsdMicros(amount)) == text


@given(st.integers(-(10**9), 10**9), st.integers(-6, 6))
def test_dollars_are_read_in_every_usual_spelling(digits: int, exponent: int) -> None:
    micros = digits * 10 ** (exponent + 6)
    for written in (f"{digits}e{exponent}", Decimal(digits).scaleb(exponent)):
        if abs(micros) <= AMOUNT_MAX:
            assert money.parse_usd(written) == micros
        else:
            with pytest.raises(NotAnAmount, match="more money than we can hold"):
                money.parse_usd(written)


@given(st.floats(-1e6, 1e6).map(lambda number: round(number, 6)))
def test_a_float_is_read_as_its_sender_wrote_it(number: float) -> None:
    assert money.parse_usd(number) == Fraction(repr(number)) * MICROS_PER_USD


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1,5", "1_000", "0x10", "$5", "five", "--1", "1e", "1e999", "e5", "."),
        *("NaN", "Infinity", "-inf", "\u0661", "1\n", "9" * 41, "0.0000001", "1e-7"),
        *(True, False, float("nan"), float("inf"), Decimal("sNaN")),
    ],
)
def test_what_is_no_amount_is_refused(text: str | float | Decimal) -> None:
    with pytest.raises(NotAnAmount):
        money.parse_usd(text)


@given(st.text())
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    try:
        amount = money.parse_usd(text)
    except NotAnAmount:
        return
    assert abs(amount) <= AMOUNT_MAX
    assert Decimal(text) * MICROS_PER_USD == amount


@proves("money-is-exact")
@given(costs, divisors)
def test_rounding_is_that_of_the_decimal_library(numerator: int, denominator: int) -> None:
    assert money.rounded_half_up(numerator, denominator) == rounded(
        numerator, denominator, ROUND_HALF_UP
    )
    assert money.rounded_half_even(numerator, denominator) == rounded(
        numerator, denominator, ROUND_HALF_EVEN
    )
    assert money.rounded_up(numerator, denominator) == rounded(
        numerator, denominator, ROUND_CEILING
    )


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_ties_go_up_or_to_the_even_neighbour(whole: int, half: int) -> None:
    tie = (2 * whole + 1) * half, 2 * half
    assert money.rounded_half_up(*tie) == whole + 1
    assert money.rounded_half_even(*tie) == whole + whole % 2


@proves("no-free-or-double-charge")
@given(costs, divisors, st.integers(0, 10**24))
def test_what_is_held_always_covers_what_is_settled(
    settled: int, denominator: int, more: int
) -> None:
    held = money.rounded_up(settled + more, denominator)
    assert money.rounded_half_up(settled, denominator) <= held


@pytest.mark.parametrize(
    "rounding", [money.rounded_half_even, money.rounded_half_up, money.rounded_up]
)
def test_nothing_is_divided_by_nothing(rounding: "object") -> None:
    assert callable(rounding)
    with pytest.raises(AssertionError, match="positive number"):
        rounding(1, 0)


def rounded(numerator: int, denominator: int, way: str) -> int:
    """The library's rounding, of a decimal that ends and lies on the same side of the tie."""
    whole, rest = divmod(numerator, denominator)
    tenths = 0 if rest == 0 else 5 + (2 * rest > denominator) - (2 * rest < denominator)
    return int((whole + Decimal(tenths) / 10).to_integral_value(way))
