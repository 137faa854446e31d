"""How a price list is written down: the tables and keys that its TOML file may have."""

from decimal import Decimal

import msgspec

from ainfera_server.catalog.offers import Capability
from ainfera_server.conversation import Dialect


class PriceEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a million tokens.

    A class that is left out is charged as input, or as output in the case of `reasoning`.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None


class LongPromptEntry(PriceEntry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prices of a whole request whose prompt has more than `above` tokens."""

    above: int


class VenuePriceEntry(PriceEntry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one venue asks, and how long a prompt it takes; `web_search` is for one search."""

    context_window: int | None = None
    web_search: Decimal | None = None
    long_prompt: LongPromptEntry | None = None


class OfferEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One offer; its key is its slug.

    `model` is the slug without the provider's, `brand` and `capabilities` those of the file and
    `price_id` the same as `upstream`, unless they are written. Facts of the model may be written
    at any of its venues; those that write them must agree.
    """

    name: str
    model: str | None = None
    brand: str | None = None
    upstream: str | None = None
    price_id: str | None = None
    prices: VenuePriceEntry | None = None
    price_source: str | None = None
    price_checked: str | None = None
    dialect: Dialect | None = None
    inactive: str | None = None
    output_tokens_max: int | None = None
    capabilities: tuple[Capability, ...] | None = None
    q_prior: Decimal | None = None
    q_prior_source: str | None = None
    aa_index: Decimal | None = None
    aa_index_source: str | None = None
    agentic_index: Decimal | None = None


class ImportedPrices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices that `scripts/import_prices.py` wrote, by the name that their source knows."""

    source: str
    data_sha256: str
    checked: str
    prices: dict[str, VenuePriceEntry]


class PriceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's price list; `offers` are read one by one, so that a mistake has a name."""

    provider: str
    name: str
    price_page: str
    genai_prices: str | None = None
    brand: str | None = None
    capabilities: tuple[Capability, ...] = ()
    offers: dict[str, object]
    imported: ImportedPrices | None = None


class MakersFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verdicts on makers, each with its reason."""

    undecided: tuple[str, ...]
    cleared: dict[str, str]
    refused: dict[str, str]
