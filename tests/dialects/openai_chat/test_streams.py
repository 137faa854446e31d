"""Streams in the form of chat completions, read, written and relayed."""

import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ainfera_server import sse
from ainfera_server.conversation import (
    Ended,
    Request,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from ainfera_server.dialects.openai_chat import client, server
from ainfera_server.errors import Overloaded, ProviderFailed
from tests.dialects import samples, streams
from tests.dialects.openai_chat import vendor_sdk

DONE = b"data: [DONE]\n\n"
COUNT = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def request(*, stream_includes_usage: bool = False) -> Request:
    return Request(
        dialect="openai_chat",
        body=b"",
        model="m",
        messages=(),
        stream=True,
        stream_includes_usage=stream_includes_usage,
    )


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return sse.encode(json.dumps(data | {"choices": choices} | more).encode())


def fragment(index: int | None, arguments: str, **more: Any) -> bytes:
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    call = more | {"function": function} | ({} if index is None else {"index": index})
    return chunk({"tool_calls": [call]})


def read(body: bytes) -> list[StreamEvent]:
    return streams.decoded(client.stream_decoder(), body)


def failed(body: bytes) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as caught:
        read(body)
    return caught.value


def test_a_documented_stream_is_understood() -> None:
    # From https://developers.openai.com/api/docs/guides/function-calling
    body = (
        chunk({"role": "assistant", "content": ""})
        + chunk({"content": "Hel"}, usage=None)
        + b": keep-alive\n\n"
        + chunk({"content": "lo"})
        + fragment(0, "", id="call_a", type="function", name="get_weather")
        + fragment(0, '{"city":')
        + fragment(1, "", id="call_b", type="function", name="now")
        + fragment(0, '"Paris"}')
        + chunk({}, "tool_calls")
        + chunk(usage=COUNT)
        + DONE
    )
    assert read(body) == [
        Started(reply_id="c1", model="m"),
        TextDelta(index=0, text="Hel"),
        TextDelta(index=0, text="lo"),
        ToolCallStarted(index=1, call_id="call_a", name="get_weather"),
        ToolCallDelta(index=1, arguments='{"city":'),
        ToolCallStarted(index=2, call_id="call_b", name="now"),
        ToolCallDelta(index=1, arguments='"Paris"}'),
        Ended(
            finish_reason="tool_calls",
            finish_reason_native="tool_calls",
            usage=Usage(input_tokens=9, output_tokens=3),
        ),
    ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("text"), samples.words),
        st.tuples(st.just("thinking"), samples.words),
        st.tuples(st.just("arguments"), st.tuples(st.integers(0, 3), samples.words)),
    ),
    max_size=25,
)


