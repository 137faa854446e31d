"""A conversation, written as a request that the Messages API understands."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from ainfera_server.conversation import (
    Image,
    Message,
    Part,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ainfera_server.dialects import carrying, signatures
from ainfera_server.dialects.anthropic_messages import asked_wire, wire
from ainfera_server.errors import Invalid

TEMPERATURE_MAX = 1.0
"""Anthropic's own translation of OpenAI's requests caps what is above it.

https://platform.claude.com/docs/en/api/openai-sdk
"""

NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
"""Anthropic wants every schema to say that it is an object."""


def request(asked: Request, *, model: str, max_tokens: int) -> bytes:
    """Write a request that came in another dialect. Raises NotCarried or Invalid.

    `seed` stays behind: it promises nothing in the dialects that have it. A response format
    that names no schema does too, for the Messages API has no word for it.
    """
    carrying.refuse_lost_parts(asked)
    system, said = _without_opening_system(asked.messages)
    tools = tuple(_tool(one) for one in asked.tools) or None
    temperature = asked.temperature
    return msgspec.json.encode(
        wire.WrittenRequest(
            model=model,
            max_tokens=max_tokens,
            messages=_messages(said, first=len(asked.messages) - len(said)),
            system=_system(system),
            tools=tools,
            tool_choice=_tool_choice(asked) if tools else None,
            stop_sequences=asked.stop or None,
            temperature=None if temperature is None else min(temperature, TEMPERATURE_MAX),
            top_p=asked.top_p,
            top_k=asked.top_k,
            output_config=_output_config(asked),
            stream=True if asked.stream else None,
        )
    )


def _without_opening_system(
    messages: Sequence[Message],
) -> tuple[Sequence[Message], Sequence[Message]]:
    """The system messages that open a conversation, and the rest of it.

    The Messages API wants at least one message, so a conversation of nothing else is all rest.
    """
    opening = 0
    while opening < len(messages) and messages[opening].role == "system":
        opening += 1
    if opening == len(messages):
        return (), messages
    return messages[:opening], messages[opening:]


def _system(messages: Iterable[Message]) -> str | tuple[wire.TextBlock, ...] | None:
    texts = [
        text for at, one in enumerate(messages) for text in _texts(one.parts, f"messages.{at}")
    ]
    if len(texts) == 1:
        return texts[0]
    return tuple(wire.TextBlock(text=text) for text in texts) or None


def _texts(parts: Iterable[Part], place: str) -> list[str]:
    texts: list[str] = []
    for part in parts:
        if not isinstance(part, Text):
            raise carrying.not_carried("A system message takes text alone.", place)
        if part.text:
            texts.append(part.text)
    return texts


def _messages(said: Sequence[Message], *, first: int) -> tuple[wire.WrittenMessage, ...]:
    """The messages; answers of tools that follow each other are one message of the user's.

    The Messages API refuses results that come one by one, and messages without content.
    """
    written: list[wire.WrittenMessage] = []
    results: list[wire.Block] = []
    for position, message in enumerate(said, start=first):
        place = f"messages.{position}"
        if message.role == "tool":
            results += _blocks(message.parts, place)
            continue
        if results:
            written.append(wire.WrittenMessage(role="user", content=tuple(results)))
            results = []
        content = _content(message, place)
        if content:
            role = "assistant" if message.role == "assistant" else "user"
            written.append(wire.WrittenMessage(role=role, content=content))
    if results:
        written.append(wire.WrittenMessage(role="user", content=tuple(results)))
    return tuple(written)


def _content(message: Message, place: str) -> str | tuple[wire.Block, ...]:
    if message.role == "system":
        # Not every model takes a system message here, and every one reads what the user says.
        texts = _texts(message.parts, place)
        return "\n".join(("<system>", *texts, "</system>")) if texts else ""
    return _shortest(_blocks(message.parts, place))


def _shortest(blocks: list[wire.Block]) -> str | tuple[wire.Block, ...]:
    match blocks:
        case [wire.TextBlock(text=text)]:
            return text
        case _:
            return tuple(blocks)


def _blocks(parts: Iterable[Part], place: str) -> list[wire.Block]:
    blocks = (_block(part, f"{place}.content.{at}") for at, part in enumerate(parts))
    return [block for block in blocks if block is not None]


def _block(part: Part, place: str) -> wire.Block | None:
    """One part; None for empty text and for reasoning that Anthropic did not sign.

    Anthropic refuses both.
    """
    match part:
        case Text(text=text):
            return wire.TextBlock(text=text) if text else None
        case Image():
            return _image(part, place)
        case ToolCall(call_id=call_id, name=name, arguments=arguments):
            arguments_object = _object(arguments, place)
            return wire.ToolUseBlock(id=call_id, name=name, input=arguments_object)
        case ToolResult():
            return _tool_result(part, place)
        case Thinking() if not signatures.is_signed_by("anthropic_messages", part):
            return None
        case Thinking(redacted=str(data)):
            return wire.RedactedThinkingBlock(data=data)
        case Thinking(text=text, signature=signature):
            assert signature is not None, "what Anthropic signed has a signature"
            return wire.ThinkingBlock(thinking=text, signature=signature)


def _image(part: Image, place: str) -> wire.ImageBlock:
    if part.url is not None:
        return wire.ImageBlock(source=wire.UrlSource(url=part.url))
    if part.media_type is None or part.data is None:
        raise carrying.not_carried("The image has neither an address nor content.", place)
    source = wire.Base64Source(media_type=part.media_type, data=part.data)
    return wire.ImageBlock(source=source)


def _object(arguments: str, place: str) -> Raw:
    """The arguments' own bytes; models write nothing at all for a tool that takes none."""
    text = arguments.strip().encode()
    if not text:
        return wire.EMPTY_OBJECT
    try:
        msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        sentence = f"The arguments of `{place}` are not the text of a JSON object."
        raise Invalid(sentence, param=place) from None
    return Raw(text)


