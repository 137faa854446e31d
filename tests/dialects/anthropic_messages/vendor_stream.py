"""Streams as Anthropic sends them, what its own client makes of them, and their order."""

import json
from typing import Any

import anthropic
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from ainfera_server import sse
from tests.dialects.anthropic_messages import vendor_sdk

VENDORS_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def event(kind: str, **fields: Any) -> bytes:
    """One event, named as its data says."""
    return sse.encode(json.dumps({"type": kind} | fields).encode(), name=kind)


def start(**usage: int) -> bytes:
    """The beginning of an answer."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-7"}
    ending = {"stop_reason": None, "stop_sequence": None, "usage": usage}
    return event("message_start", message=message | {"content": []} | ending)


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """A block from its start to its stop."""
    return b"".join(
        (
            event("content_block_start", index=index, content_block=content_block),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


def end(stop_reason: str | None = "end_turn", **usage: int) -> bytes:
    """The end of an answer."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage=usage) + event("message_stop")


def said(body: bytes) -> list[dict[str, Any]]:
    """The data of every event; each is named as its data says."""
    found = list(sse.Splitter().feed(body))
    data = [json.loads(one.data) for one in found]
    assert [one.name for one in found] == [one["type"] for one in data]
    return data


def accumulated(body: bytes) -> anthropic.types.Message:
    """What Anthropic's own client makes of a stream."""
    sdk = vendor_sdk.client(body=body, headers={"content-type": "text/event-stream"})
    asked = sdk.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )
    with asked as stream:
        return stream.get_final_message()


def check_order(body: bytes) -> None:
    """The vendor's order: blocks one after the other from 0, each opened, spoken, closed."""
    events = said(body)
    for one in events:
        VENDORS_EVENT.validate_python(one, strict=True)
    kinds = [one["type"] for one in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    is_open, is_spoken, blocks, deltas = False, False, 0, 0
    for one in events[1:-2]:
        assert one["index"] == blocks
        match one["type"]:
            case "content_block_start":
                assert not is_open
                is_open, deltas = True, 0
                is_spoken = one["content_block"]["type"] == "redacted_thinking"
            case "content_block_delta":
                assert is_open
                deltas += 1
            case "content_block_stop":
                assert is_open
                assert deltas >= 1 or is_spoken
                is_open, blocks = False, blocks + 1
            case kind:
                raise AssertionError(kind)
    assert not is_open
