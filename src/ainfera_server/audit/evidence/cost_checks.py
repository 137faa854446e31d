"""Checks of what a receipt says was paid: usage times prices, margin, and never above the hold."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from ainfera_server import money
from ainfera_server.audit.evidence.findings import Fault
from ainfera_server.conversation import Json
from ainfera_server.money import NotAnAmount, UsdMicros

Said = Mapping[str, Json]

TOKEN_CLASSES = ("input", "cache_read", "cache_write", "cache_write_1h")
PRICED_CLASSES = frozenset({*TOKEN_CLASSES, "output", "reasoning"})
COUNTS = frozenset({*(f"{name}_tokens" for name in PRICED_CLASSES), "web_searches"})
COUNT_MAX = 2**53
RATE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
"""Plain digits: an exponent would let a short text stand for a number that fills the memory."""


def check_first_schema(said: Said) -> None:
    """All of the cost was the provider's. Raises Fault."""
    held, cost = amount(said, "held_usd"), amount(said, "cost_usd")
    expected = min(_priced(said), held)
    if cost != expected:
        raise Fault(f"cost_usd is {_usd(cost)}, and usage times prices is {_usd(expected)}")


def check(said: Said) -> None:
    """What is paid is usage times prices and the margin, as far as the hold goes. Raises Fault."""
    cost, margin = amount(said, "cost_usd"), amount(said, "margin_usd")
    provider_cost = amount(said, "provider_cost_usd")
    if said["usage"] is None:
        if cost or margin or provider_cost:
            raise Fault("nothing was delivered, and something was paid")
        return
    held, priced = amount(said, "held_usd"), _priced(said)
    total = min(priced + _margin(priced, said["margin_rate"]), held)
    expected = min(priced, held)
    if provider_cost != expected:
        raise Fault(
            f"provider_cost_usd is {_usd(provider_cost)}, and usage times prices is"
            f" {_usd(expected)}"
        )
    if cost != total or margin != total - expected:
        raise Fault(
            f"cost_usd is {_usd(cost)} with a margin of {_usd(margin)}, and they come to"
            f" {_usd(total)} and {_usd(total - expected)}"
        )


def amount(said: Said, name: str) -> UsdMicros:
    """Read an amount that has to be there. Raises Fault."""
    text = said.get(name)
    if not isinstance(text, str):
        raise Fault(f"{name} is no amount")
    try:
        found = money.parse_usd(text)
    except NotAnAmount as problem:
        raise Fault(f"{name}: {problem}") from None
    if found < 0:
        raise Fault(f"{name} is negative")
    return found


def counts(said: Said) -> Mapping[str, int]:
    """The usage by class; receipts of the first schema counted no searches. Raises Fault."""
    usage = said["usage"]
    if not isinstance(usage, dict) or not set(usage) <= COUNTS:
        raise Fault("usage is no list of counts")
    found = {name: usage.get(name, 0) for name in COUNTS}
    for name, count in found.items():
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < COUNT_MAX:
            raise Fault(f"{name} is no count")
    return cast("Mapping[str, int]", found)


def _priced(said: Said) -> int:
    usage, prices = counts(said), _prices(said)
    prices.setdefault("cache_read", prices["input"])
    prices.setdefault("cache_write", prices["input"])
    prices.setdefault("cache_write_1h", prices["cache_write"])
    prices.setdefault("reasoning", prices["output"])
    reasoning = min(usage["reasoning_tokens"], usage["output_tokens"])
    exact = sum(usage[f"{name}_tokens"] * prices[name] for name in TOKEN_CLASSES)
    exact += reasoning * prices["reasoning"]
    exact += (usage["output_tokens"] - reasoning) * prices["output"]
    searches = usage["web_searches"]
    if searches and said["web_search_usd"] is not None:
        exact += searches * amount(said, "web_search_usd") * money.TOKENS_PER_MTOK
    return money.rounded_half_up(exact, money.TOKENS_PER_MTOK)


def _prices(said: Said) -> dict[str, int]:
    listed = said["prices_usd_per_mtok"]
    if not isinstance(listed, dict) or not {"input", "output"} <= set(listed) <= PRICED_CLASSES:
        raise Fault("prices_usd_per_mtok is no list of prices")
    return {name: amount(listed, name) for name in listed}


def _margin(priced: int, rate: Json) -> int:
    if not isinstance(rate, str) or not RATE.fullmatch(rate):
        raise Fault("margin_rate is no share")
    numerator, denominator = Decimal(rate).as_integer_ratio()
    return money.rounded_up(priced * numerator, denominator)


def _usd(micros: int) -> str:
    return money.usd(UsdMicros(micros))