def _tool_result(result: ToolResult, place: str) -> wire.ToolResultBlock:
    content = _shortest(_blocks(result.parts, place))
    return wire.ToolResultBlock(
        tool_use_id=result.call_id,
        content=content if isinstance(content, str) else _raw_blocks(content),
        is_error=True if result.is_error else None,
    )


def _raw_blocks(blocks: Iterable[wire.Block]) -> tuple[Raw, ...] | None:
    return tuple(Raw(msgspec.json.encode(block)) for block in blocks) or None


def _tool(tool: Tool) -> asked_wire.Tool:
    schema = Raw(tool.parameters)
    is_empty = not msgspec.json.decode(schema, type=dict[str, Raw])
    return asked_wire.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=NO_PARAMETERS if is_empty else schema,
    )


def _tool_choice(asked: Request) -> wire.ToolChoice | None:
    disables = None if asked.parallel_tool_calls is None else not asked.parallel_tool_calls
    match asked.tool_choice:
        case None:
            if not disables:
                return None
            return wire.ToolChoice(type="auto", disable_parallel_tool_use=True)
        case ToolChoice(mode="none"):
            return wire.ToolChoice(type="none")
        case ToolChoice(mode="named", name=name):
            assert name is not None, "a choice of mode named has a name"
            return wire.ToolChoice(type="tool", name=name, disable_parallel_tool_use=disables)
        case ToolChoice(mode="auto"):
            return wire.ToolChoice(type="auto", disable_parallel_tool_use=disables)
        case ToolChoice(mode="required"):
            return wire.ToolChoice(type="any", disable_parallel_tool_use=disables)
        case _:
            raise AssertionError("a tool choice has one of four modes")


def _output_config(asked: Request) -> wire.OutputConfig | None:
    if asked.response_format is None:
        return None
    try:
        wanted = msgspec.json.decode(asked.response_format, type=wire.ResponseFormat)
    except msgspec.ValidationError:
        sentence = "`response_format` has a `type`, and a schema where the type says so."
        raise Invalid(sentence, param="response_format") from None
    if wanted.type != "json_schema" or wanted.json_schema is None:
        return None
    return wire.OutputConfig(format=wire.JsonSchemaFormat(schema=wanted.json_schema.schema))
