"""Errors, worded for a caller of the native API."""

import msgspec

from ainfera_server.conversation import Json
from ainfera_server.dialects.native import wire
from ainfera_server.dialects.openai_chat import error_writer, failure_reader
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    Invalid,
    Malformed,
    NotFound,
    ProviderFailed,
    Unauthenticated,
)

UPSTREAM_CHARACTERS_MAX = 2_000
NAMES_AT_THE_TOP = ("model", "provider", "backend", "hint")
"""Facts that clients look for beside `error` rather than inside `detail`."""


def error_answer(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer."""
    at_the_top = {name: error.facts[name] for name in NAMES_AT_THE_TOP if name in error.facts}
    body = wire.Error(
        error=error.code,
        code=error.code,
        message=error.sentence,
        reason=error.reason if isinstance(error, CapExceeded) else None,
        detail=_detail(error, request_id),
        **at_the_top,
    )
    return ErrorAnswer(
        status=_status(error),
        body=msgspec.json.encode(body),
        headers=error_writer.steering_headers(error),
    )


def _status(error: AinferaError) -> int:
    """The status; what cannot be read is a 422 here, as FastAPI answers it."""
    if error_writer.is_timeout(error):
        return 504
    return Invalid.status if isinstance(error, Malformed) else error.status


def _detail(
    error: AinferaError, request_id: str
) -> str | tuple[wire.FieldError, ...] | dict[str, Json]:
    match error:
        case Unauthenticated() | NotFound():
            return error.sentence
        case Malformed() | Invalid():
            place, kind = _place(error), "value_error"
            if isinstance(error, Malformed) and len(place) == 1:
                kind = "json_invalid"
            return (wire.FieldError(loc=place, msg=error.sentence, type=kind),)
        case ProviderFailed():
            told = error_writer.detail(error, request_id=request_id)
            return {**told, "upstream_body": _upstream_body(error)}
        case _:
            return error_writer.detail(error, request_id=request_id)


def _place(error: Malformed | Invalid) -> tuple[str | int, ...]:
    """`messages.0.content` as FastAPI writes it, positions as numbers."""
    param = error.facts.get("param")
    names = param.split(".") if isinstance(param, str) else []
    return ("body", *(int(one) if one.isdecimal() else one for one in names))


def _upstream_body(error: ProviderFailed) -> str | None:
    """What the provider said; about our own credential it is nobody's business."""
    if error.reason == "credential_refused" or not error.upstream_body:
        return None
    text = error.upstream_body.decode("utf-8", "replace")
    return failure_reader.without_keys(text, characters_max=UPSTREAM_CHARACTERS_MAX)
