"""What can be bought: an offer is a model at a provider at a price, the catalog is all of them."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

import msgspec

from ainfera_server.conversation import Dialect, Json
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok

Capability = Literal["reasoning", "streaming", "tools", "vision"]
CLASSES_ADDED_LATER = frozenset({"reasoning", "web_search"})

RoutableStatus = Literal["active", "inactive", "no_price", "no_provider_key"]
"""Whether an offer would answer if it were asked now, and what is in the way if not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What each class of tokens costs, and each search of the web.

    A class that is None has no price of its own: what a cache had a part in is charged as input,
    `reasoning` as the output that it is a part of. `cache_write` is for entries that live five
    minutes, `cache_write_1h` for an hour. `web_search` is None when the vendor's searches cannot
    be bought here; it is one price at any length. `long_prompt` is None when a prompt costs the
    same at any length.
    """

    input: UsdMicrosPerMtok
    output: UsdMicrosPerMtok
    cache_read: UsdMicrosPerMtok | None = None
    cache_write: UsdMicrosPerMtok | None = None
    cache_write_1h: UsdMicrosPerMtok | None = None
    reasoning: UsdMicrosPerMtok | None = None
    web_search: UsdMicros | None = None
    long_prompt: "LongPrompt | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPrompt:
    """The prices of a whole request once its prompt, caches included, is longer than `above`."""

    above: int
    prices: Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalModel:
    """A model, whoever serves it. None means that nobody has told us.

    `context_window` is the widest that any of its venues serves. `m_allowed` is the verdict on
    its maker, `aa_index` and `agentic_index` what others measured.
    """

    slug: str
    display_name: str
    brand: str
    context_window: int | None = None
    output_tokens_max: int | None = None
    capabilities: tuple[Capability, ...] = ()
    q_prior: Decimal | None = None
    q_prior_source: str | None = None
    m_allowed: bool | None = None
    aa_index: Decimal | None = None
    aa_index_source: str | None = None
    agentic_index: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model at a provider at a price.

    `upstream_name` is what the provider calls the model, None when we do not know; `prices` is
    None when no price is known, and then nobody can buy it. `dialect` is set where this offer
    speaks another than its provider does. `context_window` is what this venue serves.
    `price_source` and `price_checked` are empty together with `prices`.
    """

    slug: str
    model: LogicalModel
    provider: str
    upstream_name: str | None
    prices: Prices | None
    price_source: str = ""
    price_checked: str = ""
    dialect: Dialect | None = None
    context_window: int | None = None
    status: Literal["active", "inactive"] = "active"
    status_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Where one provider's offers come from."""

    provider: str
    display_name: str
    price_page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every offer, in the order of their slugs; `version` is the SHA-256 of what `encode` writes.

    A receipt names the version, and the price book of that version is kept, so that what an
    answer cost can be computed again.
    """

    offers: tuple[Offer, ...]
    price_lists: tuple[PriceList, ...] = ()
    version: str = field(init=False)
    _by_name: Mapping[str, tuple[Offer, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        in_order = tuple(sorted(self.offers, key=lambda offer: offer.slug))
        object.__setattr__(self, "offers", in_order)
        object.__setattr__(self, "version", hashlib.sha256(self.encode()).hexdigest())
        object.__setattr__(self, "_by_name", _by_name(in_order))

    def encode(self) -> bytes:
        """Write the catalog as JSON: keys sorted, no spaces, no floats."""
        book = _PriceBook(offers=self.offers, price_lists=self.price_lists)
        plain: Json = msgspec.json.decode(msgspec.json.encode(book))
        return msgspec.json.encode(_as_written(plain), order="sorted")

    def offers_for(self, name: str) -> tuple[Offer, ...]:
        """The offer of that slug alone, or every offer of that model, cheapest first."""
        return self._by_name.get(name, ())


class NotAPriceBook(ValueError):
    """The bytes given were not written by `Catalog.encode`."""


def decode(body: bytes) -> Catalog:
    """Read what `Catalog.encode` wrote. Raises NotAPriceBook."""
    try:
        book = msgspec.json.decode(body, type=_PriceBook)
    except msgspec.DecodeError as error:
        raise NotAPriceBook(f"a stored price book cannot be read: {error}") from error
    return Catalog(offers=book.offers, price_lists=book.price_lists)


def routable_status(offer: Offer, providers_with_key: Collection[str]) -> RoutableStatus:
    """Tell whether an offer would answer, or the first thing in its way."""
    if offer.prices is None:
        return "no_price"
    if offer.status == "inactive":
        return "inactive"
    if offer.provider not in providers_with_key:
        return "no_provider_key"
    return "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class _PriceBook:
    offers: tuple[Offer, ...]
    price_lists: tuple[PriceList, ...]


def _as_written(value: Json) -> Json:
    """The book without the prices that nobody named and that the first books did not know.

    So a catalog without them has the version that it had then.
    """
    match value:
        case dict():
            return {
                name: _as_written(one)
                for name, one in value.items()
                if one is not None or name not in CLASSES_ADDED_LATER
            }
        case list():
            return [_as_written(one) for one in value]
        case _:
            return value


def _by_name(offers: tuple[Offer, ...]) -> Mapping[str, tuple[Offer, ...]]:
    """An offer's own slug is stronger than a model's; offers must come in the order of slugs."""
    venues: dict[str, tuple[Offer, ...]] = {}
    for offer in sorted(offers, key=_price_for_a_token_in_and_out):
        venues[offer.model.slug] = (*venues.get(offer.model.slug, ()), offer)
    return MappingProxyType(venues | {offer.slug: (offer,) for offer in offers})


def _price_for_a_token_in_and_out(offer: Offer) -> tuple[bool, int]:
    """What cheapest means, as the ranking has it; what cannot be bought comes last."""
    if offer.prices is None or offer.status == "inactive":
        return (True, 0)
    return (False, offer.prices.input + offer.prices.output)
