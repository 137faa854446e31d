"""What vendors send, byte for byte in shape: answers, streams and errors of three dialects.

Written from the vendors' published schemas and from nothing of ours, so that a mistake of ours
cannot hide by being made twice; `test_vendor_shapes.py` reads it all with the vendors' own SDKs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ainfera_server.conversation import ToolCall, Usage

CREATED = 1_780_000_000
DIALECTS = {
    "/v1/chat/completions": "openai_chat",
    "/v1/messages": "anthropic_messages",
    "/v1/responses": "openai_responses",
}

ANTHROPIC_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OPENAI_ERROR_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a model is made to say. `usage` None means that the vendor reports none."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage | None
    model: str
    finish: str
    """In the words of chat completions: stop, length, tool_calls or content_filter."""


def plain(dialect: str, told: Told) -> bytes:
    """The body of an answer that does not stream."""
    match dialect:
        case "openai_chat":
            return dump(chat_completion(told))
        case "anthropic_messages":
            return dump(anthropic_message(told))
        case _:
            return dump(openai_response(told, status="completed"))


def streamed(dialect: str, told: Told, *, includes_usage: bool) -> tuple[bytes, ...]:
    """The events of an answer that streams, each as its bytes."""
    match dialect:
        case "openai_chat":
            return tuple(chat_events(told, includes_usage=includes_usage))
        case "anthropic_messages":
            return tuple(anthropic_events(told))
        case _:
            return tuple(responses_events(told))


def error(dialect: str, *, status: int, message: str) -> bytes:
    """The body of an answer with an error status."""
    if dialect == "anthropic_messages":
        kind = ANTHROPIC_ERROR_TYPES.get(status, "api_error")
        told = {"type": "error", "error": {"type": kind, "message": message}}
        return dump({**told, "request_id": "req_scripted"})
    kind, code = OPENAI_ERROR_TYPES.get(status, ("server_error", None))
    return dump({"error": {"message": message, "type": kind, "param": None, "code": code}})


def error_event(dialect: str, *, message: str) -> bytes:
    """The error that a vendor puts into a stream which has begun."""
    match dialect:
        case "openai_chat":
            return event(json.loads(error(dialect, status=500, message=message)))
        case "anthropic_messages":
            return event(json.loads(error(dialect, status=529, message=message)), name="error")
        case _:
            told = {"type": "error", "code": "server_error", "message": message, "param": None}
            return event({**told, "sequence_number": 99}, name="error")


def chat_completion(told: Told) -> dict[str, object]:
    """https://platform.openai.com/docs/api-reference/chat/object ."""
    message: dict[str, object] = {"role": "assistant", "content": told.text or None}
    message["refusal"] = None
    if told.tool_calls:
        message["tool_calls"] = [chat_tool_call(call) for call in told.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": told.finish}
    body: dict[str, object] = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": CREATED,
        "model": told.model,
        "choices": [choice],
        "system_fingerprint": "fp_scripted",
    }
    return body if told.usage is None else {**body, "usage": chat_usage(told.usage)}


def chat_tool_call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}


def chat_usage(usage: Usage) -> dict[str, object]:
    """Here the prompt includes what was read from the cache, and the answer its reasoning."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def chat_events(told: Told, *, includes_usage: bool) -> Iterator[bytes]:
    """https://platform.openai.com/docs/api-reference/chat/streaming ."""
    head = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": CREATED}
    head |= {"model": told.model, "system_fingerprint": "fp_scripted"}
    no_usage = {"usage": None} if includes_usage else {}

    def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**head, "choices": [choice], **no_usage})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for word in words(told.text):
        yield chunk({"content": word})
    for index, call in enumerate(told.tool_calls):
        opening = chat_tool_call(ToolCall(call_id=call.call_id, name=call.name, arguments=""))
        yield chunk({"tool_calls": [{"index": index, **opening}]})
        for piece in pieces(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, told.finish)
    if includes_usage and told.usage is not None:
        yield event({**head, "choices": [], "usage": chat_usage(told.usage)})
    yield b"data: [DONE]\n\n"


def anthropic_message(told: Told) -> dict[str, object]:
    """https://platform.claude.com/docs/en/api/messages ."""
    content: list[dict[str, object]] = [{"type": "text", "text": told.text}] if told.text else []
    content += [anthropic_tool_use(call, json.loads(call.arguments)) for call in told.tool_calls]
    body: dict[str, object] = {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": told.model,
        "content": content,
        "stop_reason": stop_reason(told),
        "stop_sequence": None,
    }
    return body if told.usage is None else {**body, "usage": anthropic_usage(told.usage)}


def anthropic_tool_use(call: ToolCall, arguments: object) -> dict[str, object]:
    return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": arguments}


