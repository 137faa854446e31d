"""A request of this dialect, made ready for a provider that speaks it too."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Request
from ainfera_server.dialects import carrying, wishes
from ainfera_server.dialects.openai_responses import asked_wire as wire
from ainfera_server.dialects.openai_responses import reasoning, tool_reader


def adapted(request: Request, *, model: str, max_tokens: int) -> bytes:
    """The body; every value that we do not set keeps its bytes. Raises NotCarried."""
    fields = msgspec.json.decode(request.body, type=dict[str, Raw])
    _refuse_unpriced(request, fields)
    for name in wishes.FIELDS:
        fields.pop(name, None)
    fields[wire.MODEL_FIELD] = Raw(msgspec.json.encode(model))
    if request.max_tokens is None:
        fields[wire.LIMIT_FIELD] = Raw(msgspec.json.encode(max_tokens))
    _have_nothing_stored(fields)
    if reasoning.is_in(request):
        fields[wire.INPUT_FIELD] = reasoning.without_sealed(fields[wire.INPUT_FIELD])
    return msgspec.json.encode(fields)


def _refuse_unpriced(request: Request, fields: Mapping[str, Raw]) -> None:
    inside = {
        f"{name}.{inner}": value
        for name in wire.PRICED_INSIDE
        for inner, value in _object(fields.get(name, wire.NOTHING)).items()
    }
    carrying.refuse_unpriced({**fields, **inside}, wire.PRICED_AS_LISTED)
    if tool_reader.OFFLINE_SEARCH in request.fields_not_understood:
        raise carrying.unpriced(tool_reader.OFFLINE_SEARCH)


def _have_nothing_stored(fields: dict[str, Raw]) -> None:
    """Have the provider store nothing, for it would be stored in our account and not the caller's.

    Nobody but the provider can then give reasoning back to it, so it comes along encrypted, as it
    does for callers who say by themselves that nothing is to be stored.
    """
    if bytes(fields.get(wire.STORE_FIELD, wire.NOTHING)) == b"false":
        return
    fields[wire.STORE_FIELD] = Raw(b"false")
    included = msgspec.json.decode(
        fields.get(wire.INCLUDE_FIELD, Raw(b"null")), type=tuple[str, ...] | None
    )
    if wire.ENCRYPTED_REASONING not in (included or ()):
        wanted = (*(included or ()), wire.ENCRYPTED_REASONING)
        fields[wire.INCLUDE_FIELD] = Raw(msgspec.json.encode(wanted))


def _object(raw: Raw) -> Mapping[str, Raw]:
    """The fields of an object; none of what is no object, which is for the provider to refuse."""
    return msgspec.json.decode(raw, type=dict[str, Raw]) if bytes(raw).startswith(b"{") else {}
