"""A whole answer, written for a caller of the native API."""

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Reply, Text, Thinking, ToolCall, Usage
from ainfera_server.dialects.native import wire
from ainfera_server.dialects.sides import Envelope


def reply(answered: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer; `input_tokens` counts what was read from a cache too."""
    usage = answered.usage or Usage()
    return msgspec.json.encode(
        wire.Answer(
            inference_id=envelope.inference_id,
            receipt_id=envelope.receipt_id,
            agent_id=envelope.agent_id,
            content="".join(one.text for one in answered.parts if isinstance(one, Text)),
            content_blocks=_blocks(answered),
            model_used=envelope.model_slug,
            provider=envelope.provider,
            finish_reason=answered.finish_reason,
            finish_reason_native=answered.finish_reason_native,
            input_tokens=_prompt_tokens(usage),
            output_tokens=usage.output_tokens,
            cost_usd=envelope.cost_usd,
        )
    )


def adapted(body: bytes, envelope: Envelope) -> bytes:
    """A native answer with what we say about it; every other value keeps its bytes."""
    ours = wire.Answered(
        inference_id=envelope.inference_id,
        receipt_id=envelope.receipt_id,
        agent_id=envelope.agent_id,
        model_used=envelope.model_slug,
        provider=envelope.provider,
        cost_usd=envelope.cost_usd,
    )
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    added = msgspec.json.decode(msgspec.json.encode(ours), type=dict[str, Raw])
    return msgspec.json.encode(fields | added)


def _prompt_tokens(usage: Usage) -> int:
    cached = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens + cached


def _blocks(answered: Reply) -> tuple[wire.Block, ...] | None:
    """The parts in their order, when there is more than text."""
    if all(isinstance(one, Text) for one in answered.parts):
        return None
    return tuple(_block(one) for one in answered.parts)


def _block(part: Text | ToolCall | Thinking) -> wire.Block:
    match part:
        case Text(text=text):
            return wire.TextBlock(text=text)
        case Thinking(redacted=str(redacted)):
            return wire.RedactedThinkingBlock(data=redacted)
        case Thinking(text=text, signature=signature):
            return wire.ThinkingBlock(thinking=text, signature=signature)
        case ToolCall(call_id=call_id, name=name, arguments=arguments):
            return wire.ToolUseBlock(id=call_id, name=name, input=_input(arguments))


def _input(arguments: str) -> Raw:
    """The arguments as they were written; models do not always write an object."""
    try:
        msgspec.json.decode(arguments, type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode(arguments))
    return Raw(arguments.encode())