@example(steps=[("arguments", (0, "0"))], cuts=[])
@given(steps=STEPS, cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_any_interleaving_in_any_pieces_gives_the_same_answer(
    steps: list[tuple[str, Any]], cuts: list[int]
) -> None:
    body = chunk({"role": "assistant", "content": ""})
    said = {"text": "", "thinking": ""}
    called: dict[int, str] = {}
    for kind, what in steps:
        if kind == "text":
            body += chunk({"content": what})
        elif kind == "thinking":
            body += chunk({"reasoning_content": what})
        if kind in said:
            said[kind] += what
            continue
        slot, arguments = what
        opening = {} if slot in called else {"id": f"call_{slot}", "name": f"f{slot}"}
        body += fragment(slot, arguments, **opening)
        called[slot] = called.get(slot, "") + arguments
    body += chunk({}, "stop") + chunk(usage=COUNT) + DONE
    events = streams.decoded(client.stream_decoder(), body, cuts)
    streams.check_laws(events)
    assert streams.text(events) == said["text"]
    assert streams.thinking(events) == said["thinking"]
    assert streams.calls(events) == [
        (f"call_{slot}", f"f{slot}", arguments) for slot, arguments in called.items()
    ]
    encoder = server.stream_encoder(request(stream_includes_usage=True), samples.ENVELOPE)
    written = b"".join(encoder.encode(event) for event in events)
    again = streams.decoded(client.stream_decoder(), written, cuts)
    streams.check_laws(again)
    assert again[1:-1] == events[1:-1]
    assert isinstance(events[-1], Ended)
    # Chunks have one word for why an answer ended, not two.
    assert again[-1] == replace(events[-1], finish_reason_native=events[-1].finish_reason)


@pytest.mark.parametrize(
    "fragments",
    [
        # Gemini: no index, or always 0, and every call whole.
        [(None, "1", "f", "{}"), (None, "2", "g", "[]")],
        [(0, "1", "f", "{}"), (0, "2", "g", "[]")],
        # Indices that begin late or leave gaps, and a name that is repeated.
        [(3, "1", "f", "{"), (3, "1", "f", "}"), (9, "2", "g", "[]")],
        [(None, "1", "f", "{"), (None, None, None, "}"), (None, "2", "g", "[]")],
    ],
)
def test_parallel_calls_are_told_apart_however_they_are_numbered(
    fragments: list[tuple[int | None, str | None, str | None, str]],
) -> None:
    body = b"".join(
        fragment(
            index,
            arguments,
            **({"id": call_id} if call_id else {}),
            **({"name": name} if name else {}),
        )
        for index, call_id, name, arguments in fragments
    )
    events = read(body + chunk({}, "tool_calls") + DONE)
    streams.check_laws(events)
    assert streams.calls(events) == [("1", "f", "{}"), ("2", "g", "[]")]


def test_a_call_without_an_id_gets_one() -> None:
    events = read(fragment(0, "{}", name="f") + chunk({}, "stop") + DONE)
    assert streams.calls(events) == [("call_c1_0", "f", "{}")]
    assert isinstance(events[-1], Ended)
    assert events[-1].finish_reason == "tool_calls"


def test_an_answer_ends_once_and_only_at_its_terminator() -> None:
    decoder = client.stream_decoder()
    body = chunk({"content": "Hi"}) + chunk({}, "stop")
    assert not any(isinstance(one, Ended) for one in streams.decoded(decoder, body))
    assert len(streams.decoded(decoder, DONE)) == 1
    assert streams.decoded(decoder, DONE + chunk({"content": "more"}) + DONE) == []


def test_counts_that_cannot_be_are_none_and_the_answer_ends() -> None:
    for usage in ({"prompt_tokens": -1, "completion_tokens": 0}, {"prompt_tokens": 5}, 7):
        body = chunk({"content": "Hi"}, "stop") + chunk(usage=usage) + DONE
        ended = streams.decoded(client.stream_decoder(), body)[-1]
        assert isinstance(ended, Ended)
        assert ended.usage is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (DONE, "incomplete"),
        (chunk({"content": "Hi"}) + DONE, "incomplete"),
        (b"data: {broken\n\n", "malformed"),
        (b"data: 5\n\n", "malformed"),
        (fragment(0, "{}"), "malformed"),
        (chunk({"content": 5}), "malformed"),
        (b'data: {"error":{"message":"Boom","code":500}}\n\n', "unavailable"),
        (b'event: error\ndata: {"message":"Boom"}\n\n', "unavailable"),
        (
            b'data: {"error":{"message":"No","type":"invalid_request_error"}}\n\n',
            "rejected",
        ),
        (
            b'data: {"error":{"message":"Wrong key","code":"invalid_api_key"}}\n\n',
            "credential_refused",
        ),
        (b'data: {"error":{"message":"Slow","code":"rate_limit_exceeded"}}\n\n', "rate_limited"),
        (b"".join(fragment(at, "{}", id=f"{at}", name="f") for at in range(1025)), "malformed"),
    ],
)
def test_a_broken_stream_is_a_failure(body: bytes, reason: str) -> None:
    assert failed(body).reason == reason


