"""Conversations that the Messages API can say in full, drawn at random."""

from dataclasses import replace

from hypothesis import strategies as st

from ainfera_server.conversation import (
    FinishReason,
    Message,
    Part,
    Reply,
    Request,
    Role,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.dialects import samples
from tests.dialects.samples import images, names, texts, tools, words

ENVELOPE = replace(samples.ENVELOPE, model_slug="claude-opus-4-7", provider="anthropic")

arguments = st.sampled_from(['{"city":"Köln"}', "{}", '{"a": [1, 2.50], "b": {"c": "}"}}'])
tool_calls = st.builds(ToolCall, call_id=names, name=names, arguments=arguments)
thoughts = st.one_of(
    st.builds(Thinking, text=words, signature=words),
    st.builds(Thinking, text=st.just(""), redacted=words),
)
tool_results = st.builds(
    ToolResult,
    call_id=names,
    parts=st.lists(st.one_of(texts, images), max_size=3).map(tuple),
    is_error=st.booleans(),
)


def _message(role: Role, part: st.SearchStrategy[Part], most: int) -> st.SearchStrategy[Message]:
    parts = st.lists(part, min_size=1, max_size=most).map(tuple)
    return st.builds(Message, role=st.just(role), parts=parts)


messages = st.one_of(
    _message("user", st.one_of(texts, images), 3),
    _message("assistant", st.one_of(texts, tool_calls, thoughts), 4),
    _message("tool", tool_results, 1),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request from another dialect, so that it has to be written anew."""
    system = draw(st.lists(_message("system", texts, 3), max_size=1))
    said = draw(st.lists(messages, min_size=1, max_size=6))
    given = tuple(draw(st.lists(tools, max_size=3)))
    parallel = draw(st.none() | st.booleans())
    choices = st.one_of(
        st.builds(ToolChoice, mode=st.sampled_from(["auto", "required"])),
        st.builds(ToolChoice, mode=st.just("named"), name=names),
    )
    silent = st.sampled_from([None, ToolChoice(mode="none")])
    choice = draw(silent if parallel is None else choices) if given else None
    return Request(
        dialect="openai_chat",
        body=b"",
        model=draw(names),
        messages=(*system, *said),
        tools=given,
        tool_choice=choice,
        parallel_tool_calls=parallel if given else None,
        max_tokens=draw(st.integers(1, 2**31 - 1)),
        temperature=draw(st.none() | st.floats(0, 1)),
        top_p=draw(st.none() | st.floats(0, 1)),
        top_k=draw(st.none() | st.integers(0, 500)),
        stop=tuple(draw(st.lists(words, max_size=4))),
        stream=draw(st.booleans()),
    )


usages = st.builds(
    lambda counted, for_an_hour: replace(counted, cache_write_1h_tokens=for_an_hour),
    samples.usages,
    st.integers(0, 10**6),
)

ENDS: tuple[tuple[FinishReason, str], ...] = (
    ("stop", "end_turn"),
    ("stop", "stop_sequence"),
    ("stop", "pause_turn"),
    ("length", "max_tokens"),
    ("length", "model_context_window_exceeded"),
    ("tool_calls", "tool_use"),
    ("content_filter", "refusal"),
)
"""https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons."""


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A whole answer of an Anthropic model."""
    parts = draw(st.lists(st.one_of(texts, tool_calls, thoughts), max_size=4))
    reason, native = draw(st.sampled_from(ENDS))
    return Reply(
        reply_id=draw(names.map("msg_{}".format)),
        model=ENVELOPE.model_slug,
        parts=tuple(parts),
        finish_reason=reason,
        finish_reason_native=native,
        usage=draw(usages),
        stop_sequence=draw(words) if native == "stop_sequence" else None,
    )
