"""Reads the price lists that come with the package, and refuses one that is not right."""

import importlib.resources
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

import msgspec

from ainfera_server import money
from ainfera_server.catalog import pricing
from ainfera_server.catalog.entries import (
    MakersFile,
    OfferEntry,
    PriceEntry,
    PriceFile,
    VenuePriceEntry,
)
from ainfera_server.catalog.offers import (
    Capability,
    Catalog,
    LogicalModel,
    LongPrompt,
    Offer,
    PriceList,
    Prices,
)
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from ainfera_server.routing import targets

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
UPSTREAM_NOT_KNOWN = "upstream name not known"

FileT = TypeVar("FileT")
FactT = TypeVar("FactT")


class NotAPriceList(ValueError):
    """A price list is not right; the sentence names the file and the entry."""


def read_price_lists() -> Catalog:
    """Read the package's own price lists. Raises NotAPriceList."""
    catalog = importlib.resources.files("ainfera_server.catalog")
    files = {
        file.name: file.read_text(encoding="utf-8")
        for file in catalog.joinpath("price_lists").iterdir()
        if file.name.endswith(".toml")
    }
    return parse(files, makers=catalog.joinpath("makers.toml").read_text(encoding="utf-8"))


def parse(files: Mapping[str, str], *, makers: str) -> Catalog:
    """Make a catalog of the texts of price lists, by file name. Raises NotAPriceList."""
    verdicts = _verdicts(read("makers.toml", makers, MakersFile))
    price_files = {name: read(name, text, PriceFile) for name, text in sorted(files.items())}
    listed = [one for name, file in price_files.items() for one in _listed(name, file)]
    _require_distinct(listed)
    venues: defaultdict[str, list[_Listed]] = defaultdict(list)
    for one in listed:
        venues[one.model_slug].append(one)
    models = {slug: _model(slug, at, verdicts) for slug, at in venues.items()}
    return Catalog(
        offers=tuple(_offer(one, models[one.model_slug]) for one in listed),
        price_lists=tuple(
            PriceList(provider=file.provider, display_name=file.name, price_page=file.price_page)
            for file in price_files.values()
        ),
    )


def read(where: str, text: str, form: type[FileT]) -> FileT:
    """Read one TOML file; numbers keep the digits they were written with."""
    try:
        return msgspec.convert(tomllib.loads(text, parse_float=Decimal), type=form)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise NotAPriceList(f"{where}: {error}") from error


