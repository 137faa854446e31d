"""How many tokens a request is taken for, and that nobody counts more."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.catalog import token_counts
from ainfera_server.conversation import (
    Image,
    JsonText,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)

SCHEMA = JsonText(b'{"type":"object"}')


def asking(*parts: Text | Image | ToolCall | ToolResult | Thinking, **fields: object) -> Request:
    request = Request(
        dialect="openai_chat",
        body=b"{}",
        model="ainfera-inference",
        messages=(Message(role="user", parts=parts),),
    )
    return dataclasses.replace(request, **fields)


def test_english_is_four_characters_a_token() -> None:
    assert token_counts.estimated_input_tokens(asking(Text(text="a" * 4_000))) == 1_004


def test_a_started_token_counts_as_one() -> None:
    one, five = asking(Text(text="a")), asking(Text(text="aaaaa"))
    assert token_counts.estimated_input_tokens(one) == 5
    assert token_counts.estimated_input_tokens(five) == 6


def test_other_scripts_have_more_tokens_a_character() -> None:
    latin, chinese = (
        asking(Text(text="a" * 1_000)),
        asking(Text(text="\N{CJK RADICAL SUN}" * 1_000)),
    )
    assert token_counts.estimated_input_tokens(chinese) > token_counts.estimated_input_tokens(latin)


def test_everything_that_the_model_reads_is_counted() -> None:
    nothing = asking()
    richer = (
        asking(Text(text="words of a caller")),
        asking(Thinking(text="what it thought")),
        asking(ToolCall(call_id="call_1", name="weather", arguments='{"city":"Paris"}')),
        asking(ToolResult(call_id="call_1", parts=(Text(text="sunny"),))),
        asking(ToolResult(call_id="call_1", parts=(Image(url="https://example.com/a.png"),))),
        asking(Image(url="https://example.com/a.png")),
        asking(tools=(Tool(name="weather", description="Tells it.", parameters=SCHEMA),)),
        asking(response_format=SCHEMA),
    )
    for request in richer:
        for count in (token_counts.estimated_input_tokens, token_counts.most_input_tokens):
            assert count(request) > count(nothing)


def test_a_picture_counts_the_same_wherever_it_stands() -> None:
    picture = Image(media_type="image/png", data="aGVsbG8=")
    inside = asking(ToolResult(call_id="", parts=(picture, picture)))
    outside = asking(picture, picture)
    assert token_counts.estimated_input_tokens(inside) == 2 * 1_300 + 4
    assert token_counts.estimated_input_tokens(outside) == 2 * 1_300 + 4


def test_a_part_that_was_not_understood_is_bounded_by_the_body() -> None:
    body = b"x" * 50_000
    understood = asking(Text(text="hello"), body=body)
    not_understood = asking(Text(text="hello"), body=body, fields_not_understood=("document",))
    assert token_counts.most_input_tokens(understood) < 1_000
    assert token_counts.most_input_tokens(not_understood) > 50_000
    lost = asking(body=body, parts_not_understood=("messages.0.content.0",))
    assert token_counts.most_input_tokens(lost) > 50_000


def test_a_picture_by_the_id_of_its_file_is_bounded_as_one_in_the_body() -> None:
    picture = asking(Image(url="https://example.com/a.png"))
    by_id = asking(parts_not_understood=("messages.0.content.0",))
    assert token_counts.most_input_tokens(by_id) >= token_counts.most_input_tokens(picture)


def test_a_body_is_counted_whatever_its_text_contains() -> None:
    lone_surrogate = "\N{GRINNING FACE}\ud83d"
    assert token_counts.most_input_tokens(asking(Text(text=lone_surrogate))) > 7


@given(st.text(), st.text(), st.integers(min_value=0, max_value=9))
def test_the_bound_is_no_less_than_the_bytes_and_the_guess(
    text: str, tool: str, images: int
) -> None:
    tools = (Tool(name=tool, description=None, parameters=SCHEMA),)
    request = asking(Text(text=text), *[Image(url="https://example.com/a")] * images, tools=tools)
    most = token_counts.most_input_tokens(request)
    assert most >= len((text + tool).encode()) + len(SCHEMA)
    assert most >= token_counts.estimated_input_tokens(request)
