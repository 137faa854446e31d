"""The price lists of the package, and what makes a price list wrong."""

import hashlib
import tomllib
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import genai_prices.data
import pytest

from ainfera_server import money
from ainfera_server.catalog import lists, offers, pricing
from ainfera_server.catalog.entries import PriceFile
from ainfera_server.catalog.lists import NotAPriceList
from ainfera_server.catalog.offers import Catalog, NotAPriceBook, Offer
from scripts import import_prices

PROVIDERS = frozenset(
    {
        *("anthropic", "openai", "gemini", "mistral", "xai", "together", "groq", "deepinfra"),
        *("fireworks", "novita", "local"),
    }
)
ANCHORS = {
    "claude-opus-4-7": ("anthropic", "15", "75", "0.95", 73),
    "gpt-5-5": ("openai", "5", "15", "0.90", 70),
    "gemini-3-1-pro": ("google", "1.25", "10", "0.87", 68),
    "grok-4": ("xai", "5", "15", "0.86", 65),
    "mistral-large-3": ("mistral", "2", "6", "0.74", 60),
}
"""Brand, dollars for a million tokens in and out, prior of June 2026, index."""
NAMED_BY_CLIENTS = (
    *("claude-sonnet-4-6", "claude-haiku-4-5", "claude-opus-4-7", "mistral-medium-3"),
    *("grok-4", "gemini-3-1-pro", "gpt-5-5", "gpt-5-5-pro", "smollm2-135m-instruct-local"),
)
KNOWN_SLUGS = (Path(__file__).parent / "known_slugs.txt").read_text(encoding="utf-8").split()

MAKERS = 'undecided = ["meta"]\n[cleared]\nacme = "tests"\n[refused]\nevil = "tests"\n'
SHOP = """
provider = "shop"
name = "Shop"
price_page = "https://example.com/prices"
brand = "acme"
capabilities = ["streaming"]
"""
CHEAPER_WHEN_LONG = "long_prompt = { above = 9, input = 1, output = 2 }"
PRICED = 'price_source = "a test", price_checked = "2026-11-21"'


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return lists.read_price_lists()


def only(catalog: Catalog, name: str) -> Offer:
    (offer,) = catalog.offers_for(name)
    return offer


def shop(*entries: str) -> Catalog:
    return lists.parse({"shop.toml": SHOP + "[offers]\n" + "\n".join(entries)}, makers=MAKERS)


def model(slug: str, prices: str, more: str = "") -> str:
    return f'{slug} = {{ name = "One", upstream = "one", prices = {prices}, {PRICED}{more} }}'


def test_every_provider_has_a_price_list(catalog: Catalog) -> None:
    assert {one.provider for one in catalog.price_lists} == PROVIDERS
    assert {offer.provider for offer in catalog.offers} == PROVIDERS


def test_every_slug_that_is_known_to_exist_is_an_offer(catalog: Catalog) -> None:
    assert len(KNOWN_SLUGS) == 240
    assert set(KNOWN_SLUGS) <= {offer.slug for offer in catalog.offers}


def test_a_slug_with_a_venue_is_served_by_that_venue(catalog: Catalog) -> None:
    venues = Counter(
        offer.provider
        for offer in catalog.offers
        if offer.slug in KNOWN_SLUGS and offer.slug.endswith(f"-{offer.provider}")
    )
    assert venues == {"groq": 3, "fireworks": 4, "deepinfra": 67, "together": 66, "novita": 86}


@pytest.mark.parametrize("slug", ANCHORS)
def test_the_anchors_have_the_prices_and_priors_they_were_specified_with(
    catalog: Catalog, slug: str
) -> None:
    brand, price_in, price_out, q_prior, index = ANCHORS[slug]
    offer = only(catalog, slug)
    assert offer.prices is not None
    assert offer.prices.input == money.parse_usd(price_in)
    assert offer.prices.output == money.parse_usd(price_out)
    assert offer.price_source == "product specification"
    assert (offer.model.brand, offer.model.m_allowed) == (brand, True)
    assert (offer.model.q_prior, offer.model.aa_index) == (Decimal(q_prior), index)
    assert offer.model.aa_index_source == "routing_backend_v1_lock"


