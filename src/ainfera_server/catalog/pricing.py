"""What an answer costs: usage times price, rounded once."""

from ainfera_server import money
from ainfera_server.catalog.offers import Prices
from ainfera_server.conversation import Usage
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok


def cost(usage: Usage, prices: Prices) -> UsdMicros:
    """What an answer cost: every class of tokens at its own price, the sum rounded half up once."""
    at = prices_at(prices, input_tokens=prompt_tokens(usage))
    exact = (
        usage.input_tokens * at.input
        + usage.cache_read_tokens * _or_as_input(at.cache_read, at)
        + usage.cache_write_tokens * _or_as_input(at.cache_write, at)
        + usage.cache_write_1h_tokens * _cache_write_1h(at)
        + usage.output_tokens * at.output
    )
    return UsdMicros(money.rounded_half_up(exact, money.TOKENS_PER_MTOK))


def most_it_may_cost(input_tokens_max: int, max_tokens: int, prices: Prices) -> UsdMicros:
    """The least amount that no answer within these limits can exceed: what a hold sets aside.

    Every token of the prompt may be of the dearest class, because only the provider knows what
    it wrote to its cache, and writing can cost more than reading.
    """
    at = prices_at(prices, input_tokens=input_tokens_max)
    exact = input_tokens_max * _dearest_input(at) + max_tokens * at.output
    return UsdMicros(money.rounded_up(exact, money.TOKENS_PER_MTOK))


def projected(input_tokens: int, max_tokens: int, prices: Prices) -> UsdMicros:
    """What an answer is expected to cost before it exists: no cache, the whole reservation."""
    at = prices_at(prices, input_tokens=input_tokens)
    exact = input_tokens * at.input + max_tokens * at.output
    return UsdMicros(money.rounded_half_even(exact, money.TOKENS_PER_MTOK))


def prompt_tokens(usage: Usage) -> int:
    """How long the prompt was, whatever of it came from a cache or went into one."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens + usage.cache_read_tokens + written


def prices_at(prices: Prices, *, input_tokens: int) -> Prices:
    """The prices of a request with so long a prompt, which count for each of its tokens."""
    long_prompt = prices.long_prompt
    if long_prompt is not None and input_tokens > long_prompt.above:
        return long_prompt.prices
    return prices


def rises_with_length(prices: Prices) -> bool:
    """Tell whether no class gets cheaper in a long prompt, so that more tokens never cost less."""
    if prices.long_prompt is None:
        return True
    long = prices.long_prompt.prices
    pairs = zip(_each_class(prices), _each_class(long), strict=True)
    return all(short_price <= long_price for short_price, long_price in pairs)


def _each_class(prices: Prices) -> tuple[UsdMicrosPerMtok, ...]:
    return (
        prices.input,
        prices.output,
        _or_as_input(prices.cache_read, prices),
        _or_as_input(prices.cache_write, prices),
        _cache_write_1h(prices),
    )


def _dearest_input(prices: Prices) -> UsdMicrosPerMtok:
    named = (prices.input, prices.cache_read, prices.cache_write, prices.cache_write_1h)
    return max(price for price in named if price is not None)


def _cache_write_1h(prices: Prices) -> UsdMicrosPerMtok:
    """Writing for an hour; where a list has one price for writing, it is that."""
    if prices.cache_write_1h is not None:
        return prices.cache_write_1h
    return _or_as_input(prices.cache_write, prices)


def _or_as_input(price: UsdMicrosPerMtok | None, prices: Prices) -> UsdMicrosPerMtok:
    return prices.input if price is None else price
