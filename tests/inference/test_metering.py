"""How much of an answer there was when nobody counted, or somebody counted what cannot be."""

from ainfera_server.catalog import token_counts
from ainfera_server.conversation import (
    Ended,
    Message,
    Reply,
    Request,
    Searched,
    Started,
    StreamEvent,
    Text,
    TextDelta,
    Usage,
)
from ainfera_server.inference import metering
from ainfera_server.inference.metering import Metered, Tally
from tests.promises import proves

ASKED = Request(
    dialect="anthropic_messages",
    body=b"",
    model="m",
    messages=(Message(role="user", parts=(Text(text="Say hello."),)),),
)
PROMPT = token_counts.estimated_input_tokens(ASKED)
COUNTED = Usage(input_tokens=100, cache_read_tokens=40, output_tokens=7, web_searches=1)
BEGUN = Usage(input_tokens=100, cache_read_tokens=40, cache_write_tokens=60, output_tokens=1)
WORDS = TextDelta(index=0, text="x" * 42)


def reply(usage: Usage | None, *, web_searches: int = 0) -> Reply:
    return Reply(
        reply_id="r",
        model="m",
        parts=(Text(text="x" * 42),),
        finish_reason="stop",
        finish_reason_native="end_turn",
        usage=usage,
        web_searches=web_searches,
    )


def begun(usage: Usage | None) -> Started:
    return Started(reply_id="r", model="m", usage=usage)


def of_stream(*events: StreamEvent) -> Metered:
    tally = Tally(b"salt")
    for event in events:
        tally.read(event)
    return tally.metered(ASKED)


def ended(usage: Usage | None) -> Ended:
    return Ended(finish_reason="stop", finish_reason_native="end_turn", usage=usage)


def test_the_providers_count_is_taken_as_it_is() -> None:
    theirs = Metered(usage=COUNTED, source="provider")
    assert metering.of_reply(reply(COUNTED), ASKED) == theirs
    assert of_stream(begun(BEGUN), WORDS, ended(COUNTED)) == theirs


@proves("uncountable-is-estimated")
def test_what_nobody_counted_is_estimated_by_its_length_and_says_so() -> None:
    # 42 characters at four a token are eleven tokens.
    estimate = Metered(usage=Usage(input_tokens=PROMPT, output_tokens=11), source="estimate")
    assert metering.of_reply(reply(None), ASKED) == estimate
    assert of_stream(begun(None), WORDS, ended(None)) == estimate
    assert of_stream(begun(None), WORDS) == estimate


def test_searches_are_charged_for_even_when_nobody_counted_them() -> None:
    found = metering.of_reply(reply(None, web_searches=2), ASKED)
    assert found.usage == Usage(input_tokens=PROMPT, output_tokens=11, web_searches=2)


def test_a_stream_that_broke_off_keeps_the_classes_that_were_counted_at_its_start() -> None:
    found = of_stream(begun(BEGUN), WORDS)
    assert found.source == "estimate"
    assert found.usage == Usage(
        input_tokens=100, cache_read_tokens=40, cache_write_tokens=60, output_tokens=11
    )


def test_a_stream_that_broke_off_pays_for_its_searches_and_what_was_read_again() -> None:
    searches = (Searched(result_characters=400), Searched(result_characters=401))
    found = of_stream(begun(BEGUN), *searches, WORDS)
    # 200 tokens of prompt read twice more, results of 100 and 101 tokens: 100 + 400 + 201.
    assert found.usage == Usage(
        input_tokens=701,
        cache_read_tokens=40,
        cache_write_tokens=60,
        output_tokens=11,
        web_searches=2,
    )


def test_a_search_is_something_that_was_delivered() -> None:
    tally = Tally(b"salt")
    tally.read(begun(BEGUN))
    assert not tally.has_content
    tally.read(Searched(result_characters=4))
    assert tally.has_content
