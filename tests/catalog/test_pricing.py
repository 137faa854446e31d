"""What answers cost, to the millionth of a dollar."""

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import money
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import LogicalModel, LongPrompt, Offer, Prices
from ainfera_server.conversation import Request, Usage
from ainfera_server.errors import NotCarried
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from tests.promises import proves

TOKENS = st.integers(min_value=0, max_value=3_000_000)
PER_MTOK = st.integers(min_value=1, max_value=1_000_000_000).map(UsdMicrosPerMtok)
USAGES = st.builds(
    Usage,
    input_tokens=TOKENS,
    cache_read_tokens=TOKENS,
    cache_write_tokens=TOKENS,
    cache_write_1h_tokens=TOKENS,
    output_tokens=TOKENS,
    reasoning_tokens=TOKENS,
    web_searches=st.integers(min_value=0, max_value=100),
)
COUNTED = (
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("output_tokens", "web_searches"),
)
A_SEARCH = st.integers(min_value=1, max_value=1_000_000).map(UsdMicros)
RATES = st.decimals(min_value=0, max_value=2, places=6)


def per_mtok(dollars: str) -> UsdMicrosPerMtok:
    return UsdMicrosPerMtok(money.parse_usd(dollars))


def prompt(usage: Usage) -> int:
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens + usage.cache_read_tokens + written


def flat(price_in: str, price_out: str) -> Prices:
    return Prices(input=per_mtok(price_in), output=per_mtok(price_out))


HAIKU = Prices(
    input=per_mtok("1"),
    output=per_mtok("5"),
    cache_read=per_mtok("0.1"),
    cache_write=per_mtok("1.25"),
    cache_write_1h=per_mtok("2"),
    web_search=money.parse_usd("0.01"),
)
THINKER = Prices(input=per_mtok("2"), output=per_mtok("8"), reasoning=per_mtok("3"))
GPT = dataclasses.replace(
    flat("2", "10"), long_prompt=LongPrompt(above=272_000, prices=flat("4", "15"))
)


ANY_PRICES = st.builds(
    Prices,
    input=PER_MTOK,
    output=PER_MTOK,
    cache_read=st.none() | PER_MTOK,
    cache_write=st.none() | PER_MTOK,
    cache_write_1h=st.none() | PER_MTOK,
    reasoning=st.none() | PER_MTOK,
)


@st.composite
def price_lists(draw: st.DrawFn) -> Prices:
    """Every class present or absent, and dearer prices for long prompts."""
    short = draw(ANY_PRICES)
    dearer = {
        field.name: UsdMicrosPerMtok(price * draw(st.integers(min_value=1, max_value=5)))
        for field in dataclasses.fields(short)
        if isinstance(price := getattr(short, field.name), int)
    }
    long = LongPrompt(above=draw(TOKENS), prices=dataclasses.replace(short, **dearer))
    search = draw(st.none() | A_SEARCH)
    offered = dataclasses.replace(short, long_prompt=long, web_search=search)
    if pricing.rises_with_length(offered):
        return offered
    return dataclasses.replace(short, web_search=search)


@st.composite
def strange_prices(draw: st.DrawFn) -> Prices:
    """Prices that no list of ours has: anything may get cheaper in a long prompt."""
    long = LongPrompt(above=draw(TOKENS), prices=draw(ANY_PRICES))
    return dataclasses.replace(
        draw(ANY_PRICES), long_prompt=draw(st.none() | st.just(long)), web_search=draw(A_SEARCH)
    )


def offer(prices: Prices | None, *, context_window: int | None = 200_000) -> Offer:
    model = LogicalModel(slug="one", display_name="One", brand="acme")
    return Offer(
        slug="one",
        model=model,
        provider="shop",
        upstream_name="one",
        prices=prices,
        context_window=context_window,
    )


@proves("money-is-exact")
def test_seventeen_tokens_in_and_six_out_cost_forty_seven_millionths() -> None:
    assert pricing.cost(Usage(input_tokens=17, output_tokens=6), HAIKU) == 47
    assert money.usd(pricing.cost(Usage(input_tokens=17, output_tokens=6), HAIKU)) == "0.000047"


