"""What answers cost, to the millionth of a dollar."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import money
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import LongPrompt, Prices
from ainfera_server.conversation import Usage
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
)
COUNTED = (
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    "output_tokens",
)


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
)
GPT = dataclasses.replace(
    flat("2", "10"), long_prompt=LongPrompt(above=272_000, prices=flat("4", "15"))
)


@st.composite
def price_lists(draw: st.DrawFn) -> Prices:
    short = draw(
        st.builds(
            Prices,
            input=PER_MTOK,
            output=PER_MTOK,
            cache_read=st.none() | PER_MTOK,
            cache_write=st.none() | PER_MTOK,
            cache_write_1h=st.none() | PER_MTOK,
        )
    )
    dearer = {
        field.name: UsdMicrosPerMtok(price * draw(st.integers(min_value=1, max_value=5)))
        for field in dataclasses.fields(short)
        if isinstance(price := getattr(short, field.name), int)
    }
    long = LongPrompt(above=draw(TOKENS), prices=dataclasses.replace(short, **dearer))
    offered = dataclasses.replace(short, long_prompt=long)
    return offered if pricing.rises_with_length(offered) else short


@proves("money-is-exact")
def test_seventeen_tokens_in_and_six_out_cost_forty_seven_millionths() -> None:
    assert pricing.cost(Usage(input_tokens=17, output_tokens=6), HAIKU) == 47
    assert money.usd(pricing.cost(Usage(input_tokens=17, output_tokens=6), HAIKU)) == "0.000047"


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


@proves("money-is-exact")
@given(USAGES, price_lists())
def test_a_cost_is_the_exact_sum_to_within_half_a_millionth(usage: Usage, prices: Prices) -> None:
    at = pricing.prices_at(prices, input_tokens=prompt(usage))
    read = at.input if at.cache_read is None else at.cache_read
    write = at.input if at.cache_write is None else at.cache_write
    write_1h = write if at.cache_write_1h is None else at.cache_write_1h
    exact = (
        usage.input_tokens * at.input
        + usage.cache_read_tokens * read
        + usage.cache_write_tokens * write
        + usage.cache_write_1h_tokens * write_1h
        + usage.output_tokens * at.output
    )
    cost = pricing.cost(usage, prices)
    assert cost >= 0
    assert abs(2 * (cost * money.TOKENS_PER_MTOK - exact)) <= money.TOKENS_PER_MTOK


@given(USAGES, price_lists(), st.sampled_from(COUNTED), TOKENS)
def test_more_tokens_never_cost_less(usage: Usage, prices: Prices, field: str, more: int) -> None:
    increased = dataclasses.replace(usage, **{field: getattr(usage, field) + more})
    assert pricing.cost(increased, prices) >= pricing.cost(usage, prices)


@given(USAGES, price_lists(), TOKENS, TOKENS)
def test_a_hold_covers_every_answer_within_its_limits(
    usage: Usage, prices: Prices, spare_input: int, spare_output: int
) -> None:
    held = pricing.most_it_may_cost(
        prompt(usage) + spare_input, usage.output_tokens + spare_output, prices
    )
    assert pricing.cost(usage, prices) <= held


@given(TOKENS, TOKENS, price_lists())
def test_a_hold_covers_the_projection(tokens: int, max_tokens: int, prices: Prices) -> None:
    projected: UsdMicros = pricing.projected(tokens, max_tokens, prices)
    assert projected <= pricing.most_it_may_cost(tokens, max_tokens, prices)
