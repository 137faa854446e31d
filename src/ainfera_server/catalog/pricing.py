"""What an answer costs: usage times price, rounded once."""

from decimal import Decimal

from ainfera_server import money
from ainfera_server.catalog.offers import Offer, Prices
from ainfera_server.conversation import Request, Usage
from ainfera_server.errors import NotCarried
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok


def cost(usage: Usage, prices: Prices) -> UsdMicros:
    """What an answer cost: every class at its own price, the sum rounded half up once.

    A search of the web that was never for sale costs nothing: only a vendor's mistake counts one.
    """
    at = prices_at(prices, input_tokens=prompt_tokens(usage))
    reasoning = min(usage.reasoning_tokens, usage.output_tokens)
    exact = (
        usage.input_tokens * at.input
        + usage.cache_read_tokens * _or_as_input(at.cache_read, at)
        + usage.cache_write_tokens * _or_as_input(at.cache_write, at)
        + usage.cache_write_1h_tokens * _cache_write_1h(at)
        + (usage.output_tokens - reasoning) * at.output
        + reasoning * _reasoning(at)
        + usage.web_searches * (prices.web_search or 0) * money.TOKENS_PER_MTOK
    )
    return UsdMicros(money.rounded_half_up(exact, money.TOKENS_PER_MTOK))


def margin(cost: UsdMicros, rate: Decimal) -> UsdMicros:
    """What comes on top of a cost: that share of it, rounded up."""
    assert rate.is_finite(), "a share is a number"
    numerator, denominator = rate.as_integer_ratio()
    return UsdMicros(money.rounded_up(cost * numerator, denominator))


def most_it_may_cost(
    input_tokens_max: int,
    max_tokens: int,
    prices: Prices,
    *,
    web_searches_max: int = 0,
    context_window: int | None = None,
) -> UsdMicros:
    """The least amount that no answer within these limits can exceed: what a hold sets aside.

    Every token of the prompt may be of the dearest class, because only the provider knows what
    it wrote to its cache, and writing can cost more than reading; all of the output may be
    reasoning. After each search of the web the model reads its prompt again, with results that
    may fill its whole window. Raises NotCarried for searches that have no price or no such bound.
    """
    prompt, searches = input_tokens_max, 0
    if web_searches_max:
        if prices.web_search is None or context_window is None:
            raise NotCarried(
                "This model's provider is not known to sell searches of the web, so no money can"
                " be set aside for them. Leave the search tool out, or ask another model.",
                param="tools",
            )
        prompt = max(prompt, (web_searches_max + 1) * context_window)
        searches = web_searches_max * prices.web_search
    possible = {prices_at(prices, input_tokens=tokens) for tokens in (0, prompt)}
    exact = (
        prompt * max(_dearest_input(at) for at in possible)
        + max_tokens * max(_dearest_output(at) for at in possible)
        + searches * money.TOKENS_PER_MTOK
    )
    return UsdMicros(money.rounded_up(exact, money.TOKENS_PER_MTOK))


def can_price(offer: Offer, request: Request) -> bool:
    """Whether what the request may cost at this offer can be told, and so be set aside."""
    if offer.prices is None:
        return False
    window = offer.context_window or offer.model.context_window
    sells_searches = offer.prices.web_search is not None and window is not None
    return sells_searches or not request.web_searches_max


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
        _reasoning(prices),
    )


def _dearest_input(prices: Prices) -> UsdMicrosPerMtok:
    named = (prices.input, prices.cache_read, prices.cache_write, prices.cache_write_1h)
    return max(price for price in named if price is not None)


def _dearest_output(prices: Prices) -> UsdMicrosPerMtok:
    return max(prices.output, _reasoning(prices))


def _cache_write_1h(prices: Prices) -> UsdMicrosPerMtok:
    """Writing for an hour; where a list has one price for writing, it is that."""
    if prices.cache_write_1h is not None:
        return prices.cache_write_1h
    return _or_as_input(prices.cache_write, prices)


def _reasoning(prices: Prices) -> UsdMicrosPerMtok:
    return prices.output if prices.reasoning is None else prices.reasoning


def _or_as_input(price: UsdMicrosPerMtok | None, prices: Prices) -> UsdMicrosPerMtok:
    return prices.input if price is None else price