@proves("every-class-at-its-own-price")
def test_every_class_of_tokens_has_its_own_price() -> None:
    usage = Usage(
        input_tokens=1_000_000,
        cache_read_tokens=1_000_000,
        cache_write_tokens=1_000_000,
        cache_write_1h_tokens=1_000_000,
        output_tokens=1_000_000,
    )
    assert money.usd(pricing.cost(usage, HAIKU)) == "9.350000"


def test_reasoning_is_part_of_the_output_and_charged_once() -> None:
    usage = Usage(output_tokens=1_000, reasoning_tokens=900)
    assert pricing.cost(usage, HAIKU) == 5_000


@proves("every-class-at-its-own-price")
def test_reasoning_with_a_price_of_its_own_is_taken_out_of_the_output() -> None:
    # 100 tokens at 8 and 900 at 3 dollars a million: 800 + 2,700 millionths.
    assert pricing.cost(Usage(output_tokens=1_000, reasoning_tokens=900), THINKER) == 3_500
    # A vendor that counts more reasoning than output is believed in the output: 1,000 x 3.
    assert pricing.cost(Usage(output_tokens=1_000, reasoning_tokens=5_000), THINKER) == 3_000


@proves("every-class-at-its-own-price")
def test_a_search_of_the_web_costs_a_cent_beside_its_tokens() -> None:
    # 20,000 tokens in at 1 and 300 out at 5 dollars a million, 3 searches at 0.01 dollars:
    # 20,000 + 1,500 + 30,000 millionths.
    usage = Usage(input_tokens=20_000, output_tokens=300, web_searches=3)
    assert pricing.cost(usage, HAIKU) == 51_500
    # Nobody can have asked for a search that is not for sale.
    assert pricing.cost(usage, flat("1", "5")) == 21_500


def test_the_price_of_a_search_does_not_depend_on_the_length_of_the_prompt() -> None:
    sold = dataclasses.replace(GPT, web_search=money.parse_usd("0.01"))
    # 300,000 tokens at 4 dollars a million are 1,200,000 millionths, a search 10,000.
    assert pricing.cost(Usage(input_tokens=300_000, web_searches=1), sold) == 1_210_000


@proves("every-class-at-its-own-price")
def test_every_class_at_once_is_rounded_once() -> None:
    prices = dataclasses.replace(HAIKU, reasoning=per_mtok("4"))
    usage = Usage(
        input_tokens=7,
        cache_read_tokens=11,
        cache_write_tokens=3,
        cache_write_1h_tokens=5,
        output_tokens=13,
        reasoning_tokens=9,
        web_searches=2,
    )
    # 7x1 + 11x0.1 + 3x1.25 + 5x2 + 4x5 + 9x4 + 2x10,000 = 20,077.85.
    assert pricing.cost(usage, prices) == 20_078
    # 4x0.1 + 1x1.25 = 1.65; each class rounded by itself would be 0 + 1.
    assert pricing.cost(Usage(cache_read_tokens=4, cache_write_tokens=1), prices) == 2


def test_a_margin_is_a_share_of_the_cost_rounded_up() -> None:
    assert pricing.margin(UsdMicros(47), Decimal(0)) == 0
    # Five per cent of 47 millionths are 2.35, of 40 exactly 2.
    assert pricing.margin(UsdMicros(47), Decimal("0.05")) == 3
    assert pricing.margin(UsdMicros(40), Decimal("0.05")) == 2
    assert pricing.margin(UsdMicros(1), Decimal("0.000001")) == 1


def test_a_class_without_a_price_is_charged_as_input() -> None:
    usage = Usage(cache_read_tokens=1_000, cache_write_tokens=1_000)
    assert pricing.cost(usage, flat("2", "6")) == 4_000


def test_writing_for_an_hour_costs_as_writing_does_where_no_price_says_more() -> None:
    usage = Usage(cache_write_1h_tokens=1_000)
    one_price = dataclasses.replace(HAIKU, cache_write_1h=None)
    assert pricing.cost(usage, HAIKU) == 2_000
    assert pricing.cost(usage, one_price) == 1_250
    assert pricing.cost(usage, flat("2", "6")) == 2_000