def anthropic_usage(usage: Usage) -> dict[str, object]:
    """Here the input leaves out what was read from or written to the cache."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }


def stop_reason(told: Told) -> str:
    return {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "refusal",
    }[told.finish]


def anthropic_events(told: Told) -> Iterator[bytes]:
    """https://platform.claude.com/docs/en/build-with-claude/streaming ."""
    message = {**anthropic_message(told), "content": [], "stop_reason": None}
    if told.usage is not None:
        message["usage"] = {**anthropic_usage(told.usage), "output_tokens": 1}
    yield typed({"type": "message_start", "message": message})
    yield typed({"type": "ping"})
    blocks: list[tuple[dict[str, object], Sequence[Mapping[str, object]]]] = []
    if told.text:
        deltas = [{"type": "text_delta", "text": word} for word in words(told.text)]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for call in told.tool_calls:
        deltas = [
            {"type": "input_json_delta", "partial_json": piece}
            for piece in ("", *pieces(call.arguments))
        ]
        blocks.append((anthropic_tool_use(call, {}), deltas))
    for index, (block, deltas) in enumerate(blocks):
        yield typed({"type": "content_block_start", "index": index, "content_block": block})
        for delta in deltas:
            yield typed({"type": "content_block_delta", "index": index, "delta": delta})
        yield typed({"type": "content_block_stop", "index": index})
    ending: dict[str, object] = {"type": "message_delta"}
    ending["delta"] = {"stop_reason": stop_reason(told), "stop_sequence": None}
    if told.usage is not None:
        ending["usage"] = {"output_tokens": told.usage.output_tokens}
    yield typed(ending)
    yield typed({"type": "message_stop"})


def openai_response(told: Told, *, status: str) -> dict[str, object]:
    """https://platform.openai.com/docs/api-reference/responses/object ."""
    is_cut = told.finish in {"length", "content_filter"} and status == "completed"
    reason = {"length": "max_output_tokens"}.get(told.finish, told.finish)
    body: dict[str, object] = {
        "id": "resp_scripted",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if is_cut else status,
        "error": None,
        "incomplete_details": {"reason": reason} if is_cut else None,
        "instructions": None,
        "metadata": {},
        "model": told.model,
        "output": response_items(told) if status == "completed" else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
    if told.usage is None or status != "completed":
        return body
    return {**body, "usage": response_usage(told.usage)}


def response_usage(usage: Usage) -> dict[str, object]:
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    cached = {"cached_tokens": usage.cache_read_tokens}
    return {
        "input_tokens": prompt,
        "input_tokens_details": {**cached, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": prompt + usage.output_tokens,
    }


def response_items(told: Told) -> list[dict[str, object]]:
    items = [response_message(told.text, status="completed")] if told.text else []
    return items + [
        response_call(call, index, status="completed") for index, call in enumerate(told.tool_calls)
    ]


def response_message(text: str, *, status: str) -> dict[str, object]:
    content = [response_text(text)] if status == "completed" else []
    head = {"id": "msg_scripted", "type": "message", "role": "assistant"}
    return {**head, "status": status, "content": content}


def response_text(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response_call(call: ToolCall, index: int, *, status: str) -> dict[str, object]:
    arguments = call.arguments if status == "completed" else ""
    head = {"id": f"fc_scripted_{index}", "type": "function_call", "status": status}
    return {**head, "call_id": call.call_id, "name": call.name, "arguments": arguments}


def responses_events(told: Told) -> Iterator[bytes]:
    """https://platform.openai.com/docs/api-reference/responses-streaming ."""
    whole = openai_response(told, status="completed")
    ending = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    opening = openai_response(told, status="in_progress")
    told_events: list[dict[str, object]] = [
        {"type": "response.created", "response": opening},
        {"type": "response.in_progress", "response": opening},
        *response_text_events(told.text),
    ]
    first = 1 if told.text else 0
    for index, call in enumerate(told.tool_calls):
        told_events += response_call_events(call, index, output_index=first + index)
    told_events.append({"type": ending, "response": whole})
    for number, one in enumerate(told_events):
        yield typed({**one, "sequence_number": number})


def response_text_events(text: str) -> list[dict[str, object]]:
    if not text:
        return []
    at: dict[str, object] = {"output_index": 0}
    inside = {**at, "item_id": "msg_scripted", "content_index": 0}
    adding = {**at, "item": response_message(text, status="in_progress")}
    return [
        {"type": "response.output_item.added", **adding},
        {"type": "response.content_part.added", **inside, "part": response_text("")},
        *(
            {"type": "response.output_text.delta", **inside, "delta": word, "logprobs": []}
            for word in words(text)
        ),
        {"type": "response.output_text.done", **inside, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **inside, "part": response_text(text)},
        {
            "type": "response.output_item.done",
            **at,
            "item": response_message(text, status="completed"),
        },
    ]


def response_call_events(
    call: ToolCall, index: int, *, output_index: int
) -> list[dict[str, object]]:
    at: dict[str, object] = {"output_index": output_index}
    inside = {**at, "item_id": f"fc_scripted_{index}"}
    name = "response.function_call_arguments"
    adding = {**at, "item": response_call(call, index, status="in_progress")}
    done = {**inside, "name": call.name, "arguments": call.arguments}
    return [
        {"type": "response.output_item.added", **adding},
        *({"type": f"{name}.delta", **inside, "delta": one} for one in pieces(call.arguments)),
        {"type": f"{name}.done", **done},
        {
            "type": "response.output_item.done",
            **at,
            "item": response_call(call, index, status="completed"),
        },
    ]


def words(text: str) -> Sequence[str]:
    """A text in the pieces in which a model says it."""
    return re.findall(r"\s*\S+|\s+$", text)


def pieces(arguments: str) -> Sequence[str]:
    """Arguments cut where no JSON reader would cut them."""
    return [arguments[start : start + 7] for start in range(0, len(arguments), 7)]


def typed(told: dict[str, object]) -> bytes:
    """An event whose name is the type of its data."""
    return event(told, name=str(told["type"]))


def event(told: object, *, name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + dump(told) + b"\n\n"


def dump(told: object) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
