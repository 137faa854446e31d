"""Answers as vendors of this dialect write them, whole or in chunks, read into a conversation."""

import msgspec
from msgspec import Raw

from ainfera_server.conversation import (
    FinishReason,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_chat import failure_reader, wire
from ainfera_server.errors import ProviderFailed

TOKENS_MAX = 1_000_000_000
"""No answer counts more; a number beyond it is garbage."""

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "eos": "stop",  # Together.
    "model_length": "length",  # Mistral: the window was full before the limit was reached.
}

_ANSWER = msgspec.json.Decoder(wire.Answer)


def answer(body: bytes) -> wire.Answer:
    """A whole answer or a chunk. Raises ProviderFailed when it is neither, or an error."""
    try:
        found = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failures.malformed(f"{error}") from None
    if bytes(found.error) not in {b"", b"null"}:
        raise failure_reader.reported(body)
    return found


def reply(body: bytes) -> Reply:
    """Read a whole answer. Raises ProviderFailed."""
    found = answer(body)
    choice = next(iter(found.choices or ()), None)
    if choice is None or choice.message is None:
        raise failures.malformed("it holds no choice with a message")
    reply_id = found.id or ""
    thinking, text = thinking_of(choice.message), text_of(choice.message)
    calls = tuple(
        _tool_call(one, reply_id, at) for at, one in enumerate(choice.message.tool_calls or ())
    )
    parts: list[Text | ToolCall | Thinking] = []
    if thinking:
        parts.append(Thinking(text=thinking))
    if text:
        parts.append(Text(text=text))
    return Reply(
        reply_id=reply_id,
        model=found.model or "",
        parts=(*parts, *calls),
        finish_reason=finish_reason(choice.finish_reason, called_tools=bool(calls)),
        finish_reason_native=choice.finish_reason,
        usage=usage(found.usage),
    )


def thinking_of(said: wire.Said) -> str:
    """The reasoning, under whichever name the vendor gives it."""
    if said.reasoning_content:
        return said.reasoning_content
    reasoning = bytes(said.reasoning)
    if reasoning.startswith(b'"'):
        return msgspec.json.decode(reasoning, type=str)
    if isinstance(said.content, tuple):
        chunks = [one.thinking or () for one in said.content]
        return "".join(inner.text or "" for outer in chunks for inner in outer)
    return ""


def text_of(said: wire.Said) -> str:
    """The words; a refusal is what the model says in place of an answer."""
    content = said.content or ""
    if not isinstance(content, str):
        content = "".join(one.text or "" for one in content)
    return content + (said.refusal or "")


def arguments_of(function: wire.SaidFunction) -> str:
    """The arguments as JSON text; Mistral says that it may send the object itself."""
    raw = bytes(function.arguments)
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return "" if raw in {b"", b"null"} else raw.decode()


def call_id_of(given: str | None, reply_id: str, position: int) -> str:
    """The call's id; some vendors give none, and an answer to the call has to name it."""
    return given or f"call_{reply_id}_{position}"


def finish_reason(native: str | None, *, called_tools: bool) -> FinishReason:
    """Why the answer ended. Raises ProviderFailed when it did not.

    A few vendors say `stop` beside tool calls, and callers of other dialects would not run them.
    """
    if native is None:
        raise ProviderFailed("The provider's answer ended without a reason.", reason="incomplete")
    if native == "error":
        raise ProviderFailed("The provider broke off with an error.", reason="unavailable")
    reason = FINISH_REASONS.get(native, "stop")
    return "tool_calls" if called_tools and reason == "stop" else reason


def usage(given: Raw) -> Usage | None:
    """Tokens, each counted once; None when the vendor counted none, or what cannot be.

    OpenAI's `completion_tokens` includes reasoning. xAI and Gemini leave it out of there and
    count it in the total alone, so that what the total has beyond both is output.
    """
    counted = _counted(given)
    if counted.prompt_tokens is None or counted.completion_tokens is None:
        return None
    prompt = counted.prompt_tokens_details or wire.PromptDetails()
    completion = counted.completion_tokens_details or wire.CompletionDetails()
    cached, written = prompt.cached_tokens or 0, prompt.cache_write_tokens or 0
    reasoning = completion.reasoning_tokens or 0
    total = counted.total_tokens or 0
    fresh = counted.prompt_tokens - cached - written
    counts = (fresh, cached, written, counted.completion_tokens, reasoning, total)
    if not all(0 <= one <= TOKENS_MAX for one in counts):
        return None
    apart = max(total - counted.prompt_tokens - counted.completion_tokens, 0)
    output = counted.completion_tokens + apart
    return Usage(
        input_tokens=fresh,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=min(max(reasoning, apart), output),
    )


def _counted(given: Raw) -> wire.Usage:
    """The counts as they were given; nothing when they are not even numbers."""
    if bytes(given) in {b"", b"null"}:
        return wire.Usage()
    try:
        return msgspec.json.decode(given, type=wire.Usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wire.Usage()


def _tool_call(said: wire.SaidToolCall, reply_id: str, position: int) -> ToolCall:
    if said.function is None or not said.function.name:
        raise failures.malformed("a tool call has no name")
    return ToolCall(
        call_id=call_id_of(said.id, reply_id, position),
        name=said.function.name,
        arguments=arguments_of(said.function) or "{}",
    )


def is_usage_alone(found: wire.Answer) -> bool:
    """Whether this is the chunk that only a caller who asked for it expects."""
    return found.choices == () and bytes(found.usage) not in {b"", b"null"}


def raw_fields(body: bytes) -> dict[str, Raw]:
    """The fields of a whole answer with their bytes. Raises ProviderFailed."""
    try:
        return msgspec.json.decode(body, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failures.malformed(f"{error}") from None