def test_the_sum_is_rounded_once_and_half_a_millionth_goes_up() -> None:
    half = Usage(input_tokens=1)
    assert pricing.cost(half, flat("0.5", "1")) == 1
    assert pricing.cost(half, flat("0.499999", "1")) == 0
    three_thirds = Usage(input_tokens=1, cache_read_tokens=1, output_tokens=1)
    assert pricing.cost(three_thirds, flat("0.333333", "0.333334")) == 1


def test_a_long_prompt_makes_every_token_dearer() -> None:
    short = Usage(input_tokens=200_000, cache_read_tokens=72_000, output_tokens=1_000)
    longer = dataclasses.replace(short, cache_read_tokens=72_001)
    assert pricing.cost(short, GPT) == 554_000
    assert pricing.cost(longer, GPT) == 272_001 * 4 + 15_000


def test_a_projection_rounds_ties_to_the_even_neighbour() -> None:
    cheap = flat("0.5", "1.5")
    assert [pricing.projected(tokens, 0, cheap) for tokens in (1, 3, 5)] == [0, 2, 2]
    assert pricing.projected(17, 6, flat("1.25", "10")) == 81


def test_the_projections_of_the_five_anchors_are_the_published_ones() -> None:
    anchors = {"2 6": 8_144, "1.25 10": 11_490, "5 15": 20_360, "15 75": 91_800}
    for listed, micros in anchors.items():
        assert pricing.projected(1_000, 1_024, flat(*listed.split())) == micros


def test_a_hold_assumes_that_the_whole_prompt_is_of_the_dearest_class() -> None:
    assert pricing.most_it_may_cost(1_000, 0, HAIKU) == 2_000
    assert pricing.most_it_may_cost(1, 0, flat("0.000001", "1")) == 1


def test_a_hold_for_searches_fills_the_window_after_each_of_them() -> None:
    held = pricing.most_it_may_cost(1_000, 500, HAIKU, web_searches_max=2, context_window=200_000)
    # Three prompts of 200,000 tokens at 2 dollars a million, the dearest class of input, are
    # 1,200,000 millionths; 500 tokens at 5 are 2,500; two searches 20,000.
    assert held == 1_222_500
    # Two prompts of 136,001 tokens together are over 272,000, so 4 dollars in and 15 out.
    sold = dataclasses.replace(GPT, web_search=money.parse_usd("0.01"))
    long = pricing.most_it_may_cost(9, 10, sold, web_searches_max=1, context_window=136_001)
    assert long == 4 * 272_002 + 150 + 10_000


def test_a_hold_assumes_that_all_of_the_output_is_of_its_dearest_class() -> None:
    dear = dataclasses.replace(THINKER, reasoning=per_mtok("9"))
    assert pricing.most_it_may_cost(0, 1_000, THINKER) == 8_000
    assert pricing.most_it_may_cost(0, 1_000, dear) == 9_000


def test_searches_without_a_price_or_a_window_cannot_be_held() -> None:
    for prices, window in ((flat("1", "5"), 200_000), (HAIKU, None)):
        with pytest.raises(NotCarried) as caught:
            pricing.most_it_may_cost(1, 1, prices, web_searches_max=1, context_window=window)
        assert caught.value.facts == {"param": "tools"}


def test_an_offer_can_be_priced_when_everything_it_is_asked_for_can() -> None:
    plain = Request(dialect="anthropic_messages", body=b"", model="m", messages=())
    searching = dataclasses.replace(plain, web_searches_max=3)
    assert pricing.can_price(offer(HAIKU), searching)
    assert pricing.can_price(offer(HAIKU, context_window=None), plain)
    assert not pricing.can_price(offer(HAIKU, context_window=None), searching)
    assert pricing.can_price(offer(flat("1", "5")), plain)
    assert not pricing.can_price(offer(flat("1", "5")), searching)
    assert not pricing.can_price(offer(None), plain)