def offer_entries(where: str, file: PriceFile) -> Iterator[tuple[str, OfferEntry]]:
    """The offers of a file, each under its slug."""
    for slug, written in file.offers.items():
        try:
            yield slug, msgspec.convert(written, type=OfferEntry)
        except msgspec.ValidationError as error:
            raise NotAPriceList(f"{where}: {slug!r}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """An entry, and the file that it stands in."""

    file_name: str
    file: PriceFile
    slug: str
    entry: OfferEntry

    @property
    def model_slug(self) -> str:
        return self.entry.model or self.slug.removesuffix(f"-{self.file.provider}")

    def wrong(self, sentence: str) -> NotAPriceList:
        return NotAPriceList(f"{self.file_name}: {self.slug!r}: {sentence}")


def _listed(name: str, file: PriceFile) -> Iterator[_Listed]:
    if name != f"{file.provider}.toml":
        raise NotAPriceList(f"{name}: lists the offers of {file.provider!r}, rename one of them")
    for slug, entry in offer_entries(name, file):
        one = _Listed(file_name=name, file=file, slug=slug, entry=entry)
        if not SLUG.fullmatch(slug) or slug in targets.TARGETS:
            raise one.wrong("is not a slug: small letters, digits and single dashes, no target")
        if one.model_slug != slug and not slug.endswith(f"-{file.provider}"):
            raise one.wrong(f"is a venue of {one.model_slug!r}, so it ends in -{file.provider}")
        yield one


def _require_distinct(listed: Sequence[_Listed]) -> None:
    seen: dict[str, _Listed] = {}
    for one in listed:
        if one.slug in seen:
            raise one.wrong(f"stands in {seen[one.slug].file_name} already")
        seen[one.slug] = one


def _verdicts(makers: MakersFile) -> Mapping[str, bool | None]:
    everyone = [*makers.undecided, *makers.cleared, *makers.refused]
    if len(everyone) != len(set(everyone)):
        raise NotAPriceList("makers.toml: a maker has two verdicts")
    return (
        dict.fromkeys(makers.undecided, None)
        | dict.fromkeys(makers.cleared, True)
        | dict.fromkeys(makers.refused, False)
    )


def _model(slug: str, at: Sequence[_Listed], verdicts: Mapping[str, bool | None]) -> LogicalModel:
    _require_one_address(slug, at)
    brand = _agreed(at, "brand", lambda one: one.entry.brand or one.file.brand)
    if brand is None or brand not in verdicts:
        raise at[0].wrong(f"its maker {brand!r} is not in makers.toml")
    q_prior = _agreed(at, "q_prior", lambda one: one.entry.q_prior)
    q_prior_source = _agreed(at, "q_prior_source", lambda one: one.entry.q_prior_source)
    if (q_prior is None) != (q_prior_source is None) or not 0 <= (q_prior or 0) <= 1:
        raise at[0].wrong("a q_prior is between 0 and 1 and says in q_prior_source whence it is")
    windows = [window for one in at if (window := _context_window(one)) is not None]
    return LogicalModel(
        slug=slug,
        display_name=_agreed(at, "name", lambda one: one.entry.name) or slug,
        brand=brand,
        context_window=max(windows, default=None),
        output_tokens_max=_agreed(at, "output_tokens_max", lambda one: one.entry.output_tokens_max),
        capabilities=_agreed(at, "capabilities", _capabilities) or (),
        q_prior=q_prior,
        q_prior_source=q_prior_source,
        m_allowed=verdicts[brand],
        aa_index=_agreed(at, "aa_index", lambda one: one.entry.aa_index),
        aa_index_source=_agreed(at, "aa_index_source", lambda one: one.entry.aa_index_source),
        agentic_index=_agreed(at, "agentic_index", lambda one: one.entry.agentic_index),
    )


def _require_one_address(slug: str, at: Sequence[_Listed]) -> None:
    """A name that is both a model and one of its offers could not reach the other offers."""
    own = [one for one in at if one.slug == slug]
    if own and len(at) > 1:
        raise own[0].wrong(f"has other venues, so it is called {slug}-{own[0].file.provider}")


def _capabilities(one: _Listed) -> tuple[Capability, ...]:
    written = one.entry.capabilities
    return tuple(sorted(one.file.capabilities if written is None else written))


def _agreed(
    at: Sequence[_Listed], name: str, fact: Callable[[_Listed], FactT | None]
) -> FactT | None:
    """A fact of a model, which each of its venues may state and none may state differently."""
    stated = {value: one for one in at if (value := fact(one)) is not None}
    if len(stated) > 1:
        first, second, *_ = stated.values()
        raise second.wrong(f"its {name} is another than {first.file_name} has for {first.slug!r}")
    return next(iter(stated), None)


def _offer(one: _Listed, model: LogicalModel) -> Offer:
    entry, price = one.entry, _price(one)
    inactive = entry.inactive or (UPSTREAM_NOT_KNOWN if entry.upstream is None else None)
    source, checked = _price_origin(one) if price else ("", "")
    return Offer(
        slug=one.slug,
        model=model,
        provider=one.file.provider,
        upstream_name=entry.upstream,
        prices=None if price is None else _prices(one, price),
        price_source=source,
        price_checked=checked,
        dialect=entry.dialect,
        context_window=_context_window(one),
        status="active" if inactive is None else "inactive",
        status_reason=inactive,
    )


def _price(one: _Listed) -> VenuePriceEntry | None:
    if one.entry.prices is not None:
        return one.entry.prices
    imported = {} if one.file.imported is None else one.file.imported.prices
    wanted = one.entry.price_id or one.entry.upstream
    if one.entry.price_id is not None and wanted not in imported:
        raise one.wrong(f"no price of {wanted!r} was imported, run scripts/import_prices.py")
    return None if wanted is None else imported.get(wanted)


def _price_origin(one: _Listed) -> tuple[str, str]:
    imported = one.file.imported
    if one.entry.prices is None:
        assert imported is not None, "a price that is not written here was imported"
        source, checked = imported.source, imported.checked
    else:
        source, checked = one.entry.price_source or "", one.entry.price_checked or ""
    if not source or not DATE.fullmatch(checked):
        raise one.wrong("a price says where it is from (price_source) and when that was looked up")
    return source, checked


def _context_window(one: _Listed) -> int | None:
    price = _price(one)
    return None if price is None else price.context_window


def _prices(one: _Listed, price: VenuePriceEntry) -> Prices:
    long = price.long_prompt
    at_length = (
        None if long is None else LongPrompt(above=long.above, prices=_flat_prices(one, long))
    )
    prices = replace(
        _flat_prices(one, price),
        web_search=None if price.web_search is None else _amount(one, price.web_search),
        long_prompt=at_length,
    )
    if not pricing.rises_with_length(prices):
        raise one.wrong("a long prompt is cheaper than a short one, so more would cost less")
    return prices


def _flat_prices(one: _Listed, price: PriceEntry) -> Prices:
    return Prices(
        input=_per_mtok(one, price.input),
        output=_per_mtok(one, price.output),
        cache_read=_per_mtok_or_none(one, price.cache_read),
        cache_write=_per_mtok_or_none(one, price.cache_write),
        cache_write_1h=_per_mtok_or_none(one, price.cache_write_1h),
        reasoning=_per_mtok_or_none(one, price.reasoning),
    )


def _per_mtok_or_none(one: _Listed, dollars: Decimal | None) -> UsdMicrosPerMtok | None:
    return None if dollars is None else _per_mtok(one, dollars)


def _per_mtok(one: _Listed, dollars: Decimal) -> UsdMicrosPerMtok:
    return UsdMicrosPerMtok(_amount(one, dollars))


def _amount(one: _Listed, dollars: Decimal) -> UsdMicros:
    try:
        price = money.parse_usd(dollars)
    except money.NotAnAmount as error:
        raise one.wrong(f"has a price that is none: {error}") from error
    if price <= 0:
        raise one.wrong(f"costs {dollars}, and an offer whose price is not known has no price")
    return price