def written(events: list[StreamEvent], *, stream_includes_usage: bool = False) -> bytes:
    asked = request(stream_includes_usage=stream_includes_usage)
    encoder = server.stream_encoder(asked, samples.ENVELOPE)
    return b"".join(encoder.encode(event) for event in events)


ANSWER: list[StreamEvent] = [
    Started(reply_id="msg_1", model="claude", usage=Usage(input_tokens=9)),
    ThinkingDelta(index=0, text="Hm."),
    ThinkingDelta(index=0, signature="s"),
    TextDelta(index=1, text="Hi"),
    ToolCallStarted(index=2, call_id="call_a", name="f"),
    ToolCallDelta(index=2, arguments='{"a"'),
    ToolCallStarted(index=3, call_id="call_b", name="g"),
    ToolCallDelta(index=2, arguments=":1}"),
    ToolCallDelta(index=3, arguments=""),
    Ended(
        finish_reason="tool_calls",
        finish_reason_native="tool_use",
        usage=Usage(input_tokens=4, cache_read_tokens=5, output_tokens=3),
    ),
]


def chunks(body: bytes) -> list[dict[str, Any]]:
    events = [one.data for one in sse.Splitter().feed(body)]
    assert events[-1] == b"[DONE]"
    return [json.loads(one) for one in events[:-1]]


def test_a_stream_begins_with_the_role_and_ends_with_the_reason() -> None:
    found = chunks(written(ANSWER))
    assert {(one["id"], one["created"], one["model"]) for one in found} == {
        ("msg_1", samples.ENVELOPE.created_unix_s, "gpt-5-5")
    }
    assert not any("usage" in one for one in found)
    choices = [one["choices"][0] for one in found]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert [one["finish_reason"] for one in choices] == [
        *([None] * (len(choices) - 1)),
        "tool_calls",
    ]
    assert choices[-1]["delta"] == {}


def test_tokens_are_counted_in_one_last_chunk_for_those_who_ask() -> None:
    found = chunks(written(ANSWER, stream_includes_usage=True))
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["prompt_tokens"] == 9
    assert found[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 5
    assert all(one["usage"] is None for one in found[:-1])


def test_the_vendors_sdk_puts_a_stream_together() -> None:
    body = written(ANSWER, stream_includes_usage=True)
    body = body.replace(b"\n\n", b"\n\n" + server.HEARTBEAT)
    sdk = vendor_sdk.client(body=body, headers={"content-type": "text/event-stream"})
    with sdk.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "Hi"}]
    ) as stream:
        stream.until_done()
        completion = stream.get_final_completion()
    message = completion.choices[0].message
    assert message.content == "Hi"
    assert [
        (one.id, one.function.name, one.function.arguments) for one in message.tool_calls or []
    ] == [("call_a", "f", '{"a":1}'), ("call_b", "g", "{}")]
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 12


def test_an_error_in_a_stream_reaches_the_vendors_sdk() -> None:
    body = written(ANSWER[:4])
    body += server.encode_stream_error(Overloaded("Too many requests wait."), request_id="r")
    sdk = vendor_sdk.client(body=body, headers={"content-type": "text/event-stream"})
    stream = sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.message == "Too many requests wait."
    assert caught.value.code == "server_is_overloaded"
    assert b"[DONE]" not in body


def relayed(body: bytes, *, stream_includes_usage: bool) -> bytes:
    asked = request(stream_includes_usage=stream_includes_usage)
    return b"".join(client.relayed(one, asked) for one in sse.Splitter().feed(body))


def test_a_relayed_stream_keeps_its_bytes_but_for_a_count_nobody_asked_for() -> None:
    words = chunk({"content": 'say "choices":[] and "choices": []'}, usage=None)
    filtered = chunk(prompt_filter_results=[])
    count = chunk(usage=COUNT)
    last = chunk({}, "stop", usage=COUNT)
    body = filtered + words + last + count + DONE
    assert relayed(body, stream_includes_usage=True) == body
    assert relayed(body, stream_includes_usage=False) == filtered + words + last + DONE