@proves("money-is-exact")
@given(USAGES, price_lists())
def test_a_cost_is_the_exact_sum_to_within_half_a_millionth(usage: Usage, prices: Prices) -> None:
    at = pricing.prices_at(prices, input_tokens=prompt(usage))
    read = at.input if at.cache_read is None else at.cache_read
    write = at.input if at.cache_write is None else at.cache_write
    write_1h = write if at.cache_write_1h is None else at.cache_write_1h
    thinking = at.output if at.reasoning is None else at.reasoning
    reasoning = min(usage.reasoning_tokens, usage.output_tokens)
    exact = (
        usage.input_tokens * at.input
        + usage.cache_read_tokens * read
        + usage.cache_write_tokens * write
        + usage.cache_write_1h_tokens * write_1h
        + (usage.output_tokens - reasoning) * at.output
        + reasoning * thinking
        + usage.web_searches * (prices.web_search or 0) * money.TOKENS_PER_MTOK
    )
    cost = pricing.cost(usage, prices)
    assert cost >= 0
    assert abs(2 * (cost * money.TOKENS_PER_MTOK - exact)) <= money.TOKENS_PER_MTOK


@given(USAGES, price_lists(), st.sampled_from(COUNTED), TOKENS)
def test_more_tokens_never_cost_less(usage: Usage, prices: Prices, field: str, more: int) -> None:
    increased = dataclasses.replace(usage, **{field: getattr(usage, field) + more})
    assert pricing.cost(increased, prices) >= pricing.cost(usage, prices)


@proves("no-overspend")
@given(USAGES, price_lists() | strange_prices(), TOKENS, TOKENS)
def test_a_hold_covers_every_answer_within_its_limits(
    usage: Usage, prices: Prices, spare_input: int, spare_output: int
) -> None:
    within = dataclasses.replace(usage, web_searches=0)
    held = pricing.most_it_may_cost(
        prompt(usage) + spare_input, usage.output_tokens + spare_output, prices
    )
    assert pricing.cost(within, prices) <= held


@proves("no-overspend")
@given(st.data(), strange_prices(), RATES)
def test_a_hold_covers_every_answer_that_searched_within_its_limits(
    data: st.DataObject, prices: Prices, rate: Decimal
) -> None:
    window = data.draw(st.integers(min_value=1, max_value=2_000_000), label="window")
    allowed = data.draw(st.integers(min_value=1, max_value=20), label="allowed")
    searches = data.draw(st.integers(min_value=0, max_value=allowed), label="searches")
    whole = data.draw(st.integers(min_value=0, max_value=(searches + 1) * window), label="prompt")
    cuts = st.integers(min_value=0, max_value=whole)
    first, second, third = sorted(data.draw(st.tuples(cuts, cuts, cuts), label="classes"))
    usage = Usage(
        input_tokens=first,
        cache_read_tokens=second - first,
        cache_write_tokens=third - second,
        cache_write_1h_tokens=whole - third,
        output_tokens=data.draw(TOKENS, label="output"),
        reasoning_tokens=data.draw(TOKENS, label="reasoning"),
        web_searches=searches,
    )
    held = pricing.most_it_may_cost(
        data.draw(st.integers(min_value=0, max_value=window), label="bound of the prompt"),
        usage.output_tokens + data.draw(TOKENS, label="spare"),
        prices,
        web_searches_max=allowed,
        context_window=window,
    )
    cost = pricing.cost(usage, prices)
    assert cost <= held
    assert cost + pricing.margin(cost, rate) <= held + pricing.margin(held, rate)


@given(st.integers(min_value=0, max_value=10**15).map(UsdMicros), RATES)
def test_a_margin_is_never_less_than_its_share_nor_a_millionth_more(
    cost: UsdMicros, rate: Decimal
) -> None:
    exact = cost * Decimal(rate)
    assert exact <= pricing.margin(cost, rate) < exact + 1


@given(TOKENS, TOKENS, price_lists())
def test_a_hold_covers_the_projection(tokens: int, max_tokens: int, prices: Prices) -> None:
    projected: UsdMicros = pricing.projected(tokens, max_tokens, prices)
    assert projected <= pricing.most_it_may_cost(tokens, max_tokens, prices)