def test_the_anchor_of_mistral_is_asked_for_by_its_dated_name(catalog: Catalog) -> None:
    assert only(catalog, "mistral-large-3").upstream_name == "mistral-large-2512"


@pytest.mark.parametrize("name", NAMED_BY_CLIENTS)
def test_the_names_that_clients_use_can_be_bought(catalog: Catalog, name: str) -> None:
    offer = only(catalog, name)
    assert offer.slug == name
    assert offers.routable_status(offer, {offer.provider}) == "active"


def test_haiku_costs_what_the_quickstart_says(catalog: Catalog) -> None:
    prices = only(catalog, "claude-haiku-4-5").prices
    assert prices is not None
    assert (prices.input, prices.output) == (1_000_000, 5_000_000)


def test_the_model_of_the_responses_tier_takes_no_tools(catalog: Catalog) -> None:
    offer = only(catalog, "gpt-5-5-pro")
    assert offer.dialect == "openai_responses"
    assert "tools" not in offer.model.capabilities


def test_the_local_model_is_an_ordinary_offer_below_the_default_floor(catalog: Catalog) -> None:
    offer = only(catalog, "smollm2-135m-instruct")
    assert offer.prices is not None
    assert offer.model.q_prior is not None
    assert Decimal("0.2") <= offer.model.q_prior < Decimal("0.5")
    assert offer.model.q_prior_source
    assert offer.model.m_allowed is True
    assert offer.context_window == 8_192


def test_only_the_anchors_and_the_local_model_have_a_prior(catalog: Catalog) -> None:
    with_prior = {one.slug for one in catalog.offers if one.model.q_prior is not None}
    assert with_prior == {*ANCHORS, "smollm2-135m-instruct-local"}


def test_a_maker_without_a_verdict_is_neither_allowed_nor_refused(catalog: Catalog) -> None:
    verdicts = {offer.model.brand: offer.model.m_allowed for offer in catalog.offers}
    cleared = {brand for brand, verdict in verdicts.items() if verdict}
    assert cleared == {"anthropic", "openai", "google", "xai", "mistral", "huggingface"}
    assert False not in verdicts.values()


def test_no_price_is_zero_and_each_says_where_it_is_from(catalog: Catalog) -> None:
    priced = [offer for offer in catalog.offers if offer.prices is not None]
    assert len(priced) >= 150
    for offer in priced:
        assert offer.prices is not None
        assert offer.prices.input > 0
        assert offer.prices.output > 0
        assert pricing.rises_with_length(offer.prices)
        assert offer.price_source
        assert date.fromisoformat(offer.price_checked)


def test_an_offer_whose_upstream_name_is_not_known_is_inactive(catalog: Catalog) -> None:
    for offer in catalog.offers:
        assert (offer.upstream_name is None) == (offer.status == "inactive")
        assert (offer.status_reason is None) == (offer.status == "active")


def test_a_model_is_offered_cheapest_first_and_what_cannot_be_bought_last(
    catalog: Catalog,
) -> None:
    prices = [
        None if offer.prices is None else offer.prices.input + offer.prices.output
        for offer in catalog.offers_for("deepseek-v4-pro")
    ]
    known = [price for price in prices if price is not None]
    assert len(known) >= 2
    assert prices == sorted(known) + [None] * (len(prices) - len(known))


def test_a_slug_pins_one_offer_and_an_unknown_name_none(catalog: Catalog) -> None:
    assert only(catalog, "deepseek-v4-pro-novita").provider == "novita"
    assert catalog.offers_for("no-such-model") == ()


def test_the_imported_prices_are_those_of_the_wheel() -> None:
    for path in import_prices.PRICE_LISTS.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        file = lists.read(path.name, text, PriceFile)
        if file.imported is not None:
            day = date.fromisoformat(file.imported.checked)
            again = import_prices.with_imported_prices(path.name, text, on=day)
            assert tomllib.loads(text) == tomllib.loads(again), "run scripts/import_prices.py"


