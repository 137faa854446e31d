"""Write the prices that the installed genai-prices knows into our own price lists.

`python scripts/import_prices.py` looks up what every offer without a price of its own costs today;
`--on 2026-11-21` asks for another day. Nothing is fetched: the wheel carries its data. What stands
above the mark in a file is written by people and is not touched.
"""

import argparse
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import genai_prices.data
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices

from ainfera_server.catalog import lists
from ainfera_server.catalog.entries import PriceFile

PRICE_LISTS = Path(__file__).parent.parent / "src/ainfera_server/catalog/price_lists"
MARK = "# Everything below is written by scripts/import_prices.py.\n"
CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""Our names of the classes of tokens, and theirs."""
SELLS_SEARCHES = frozenset({"anthropic"})
"""Whose searches of the web a request can bound, and so be sold. Others charge for searches too,
but take no request for them in a dialect that we speak."""
A_THOUSAND = 1_000
NOT_SOLD_BY_US = ("requests_kcount", "input_text_messages_kcount", "output_citation_mtok")
"""What a model may charge for plain words that our lists cannot say; such a model has no price."""


def main() -> None:
    """Bring every price list up to date and say which have changed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--on", type=date.fromisoformat, default=datetime.now(UTC).date())
    on: date = parser.parse_args().on
    for path in sorted(PRICE_LISTS.glob("*.toml")):
        before = path.read_text(encoding="utf-8")
        after = with_imported_prices(path.name, before, on=on)
        path.write_text(after, encoding="utf-8")
        print(f"{path.name}: {'written' if after != before else 'as it was'}")
    lists.read_price_lists()


def with_imported_prices(name: str, text: str, *, on: date) -> str:
    """The text of a price list, with the prices of that day below the mark."""
    by_hand = text.partition(MARK)[0].rstrip() + "\n"
    file = lists.read(name, by_hand, PriceFile)
    if file.genai_prices is None:
        return by_hand
    provider = next(one for one in genai_prices.data.providers if one.id == file.genai_prices)
    lines = price_lines(provider, wanted_names(name, file), on=on)
    return f"{by_hand}\n{MARK}\n{header(on)}\n{''.join(lines)}"


def header(on: date) -> str:
    """Which wheel the prices are from, so that anybody can look them up in the same bytes."""
    data = Path(genai_prices.data.__file__).read_bytes()
    return (
        "[imported]\n"
        f'source = "genai-prices {importlib.metadata.version("genai-prices")}"\n'
        f'data_sha256 = "{hashlib.sha256(data).hexdigest()}"  # of its genai_prices/data.py\n'
        f'checked = "{on.isoformat()}"\n'
        "\n"
        "[imported.prices]"
    )


def wanted_names(name: str, file: PriceFile) -> list[str]:
    """What the offers without a price of their own are called by the vendor."""
    offers = (entry for _, entry in lists.offer_entries(name, file))
    names = {entry.price_id or entry.upstream for entry in offers if entry.prices is None}
    return sorted(one for one in names if one is not None)


def price_lines(provider: Provider, names: Iterable[str], *, on: date) -> Iterator[str]:
    """One line for each name that has a price, and a complaint about each that has none."""
    for name in names:
        model = provider.find_model(name)
        sells_searches = provider.id in SELLS_SEARCHES
        keys = None if model is None else price_keys(model, on=on, sells_searches=sells_searches)
        if model is None or keys is None:
            print(f"{provider.id} has no price for {name!r}", file=sys.stderr)
            continue
        written = ", ".join(keys)
        yield f'"{name}" = {{ {written} }}{"".join(announced(model, on=on))}\n'


def price_keys(model: ModelInfo, *, on: date, sells_searches: bool) -> list[str] | None:
    """The prices of a model in the words of our lists.

    None unless it sells tokens both ways, and charges for nothing that we cannot say.
    """
    price = model.get_prices(datetime.combine(on, time(), tzinfo=UTC))
    flat = dict(class_prices(price))
    if not flat.get("input") or not flat.get("output"):
        return None
    if any(getattr(price, name, None) is not None for name in NOT_SOLD_BY_US):
        return None
    keys = [f"{name} = {written(amount)}" for name, amount in flat.items()]
    searches: Decimal | TieredPrices | None = getattr(price, "web_searches_kcount", None)
    if sells_searches and isinstance(searches, Decimal):
        keys.append(f"web_search = {written(searches / A_THOUSAND)}")
    if model.context_window is not None:
        keys.append(f"context_window = {model.context_window}")
    starts = tier_starts(price)
    assert len(starts) <= 1, f"{model.id} has several tiers, and a price list has room for one"
    for start in starts:
        is_within_reach = model.context_window is None or model.context_window > start
        if is_within_reach:
            long = (f"{name} = {written(amount)}" for name, amount in class_prices(price, start))
            keys.append(f"long_prompt = {{ above = {start}, {', '.join(long)} }}")
    return keys


def class_prices(price: ModelPrice, above: int | None = None) -> Iterator[tuple[str, Decimal]]:
    """The price of each class that has one, for a short prompt or for one longer than `above`."""
    for name, their_name in CLASSES.items():
        value: Decimal | TieredPrices | None = getattr(price, their_name, None)
        if isinstance(value, TieredPrices):
            long = [tier.price for tier in value.tiers if tier.start == above]
            value = long[0] if long else value.base
        if value is not None:
            yield name, value


def tier_starts(price: ModelPrice) -> set[int]:
    """From which lengths of the prompt on another price holds."""
    values = (getattr(price, their_name, None) for their_name in CLASSES.values())
    return {
        tier.start for value in values if isinstance(value, TieredPrices) for tier in value.tiers
    }


def announced(model: ModelInfo, *, on: date) -> Iterator[str]:
    """A comment for each price that the vendor has announced for a later day."""
    if isinstance(model.prices, ModelPrice):
        return
    for change in model.prices:
        if isinstance(change.constraint, StartDateConstraint) and change.constraint.start_date > on:
            flat = dict(class_prices(change.prices))
            prices = f"input {written(flat['input'])}, output {written(flat['output'])}"
            yield f"  # from {change.constraint.start_date.isoformat()}: {prices}"


def written(amount: Decimal) -> str:
    """A price without the zeros that say nothing."""
    return format(amount.normalize(), "f")


if __name__ == "__main__":
    main()
