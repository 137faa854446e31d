"""Whole answers of the Responses API, read into a conversation."""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from ainfera_server.conversation import FinishReason, Reply, Text, Thinking, ToolCall, Usage
from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_responses import failure_reader, reasoning, wire
from ainfera_server.errors import ProviderFailed

TOKENS_MAX = 1_000_000_000
"""No answer counts more; a number beyond it is garbage."""

CUSTOM_CALL = "custom_tool_call"
CALLS = frozenset({"function_call", CUSTOM_CALL})
"""Calls that the caller answers.

What a custom tool is handed is no JSON. Only a caller of this dialect can have offered one, so its
call goes on as it came, and is no more than counted here.
"""

NOTHING_THOUGHT = Thinking(text="")

INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
}


def reply(body: bytes) -> Reply:
    """Read a whole answer. Raises ProviderFailed."""
    try:
        found = msgspec.json.decode(body, type=wire.Response)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failures.malformed(f"{error}") from None
    parts = tuple(part for item in found.output for part in _parts(item))
    called_tools = any(isinstance(one, ToolCall) for one in parts)
    reason, native = finish_reason(found, called_tools=called_tools)
    return Reply(
        reply_id=found.id,
        model=found.model,
        parts=parts,
        finish_reason=reason,
        finish_reason_native=native,
        usage=usage(found.usage),
    )


def finish_reason(found: wire.Response, *, called_tools: bool) -> tuple[FinishReason, str]:
    """Why the answer ended, in our words and the vendor's. Raises ProviderFailed if it did not."""
    match found.status:
        case "completed":
            return ("tool_calls" if called_tools else "stop"), "completed"
        case "incomplete":
            details = found.incomplete_details or wire.IncompleteDetails()
            native = details.reason or "incomplete"
            return INCOMPLETE.get(native, "stop"), native
        case "failed":
            raise failure_reader.reported(found.error)
        case status:
            raise ProviderFailed(
                f"The provider's answer is {status!r} and not complete.", reason="incomplete"
            )


def usage(raw: Raw) -> Usage | None:
    """Tokens, each counted once; None when the vendor counted none, or what cannot be.

    The vendor's `input_tokens` include what was read from a cache or written to one.
    """
    counted = _counted(raw)
    if counted.input_tokens is None or counted.output_tokens is None:
        return None
    given = counted.input_tokens_details or wire.InputDetails()
    made = counted.output_tokens_details or wire.OutputDetails()
    cached, written = given.cached_tokens or 0, given.cache_write_tokens or 0
    fresh = counted.input_tokens - cached - written
    counts = (fresh, cached, written, counted.output_tokens, made.reasoning_tokens or 0)
    if not all(0 <= one <= TOKENS_MAX for one in counts):
        return None
    return Usage(
        input_tokens=fresh,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=counted.output_tokens,
        reasoning_tokens=min(made.reasoning_tokens or 0, counted.output_tokens),
    )


def _counted(raw: Raw) -> wire.Usage:
    """The counts as they were given; nothing when they are not even numbers."""
    if bytes(raw) in {b"", b"null"}:
        return wire.Usage()
    try:
        return msgspec.json.decode(raw, type=wire.Usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wire.Usage()


def call(item: wire.SaidItem) -> ToolCall:
    """A call of a function. Raises ProviderFailed when it has no name."""
    if not item.call_id or not item.name:
        raise failures.malformed("a function call has no name or no call_id")
    return ToolCall(call_id=item.call_id, name=item.name, arguments=item_arguments(item) or "{}")


def item_arguments(item: wire.SaidItem) -> str:
    """What a call hands over, as text; other items have arguments that are no text."""
    raw = bytes(item.input if item.type == CUSTOM_CALL else item.arguments)
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else ""


def _parts(item: wire.SaidItem) -> Iterator[Text | ToolCall | Thinking]:
    match item.type:
        case "message":
            for one in item.content or ():
                words = one.text or one.refusal
                if words:
                    yield Text(text=words)
        case "reasoning":
            thought = reasoning.thinking(item)
            if thought != NOTHING_THOUGHT:
                yield thought
        case kind if kind in CALLS:
            yield call(item)
        case _:
            # Tools that the vendor runs by itself; nobody asked for them here.
            pass
