"""Errors, worded for a caller of the native API."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ainfera_server.conversation import Json
from ainfera_server.dialects import scrubbing, telling
from ainfera_server.dialects.native import wire
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A value that cannot be: where it stands, `("body", "messages", 0)`, and what is wrong."""

    place: tuple[str | int, ...]
    sentence: str
    kind: str


def mistakes_answer(error: Invalid, mistakes: Sequence[Mistake]) -> ErrorAnswer:
    """Word a refusal that knows of several mistakes, each with its place, as FastAPI lists them."""
    body = wire.Error(
        error=error.code, code=error.code, message=error.sentence, detail=_field_errors(mistakes)
    )
    return ErrorAnswer(
        status=error.status, body=msgspec.json.encode(body), headers=telling.steering(error)
    )


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
        headers=telling.steering(error),
    )


def _status(error: AinferaError) -> int:
    """The status; a provider that was too slow has one of its own."""
    match error:
        case ProviderFailed(reason="timeout"):
            return 504
        case _:
            return error.status


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
            return _field_errors([Mistake(place=place, sentence=error.sentence, kind=kind)])
        case ProviderFailed():
            told = telling.detail(error, request_id=request_id)
            return {**told, "upstream_body": _upstream_body(error)}
        case _:
            return telling.detail(error, request_id=request_id)


def _field_errors(mistakes: Sequence[Mistake]) -> tuple[wire.FieldError, ...]:
    return tuple(
        wire.FieldError(loc=one.place, msg=one.sentence, type=one.kind) for one in mistakes
    )


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
    return scrubbing.without_secrets(text, characters_max=UPSTREAM_CHARACTERS_MAX)
