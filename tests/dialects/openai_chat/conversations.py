"""Conversations that chat completions can say in full, drawn at random."""

from hypothesis import strategies as st

from ainfera_server.conversation import (
    FinishReason,
    Message,
    Part,
    Reply,
    Request,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.dialects.samples import (
    ENVELOPE,
    images,
    json_objects,
    names,
    texts,
    tools,
    usages,
    words,
)

tool_calls = st.builds(
    ToolCall,
    call_id=names,
    name=names,
    arguments=st.sampled_from(['{"city":"Köln"}', "{}", '{"a": [1, 2.50]}', "not json"]),
)


def _message(role: str, parts: st.SearchStrategy[tuple[Part, ...]]) -> st.SearchStrategy[Message]:
    return st.builds(Message, role=st.just(role), parts=parts)


def _some(
    parts: st.SearchStrategy[Part], least: int, most: int
) -> st.SearchStrategy[tuple[Part, ...]]:
    return st.lists(parts, min_size=least, max_size=most).map(tuple)


tool_results = st.builds(ToolResult, call_id=names, parts=st.lists(texts, max_size=3).map(tuple))
assistant_parts = st.tuples(_some(texts, 0, 2), _some(tool_calls, 0, 3)).map(
    lambda both: (*both[0], *both[1])
)
messages = st.one_of(
    _message("system", _some(texts, 1, 3)),
    _message("user", _some(st.one_of(texts, images), 0, 3)),
    _message("assistant", assistant_parts),
    _message("tool", _some(tool_results, 1, 1)),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request from another dialect, so that it has to be written anew."""
    given = tuple(draw(st.lists(tools, max_size=3)))
    choices = st.one_of(
        st.none(),
        st.builds(ToolChoice, mode=st.sampled_from(["auto", "required", "none"])),
        st.builds(ToolChoice, mode=st.just("named"), name=names),
    )
    return Request(
        dialect="anthropic_messages",
        body=b"",
        model=draw(names),
        messages=tuple(draw(st.lists(messages, min_size=1, max_size=5))),
        tools=given,
        tool_choice=draw(choices) if given else None,
        parallel_tool_calls=draw(st.none() | st.booleans()) if given else None,
        max_tokens=draw(st.integers(1, 2**31 - 1)),
        temperature=draw(st.none() | st.floats(0, 2)),
        top_p=draw(st.none() | st.floats(0, 1)),
        stop=tuple(draw(st.lists(words, max_size=4))),
        seed=draw(st.none() | st.integers(-(2**63 - 1), 2**63 - 1)),
        response_format=draw(st.none() | json_objects),
        stream=draw(st.booleans()),
    )


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A whole answer in the order in which chat completions keep it."""
    thinking = draw(st.lists(st.builds(Thinking, text=words), max_size=1))
    text = draw(st.lists(texts, max_size=1))
    calls = draw(st.lists(tool_calls, max_size=3))
    plain: list[FinishReason] = ["stop", "length", "content_filter"]
    reason = "tool_calls" if calls else draw(st.sampled_from(plain))
    return Reply(
        reply_id=draw(names),
        model=ENVELOPE.model_slug,
        parts=(*thinking, *text, *calls),
        finish_reason=reason,
        finish_reason_native=reason,
        usage=draw(st.none() | usages),
    )
