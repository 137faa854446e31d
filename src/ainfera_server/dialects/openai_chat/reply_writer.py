"""A whole answer, written for a caller of chat completions."""

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Reply, Text, Thinking, ToolCall, Usage
from ainfera_server.dialects.openai_chat import reply_reader, request_writer, wire
from ainfera_server.dialects.sides import Envelope


def reply(answered: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer."""
    return msgspec.json.encode(
        wire.Completion(
            id=answered.reply_id,
            created=envelope.created_unix_s,
            model=envelope.model_slug,
            choices=(
                wire.ReplyChoice(
                    index=0,
                    message=_message(answered),
                    logprobs=None,
                    finish_reason=answered.finish_reason,
                ),
            ),
            ainfera=_ainfera(envelope),
            usage=usage(answered.usage) if answered.usage is not None else None,
        )
    )


def adapted(body: bytes, envelope: Envelope) -> bytes:
    """An answer in this dialect with our own field added; every other value keeps its bytes."""
    fields = reply_reader.raw_fields(body)
    fields[wire.AINFERA_FIELD] = Raw(msgspec.json.encode(_ainfera(envelope)))
    return msgspec.json.encode(fields)


def usage(counted: Usage) -> wire.Usage:
    """Tokens as OpenAI counts them: what a cache had a part in is part of the prompt."""
    written = counted.cache_write_tokens + counted.cache_write_1h_tokens
    prompt = counted.input_tokens + counted.cache_read_tokens + written
    return wire.Usage(
        prompt_tokens=prompt,
        completion_tokens=counted.output_tokens,
        total_tokens=prompt + counted.output_tokens,
        prompt_tokens_details=wire.PromptDetails(
            cached_tokens=counted.cache_read_tokens,
            cache_write_tokens=written,
        ),
        completion_tokens_details=wire.CompletionDetails(reasoning_tokens=counted.reasoning_tokens),
    )


def _message(answered: Reply) -> wire.ReplyMessage:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[wire.ToolCall] = []
    for part in answered.parts:
        match part:
            case Text(text=text):
                texts.append(text)
            case Thinking(text=text):
                thoughts.append(text)
            case ToolCall():
                calls.append(request_writer.tool_call(part))
    return wire.ReplyMessage(
        content="".join(texts) if texts or not calls else None,
        refusal=None,
        reasoning_content="".join(thoughts) or None,
        tool_calls=tuple(calls) or None,
    )


def _ainfera(envelope: Envelope) -> wire.Ainfera:
    return wire.Ainfera(
        agent_id=envelope.agent_id,
        inference_id=envelope.inference_id,
        receipt_id=envelope.receipt_id,
        provider=envelope.provider,
        model=envelope.model_slug,
        cost_usd=envelope.cost_usd,
        audit_verify_url=f"{envelope.audit_url}/verify",
    )
