"""A whole answer, written for a caller of the Responses API."""

import msgspec
from msgspec import Raw

from ainfera_server.conversation import FinishReason, Reply, Usage
from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_responses import answer_wire as wire
from ainfera_server.dialects.openai_responses import item_writer
from ainfera_server.dialects.sides import Envelope


def reply(answered: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer. What was asked is not known here, so nothing of it is repeated."""
    status, details = ending(answered.finish_reason)
    last = len(answered.parts) - 1
    written = wire.Response(
        id=item_writer.response_id(envelope),
        created_at=envelope.created_unix_s,
        status=status,
        incomplete_details=details,
        model=envelope.model_slug,
        output=tuple(
            item_writer.item(part, envelope, at, status if at == last else "completed")
            for at, part in enumerate(answered.parts)
        ),
        usage=None if answered.usage is None else usage(answered.usage),
        ainfera=_ainfera(envelope),
    )
    return msgspec.json.encode(written)


def adapted(body: bytes, envelope: Envelope) -> bytes:
    """An answer in this dialect with our own field added; every other value keeps its bytes."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failures.malformed(f"{error}") from None
    fields[wire.AINFERA_FIELD] = Raw(msgspec.json.encode(_ainfera(envelope)))
    return msgspec.json.encode(fields)


def begun(body: bytes, envelope: Envelope) -> wire.Response:
    """A response in progress, which repeats what was asked."""
    asked = msgspec.json.decode(body, type=dict[str, Raw]) if body else {}
    said = {name: asked[name] for name in wire.REPEATED if name in asked}
    plain = wire.Response(
        id=item_writer.response_id(envelope),
        created_at=envelope.created_unix_s,
        status="in_progress",
        model=envelope.model_slug,
    )
    repeated = {name: raw for name, raw in said.items() if bytes(raw) != b"null"}
    return msgspec.structs.replace(plain, **repeated)


def ended(
    begun: wire.Response, reason: FinishReason, output: tuple[wire.Item, ...], counted: Usage | None
) -> wire.Response:
    """The same response, whole."""
    status, details = ending(reason)
    return msgspec.structs.replace(
        begun,
        status=status,
        incomplete_details=details,
        output=output,
        usage=None if counted is None else usage(counted),
    )


def ending(reason: FinishReason) -> tuple[wire.ItemStatus, wire.IncompleteDetails | None]:
    """How an answer stands that ended for this reason."""
    match reason:
        case "stop" | "tool_calls":
            return "completed", None
        case "length":
            return "incomplete", wire.IncompleteDetails(reason="max_output_tokens")
        case "content_filter":
            return "incomplete", wire.IncompleteDetails(reason="content_filter")


def usage(counted: Usage) -> wire.Usage:
    """Tokens as OpenAI counts them: what a cache had a part in is part of the input."""
    written = counted.cache_write_tokens + counted.cache_write_1h_tokens
    prompt = counted.input_tokens + counted.cache_read_tokens + written
    return wire.Usage(
        input_tokens=prompt,
        input_tokens_details=wire.InputDetails(
            cached_tokens=counted.cache_read_tokens, cache_write_tokens=written
        ),
        output_tokens=counted.output_tokens,
        output_tokens_details=wire.OutputDetails(reasoning_tokens=counted.reasoning_tokens),
        total_tokens=prompt + counted.output_tokens,
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
