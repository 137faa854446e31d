"""Whole answers as vendors of this dialect write them, read into a conversation."""

from collections.abc import Iterable, Mapping

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
from ainfera_server.dialects.anthropic_messages import failure_reader, wire
from ainfera_server.errors import ProviderFailed

FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

AnswerBlock = wire.TextBlock | wire.ToolUseBlock | wire.ThinkingBlock | wire.RedactedThinkingBlock

_ANSWER_BLOCKS: Mapping[str, type[AnswerBlock]] = {
    "text": wire.TextBlock,
    "tool_use": wire.ToolUseBlock,
    "thinking": wire.ThinkingBlock,
    "redacted_thinking": wire.RedactedThinkingBlock,
}


def reply(body: bytes) -> Reply:
    """Read a whole answer. Raises ProviderFailed."""
    try:
        if msgspec.json.decode(body, type=wire.Typed).type == wire.ERROR_EVENT:
            raise failure_reader.reported(body)
        answer = msgspec.json.decode(body, type=wire.Answer)
        parts = tuple(_parts(answer.content))
        searched = sum(found is not None for found in map(search_result, answer.content))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failures.malformed(f"{error}") from None
    return Reply(
        reply_id=answer.id,
        model=answer.model,
        parts=parts,
        finish_reason=finish_reason(answer.stop_reason),
        finish_reason_native=answer.stop_reason,
        usage=usage(answer.usage, searched=searched),
        stop_sequence=answer.stop_sequence,
        web_searches=searched,
    )


def block(raw: Raw) -> AnswerBlock | None:
    """A block of an answer; None when no conversation has a word for it.

    Raises msgspec's errors.
    """
    form = _ANSWER_BLOCKS.get(msgspec.json.decode(raw, type=wire.Typed).type)
    return None if form is None else msgspec.json.decode(raw, type=form)


def finish_reason(native: str | None) -> FinishReason:
    """Why the answer ended; a reason that is new to us is an end like any other."""
    if native is None:
        raise ProviderFailed("The provider's answer ended without a reason.", reason="incomplete")
    return FINISH_REASONS.get(native, "stop")


def search_result(raw: Raw) -> Raw | None:
    """What a search of the web found; None for any other block and for a search that failed.

    A search that failed costs nothing, says the vendor. Raises msgspec's errors.
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
    """
    if msgspec.json.decode(raw, type=wire.Typed).type != wire.SEARCH_RESULT:
        return None
    found = msgspec.json.decode(raw, type=wire.SearchResult).content
    return found if bytes(found).startswith(b"[") else None


def usage(given: Raw, *, searched: int) -> Usage | None:
    """Tokens, each counted once; None when the vendor counted none, or what cannot be."""
    try:
        counted = msgspec.json.decode(given, type=wire.Usage) if bytes(given) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if counted is None else usage_of(counted, searched=searched)


def usage_of(counted: wire.Usage, *, searched: int) -> Usage | None:
    """The same of counts that were read; `searched` is how many searches the answer shows."""
    if counted.input_tokens is None or counted.output_tokens is None:
        return None
    output = counted.output_tokens
    created = counted.cache_creation or wire.CacheCreation()
    for_an_hour = created.ephemeral_1h_input_tokens or 0
    written = counted.cache_creation_input_tokens
    if written is None:
        written = (created.ephemeral_5m_input_tokens or 0) + for_an_hour
    if for_an_hour > written:
        return None
    details = counted.output_tokens_details
    thinking = (details.thinking_tokens or 0) if details is not None else 0
    ran = counted.server_tool_use
    searches = None if ran is None else ran.web_search_requests
    return Usage(
        input_tokens=counted.input_tokens,
        cache_read_tokens=counted.cache_read_input_tokens or 0,
        cache_write_tokens=written - for_an_hour,
        cache_write_1h_tokens=for_an_hour,
        output_tokens=output,
        # The vendor says that this count may be off by a few tokens.
        reasoning_tokens=min(thinking, output),
        web_searches=searched if searches is None else searches,
    )


def arguments(raw: Raw) -> str:
    """The text of a tool call's arguments. Raises ProviderFailed when they are no object."""
    text = bytes(raw)
    if not text.startswith(b"{"):
        raise failures.malformed("the input of a tool call is not an object")
    return text.decode()


def _parts(content: Iterable[Raw]) -> Iterable[Text | ToolCall | Thinking]:
    for raw in content:
        match block(raw):
            case None:
                pass
            case wire.TextBlock(text=text):
                yield Text(text=text)
            case wire.ToolUseBlock(id=call_id, name=name, input=given):
                yield ToolCall(call_id=call_id, name=name, arguments=arguments(given))
            case wire.ThinkingBlock(thinking=text, signature=signature):
                yield Thinking(text=text, signature=signature or None)
            case wire.RedactedThinkingBlock(data=data):
                yield Thinking(text="", redacted=data)
