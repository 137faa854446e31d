"""A whole answer, written for a caller of the Messages API."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server.conversation import FinishReason, Reply, Text, Thinking, ToolCall, Usage
from ainfera_server.dialects.anthropic_messages import reply_reader, wire
from ainfera_server.dialects.sides import Envelope

STOP_REASONS: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

UNREADABLE_FIELD = "INVALID_JSON"
"""Where arguments go that are not the text of an object; the vendor proposes this name.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
"""


def reply(answered: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer."""
    return msgspec.json.encode(
        wire.WrittenAnswer(
            id=message_id(answered.reply_id, envelope),
            model=envelope.model_slug,
            content=tuple(_block(part) for part in answered.parts),
            stop_reason=stop_reason(
                answered.finish_reason, answered.finish_reason_native, answered.stop_sequence
            ),
            stop_sequence=answered.stop_sequence,
            usage=usage(answered.usage or Usage()),
        )
    )


def message_id(reply_id: str, envelope: Envelope) -> str:
    """The answer's own id; callers may expect Anthropic's prefix, so others get it."""
    if reply_id.startswith(wire.MESSAGE_ID_PREFIX):
        return reply_id
    return wire.MESSAGE_ID_PREFIX + (reply_id or envelope.inference_id)


def stop_reason(reason: FinishReason, native: str | None, stop_sequence: str | None) -> str:
    """Anthropic's word; its own finer one where the answer came with one that agrees."""
    if native is not None and reply_reader.FINISH_REASONS.get(native) == reason:
        return native
    if reason == "stop" and stop_sequence is not None:
        return "stop_sequence"
    return STOP_REASONS[reason]


def usage(counted: Usage) -> wire.Usage:
    """Tokens as Anthropic counts them: `input_tokens` is what no cache had a part in."""
    details = None
    if counted.reasoning_tokens:
        details = wire.OutputDetails(thinking_tokens=counted.reasoning_tokens)
    searched = None
    if counted.web_searches:
        searched = wire.ServerToolUse(web_search_requests=counted.web_searches)
    return wire.Usage(
        input_tokens=counted.input_tokens,
        cache_creation_input_tokens=counted.cache_write_tokens + counted.cache_write_1h_tokens,
        cache_creation=wire.CacheCreation(
            ephemeral_5m_input_tokens=counted.cache_write_tokens,
            ephemeral_1h_input_tokens=counted.cache_write_1h_tokens,
        ),
        cache_read_input_tokens=counted.cache_read_tokens,
        output_tokens=counted.output_tokens,
        output_tokens_details=details,
        server_tool_use=searched,
    )


def _block(part: Text | ToolCall | Thinking) -> wire.Block:
    match part:
        case Text(text=text):
            return wire.TextBlock(text=text)
        case ToolCall(call_id=call_id, name=name, arguments=arguments):
            return wire.ToolUseBlock(id=call_id, name=name, input=_input(arguments))
        case Thinking(redacted=str(data)):
            return wire.RedactedThinkingBlock(data=data)
        case Thinking(text=text, signature=signature):
            return wire.ThinkingBlock(thinking=text, signature=signature or "")


def _input(arguments: str) -> Raw:
    """The arguments' own bytes. An answer is paid for, so even broken ones are handed over."""
    text = arguments.strip().encode()
    if not text:
        return wire.EMPTY_OBJECT
    try:
        msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode({UNREADABLE_FIELD: arguments}))
    return Raw(text)