def test_a_model_that_charges_for_what_no_list_can_say_has_no_price() -> None:
    perplexity = next(one for one in genai_prices.data.providers if one.id == "perplexity")
    day = date(2026, 11, 21)
    for name in ("sonar", "sonar-deep-research"):
        assert list(import_prices.price_lines(perplexity, [name], on=day)) == []


def test_reading_twice_gives_the_same_version(catalog: Catalog) -> None:
    again = lists.read_price_lists()
    assert again.version == catalog.version
    assert len(catalog.version) == 64


def test_every_model_of_anthropics_sells_searches_and_nobody_else_does(catalog: Catalog) -> None:
    sells = {one.slug for one in catalog.offers if one.prices and one.prices.web_search}
    assert sells == {
        one.slug for one in catalog.offers if one.provider == "anthropic" and one.prices
    }
    for slug in sells:
        prices = only(catalog, slug).prices
        assert prices is not None
        # Ten dollars for a thousand.
        assert prices.web_search == 10_000


def test_classes_of_their_own_are_read_in_dollars() -> None:
    listed = "{ input = 1, output = 8, reasoning = 3, web_search = 0.025, context_window = 9 }"
    prices = only(shop(model("one", listed)), "one").prices
    assert prices is not None
    assert (prices.reasoning, prices.web_search) == (3_000_000, 25_000)


BEFORE_REASONING_AND_SEARCHES = (
    b'{"offers":[{"context_window":null,"dialect":null,"model":{"aa_index":null,"aa_index_source":'
    b'null,"agentic_index":null,"brand":"acme","capabilities":["reasoning"],"context_window":null,'
    b'"display_name":"One","m_allowed":null,"output_tokens_max":null,"q_prior":"0.90",'
    b'"q_prior_source":null,"slug":"one"},"price_checked":"2026-11-21","price_source":"a test",'
    b'"prices":{"cache_read":100000,"cache_write":null,"cache_write_1h":null,"input":1000000,'
    b'"long_prompt":{"above":9,"prices":{"cache_read":null,"cache_write":null,"cache_write_1h":'
    b'null,"input":2000000,"long_prompt":null,"output":10000000}},"output":5000000},"provider":'
    b'"shop","slug":"one","status":"active","status_reason":null,"upstream_name":"one"}],'
    b'"price_lists":[]}'
)
"""A price book as it was stored before these two had prices."""


def test_a_price_book_of_an_earlier_day_keeps_its_bytes_and_its_version() -> None:
    again = offers.decode(BEFORE_REASONING_AND_SEARCHES)
    assert again.encode() == BEFORE_REASONING_AND_SEARCHES
    assert again.version == hashlib.sha256(BEFORE_REASONING_AND_SEARCHES).hexdigest()
    assert again.offers[0].prices is not None
    assert again.offers[0].prices.reasoning is None
    assert again.offers[0].prices.web_search is None


def test_a_stored_price_book_reads_back_as_it_was(catalog: Catalog) -> None:
    again = offers.decode(catalog.encode())
    assert again == catalog
    assert again.encode() == catalog.encode()


def test_the_version_tells_every_change_and_no_order(catalog: Catalog) -> None:
    backwards = Catalog(offers=catalog.offers[::-1], price_lists=catalog.price_lists)
    fewer = Catalog(offers=catalog.offers[1:], price_lists=catalog.price_lists)
    assert backwards.version == catalog.version
    assert fewer.version != catalog.version


def test_what_is_no_price_book_is_refused_by_name() -> None:
    with pytest.raises(NotAPriceBook, match="cannot be read"):
        offers.decode(b'{"offers": 1}')


