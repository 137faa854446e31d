"""Amounts of money, and the only place that rounds them."""

import re
from decimal import Context, Decimal
from typing import NewType

UsdMicros = NewType("UsdMicros", int)
"""An amount in millionths of a US dollar."""

UsdMicrosPerMtok = NewType("UsdMicrosPerMtok", int)
"""A price: millionths of a US dollar for a million tokens."""

MICROS_PER_USD = 1_000_000
TOKENS_PER_MTOK = 1_000_000
AMOUNT_MAX = UsdMicros(1_000_000_000 * MICROS_PER_USD)
"""A thousand million dollars: above it an amount is a mistake, and sums stay far inside 64 bits."""

_AMOUNT = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
_EXACT = Context(prec=250)
"""Wide enough for every text that the pattern lets through, so nothing is rounded on the way in."""


class NotAnAmount(ValueError):
    """The text or number given is not an amount of money that we can hold exactly."""


def usd(amount: UsdMicros) -> str:
    """Write an amount as a decimal string of dollars with six places, `"4.999953"`."""
    sign = "-" if amount < 0 else ""
    dollars, micros = divmod(abs(amount), MICROS_PER_USD)
    return f"{sign}{dollars}.{micros:06d}"


def usd_per_mtok(price: UsdMicrosPerMtok) -> str:
    """Write a price as the shortest decimal string of dollars for a million tokens, `"1.25"`."""
    text = usd(UsdMicros(price)).rstrip("0")
    return text.removesuffix(".")


def parse_usd(value: str | int | float | Decimal) -> UsdMicros:
    """Read dollars exactly.

    A float is read as its shortest decimal text, because that is what its sender wrote.
    Raises NotAnAmount for anything that is not finite, exact in millionths and within AMOUNT_MAX.
    """
    text = str(value)
    if isinstance(value, bool) or not _AMOUNT.fullmatch(text):
        raise NotAnAmount(f"{text[:40]!r} is not an amount of money")
    micros = _EXACT.multiply(Decimal(text), MICROS_PER_USD)
    if abs(micros) > AMOUNT_MAX:
        raise NotAnAmount(f"{text[:40]!r} is more money than we can hold")
    if micros != micros.to_integral_value(context=_EXACT):
        raise NotAnAmount(f"{text[:40]!r} is finer than a millionth of a dollar")
    return UsdMicros(int(micros))


def rounded_half_even(numerator: int, denominator: int) -> int:
    """Divide two whole numbers, ties to the even neighbour: what a projection uses."""
    assert denominator > 0, "an amount is divided by a positive number"
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    is_above_half = twice > denominator
    is_tie_from_odd = twice == denominator and quotient % 2 == 1
    return quotient + (is_above_half or is_tie_from_odd)


def rounded_half_up(numerator: int, denominator: int) -> int:
    """Divide two whole numbers, ties upwards: what a settlement uses."""
    assert denominator > 0, "an amount is divided by a positive number"
    assert numerator >= 0, "a cost is never negative"
    return (2 * numerator + denominator) // (2 * denominator)


def rounded_up(numerator: int, denominator: int) -> int:
    """Divide two whole numbers upwards: what a hold uses, so that it always covers the answer."""
    assert denominator > 0, "an amount is divided by a positive number"
    assert numerator >= 0, "a cost is never negative"
    return -(-numerator // denominator)
