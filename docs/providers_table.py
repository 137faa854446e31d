"""What each provider supports, as the code has it: the table of docs/reference/providers.md."""

from collections.abc import Iterable, Mapping, Sequence

from ainfera_server.catalog import lists
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Dialect
from ainfera_server.providers import PROVIDERS
from ainfera_server.providers.provider import Provider

HEAD = (
    *("provider", "dialects", "offers", "capabilities", "limit field", "stream options"),
    *("cache prices", "first byte", "total"),
)

LIMIT_FIELDS: Mapping[Dialect, str] = {
    "anthropic_messages": "max_tokens",
    "openai_responses": "max_output_tokens",
}
"""Where a dialect has one name for the limit; in chat completions it is the provider's quirk."""


def rows() -> Sequence[tuple[str, ...]]:
    """One row for each provider, in the order of `PROVIDERS`."""
    offers = lists.read_price_lists().offers
    return [
        row(one, [offer for offer in offers if offer.provider == one.slug]) for one in PROVIDERS
    ]


def row(provider: Provider, offers: Sequence[Offer]) -> tuple[str, ...]:
    """What one provider supports; a capability is listed when at least one of its offers has it."""
    of_offers: set[Dialect] = {one.dialect or provider.dialect for one in offers}
    dialects: set[Dialect] = {provider.dialect, *of_offers}
    capabilities = sorted({name for one in offers for name in one.model.capabilities})
    timeouts = provider.timeouts
    return (
        provider.display_name,
        listed(dialects),
        str(len(offers)),
        ", ".join(capabilities),
        listed({limit_field(provider, dialect) for dialect in dialects}),
        stream_options(provider),
        cache_prices(offers),
        f"{timeouts.first_byte_s:g} s, plain {timeouts.plain_first_byte_s:g} s",
        f"{timeouts.total_s:g} s",
    )


def limit_field(provider: Provider, dialect: Dialect) -> str:
    """What the limit of an answer is called there."""
    return LIMIT_FIELDS.get(dialect, provider.quirks.max_tokens_field)


def stream_options(provider: Provider) -> str:
    """Whether a stream's usage has to be asked for, and may be."""
    if provider.dialect != "openai_chat":
        return "not of this dialect"
    return "sent" if provider.quirks.takes_stream_options else "left out"


def cache_prices(offers: Iterable[Offer]) -> str:
    """What of a prompt cache has a price of its own at one of the offers."""
    prices = [one.prices for one in offers if one.prices is not None]
    named = {
        "reads": any(one.cache_read is not None for one in prices),
        "writes for 5 min": any(one.cache_write is not None for one in prices),
        "writes for 1 h": any(one.cache_write_1h is not None for one in prices),
    }
    return ", ".join(name for name, is_priced in named.items() if is_priced) or "none"


def listed(names: Iterable[str]) -> str:
    """Names as they are typed, in order."""
    return ", ".join(f"`{name}`" for name in sorted(names))
