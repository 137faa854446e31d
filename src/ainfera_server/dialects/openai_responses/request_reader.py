"""A request as our callers write it, read into a conversation."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from ainfera_server.conversation import JsonText, Message, Request, Text
from ainfera_server.dialects import ranges, strict_json, wishes
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.dialects.openai_responses import asked_wire, item_reader, tool_reader, wire
from ainfera_server.errors import Invalid, Malformed


def request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`.

    What OpenAI alone understands is no mistake, for it travels in the body. Only what would have
    to be kept between calls is refused, whoever is asked.
    """
    fields = strict_json.fields(body)
    _refuse_what_is_kept(fields)
    asked = strict_json.read(body, asked_wire.ResponsesRequest)
    _check_limits(asked)
    left = LeftBehind()
    for name in fields:
        if name not in asked_wire.UNDERSTOOD:
            left.note_field(name)
    _note_what_is_not_done(asked, left)
    said = item_reader.messages(asked.input, left)
    return Request(
        dialect="openai_responses",
        body=body,
        model=asked.model,
        messages=(*_instructions(asked.instructions), *said),
        tools=tuple(tool_reader.tools(asked.tools or (), left)),
        tool_choice=tool_reader.tool_choice(asked.tool_choice, left),
        parallel_tool_calls=asked.parallel_tool_calls,
        max_tokens=asked.max_output_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        response_format=_response_format(asked.text, left),
        stream=asked.stream or False,
        stream_includes_usage=True,
        wishes=wishes.read(
            agent_id=asked.agent_id,
            task_type=asked.task_type,
            routing_hint=asked.routing_hint,
            caps=asked.caps,
        ),
        fields_not_understood=left.fields,
        parts_not_understood=left.parts,
    )


def _refuse_what_is_kept(fields: Mapping[str, Raw]) -> None:
    """Nothing is kept between calls, neither here nor, in our name, at a provider."""
    for name, instead in asked_wire.KEPT_BY_THE_VENDOR.items():
        if bytes(fields.get(name, b"null")) != b"null":
            raise Malformed(
                f"`{name}` names something that would have to be kept between calls, and nothing"
                f" is. {instead}",
                param=name,
            )


def _check_limits(asked: asked_wire.ResponsesRequest) -> None:
    ranges.check_model(asked.model)
    ranges.check_limit(asked_wire.LIMIT_FIELD, asked.max_output_tokens)
    ranges.check_sampling(temperature=asked.temperature, top_p=asked.top_p, top_k=None)
    if not asked.input:
        raise Invalid("`input` holds a text or at least one item.", param=asked_wire.INPUT_FIELD)
    if asked.background:
        raise Malformed(
            "`background` cannot be true: nothing is kept that could be asked for later. Leave it"
            " out, and stream the answer if it takes long.",
            param=asked_wire.BACKGROUND_FIELD,
        )


def _note_what_is_not_done(asked: asked_wire.ResponsesRequest, left: LeftBehind) -> None:
    """Answers are not stored, and of what can be included only reasoning always is."""
    if asked.store:
        left.note_field(asked_wire.STORE_FIELD)
    if set(asked.include or ()) - {asked_wire.ENCRYPTED_REASONING}:
        left.note_field(asked_wire.INCLUDE_FIELD)


def _instructions(said: str | None) -> Iterator[Message]:
    if said:
        yield Message(role="system", parts=(Text(text=said),))


def _response_format(raw: Raw, left: LeftBehind) -> JsonText | None:
    """The format of the answer, as chat completions nest it; text is what goes without saying."""
    if bytes(raw) in {b"", b"null"}:
        return None
    config = strict_json.read(raw, asked_wire.TextConfig, place="text")
    for name, value in msgspec.json.decode(raw, type=dict[str, Raw]).items():
        if name != asked_wire.FORMAT_NAME and bytes(value) != b"null":
            left.note_field(f"text.{name}")
    asked = config.format
    if asked is None or asked.type == "text":
        return None
    if asked.type != "json_schema":
        return JsonText(msgspec.json.encode(wire.ChatFormat(type=asked.type)))
    if not asked.name or not bytes(asked.schema).startswith(b"{"):
        raise Invalid(
            "`text.format` of type `json_schema` has a `name` and a `schema`, an object.",
            param="text.format",
        )
    schema = wire.ChatSchema(
        name=asked.name,
        schema=asked.schema,
        description=asked.description,
        strict=asked.strict,
    )
    return JsonText(msgspec.json.encode(wire.ChatFormat(type=asked.type, json_schema=schema)))