def test_a_price_keeps_the_digits_it_was_written_with() -> None:
    offer = only(shop(model("one", "{ input = 0.018750, output = 3 }")), "one")
    assert offer.prices is not None
    assert (offer.prices.input, offer.prices.output) == (18_750, 3_000_000)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (model("one", "{ input = 0, output = 1 }"), "costs 0"),
        (model("one", "{ input = 1, output = -1 }"), "costs -1"),
        (model("one", "{ input = 0.0000001, output = 1 }"), "finer than a millionth"),
        (model("one", "{ input = 1 }"), "missing required field `output`"),
        (model("one", "{ input = 1, output = 1, cache = 1 }"), "unknown field `cache`"),
        (model("one", "{ input = 1, output = 1, web_search = 0 }"), "costs 0"),
        (model("one", "{ input = 1, output = 1, reasoning = 0 }"), "costs 0"),
        (
            model(
                "one",
                "{ input = 1, output = 1, long_prompt ="
                " { above = 9, input = 1, output = 1, web_search = 1 } }",
            ),
            "unknown field `web_search`",
        ),
        (
            model(
                "one",
                "{ input = 2, output = 2, long_prompt = { above = 9, input = 1, output = 2 } }",
            ),
            "cheaper",
        ),
        ('one = { name = "One", upstream = "one", price_id = "two" }', "'two' was imported"),
        ('one = { name = "One", prices = { input = 1, output = 1 } }', "price_source"),
        ('one = { name = "One", brand = "nobody" }', "'nobody' is not in makers.toml"),
        ('one = { name = "One", q_prior = 0.5 }', "q_prior_source"),
        ('one = { name = "One", q_prior = 1.5, q_prior_source = "a test" }', "between 0 and 1"),
        ('one = { name = "One", capabilities = ["magic"] }', "magic"),
        ('One = { name = "One" }', "is not a slug"),
        ('ainfera-inference = { name = "One" }', "is not a slug"),
        ('one = { name = "One", model = "two" }', "ends in -shop"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_file_and_name(entry: str, complaint: str) -> None:
    slug = entry.split(" ", 1)[0]
    with pytest.raises(NotAPriceList, match=r"shop\.toml") as refused:
        shop(entry)
    assert repr(slug) in str(refused.value)
    assert complaint in str(refused.value)


def test_a_file_that_is_not_toml_is_refused_by_name() -> None:
    with pytest.raises(NotAPriceList, match=r"shop\.toml"):
        lists.parse({"shop.toml": "provider = "}, makers=MAKERS)


def test_a_file_lists_the_provider_that_it_is_named_for() -> None:
    with pytest.raises(NotAPriceList, match=r"mall\.toml: lists the offers of 'shop'"):
        lists.parse({"mall.toml": SHOP + "[offers]"}, makers=MAKERS)


def test_a_slug_stands_in_one_file_only() -> None:
    mall = SHOP.replace('"shop"', '"mall"')
    one = '[offers]\none = { name = "One" }'
    with pytest.raises(NotAPriceList, match=r"'one': stands in mall\.toml already"):
        lists.parse({"shop.toml": SHOP + one, "mall.toml": mall + one}, makers=MAKERS)


def test_venues_may_not_disagree_about_their_model() -> None:
    mall = SHOP.replace('"shop"', '"mall"')
    files = {
        "shop.toml": SHOP + '[offers]\none-shop = { name = "One" }',
        "mall.toml": mall + '[offers]\none-mall = { name = "Won" }',
    }
    with pytest.raises(NotAPriceList, match=r"'one-shop': its name is another than mall\.toml"):
        lists.parse(files, makers=MAKERS)


def test_a_model_with_venues_has_no_offer_of_its_own_name() -> None:
    mall = SHOP.replace('"shop"', '"mall"')
    files = {
        "shop.toml": SHOP + '[offers]\none = { name = "One" }',
        "mall.toml": mall + '[offers]\none-mall = { name = "One" }',
    }
    with pytest.raises(NotAPriceList, match="'one': has other venues"):
        lists.parse(files, makers=MAKERS)


def test_a_maker_has_one_verdict() -> None:
    with pytest.raises(NotAPriceList, match="two verdicts"):
        lists.parse({}, makers='undecided = ["acme"]\n[cleared]\nacme = "tests"\n[refused]\n')


def test_a_refused_maker_is_not_allowed() -> None:
    offer = only(shop('one = { name = "One", brand = "evil" }'), "one")
    assert offer.model.m_allowed is False
