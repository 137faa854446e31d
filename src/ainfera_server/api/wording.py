"""Errors as answers: each in the dialect of the path it happened on, and nothing of our insides."""

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from ainfera_server.api import client_shape
from ainfera_server.catalog.views import ModelShape
from ainfera_server.dialects.anthropic_messages import server as anthropic_messages
from ainfera_server.dialects.native import error_writer
from ainfera_server.dialects.native import server as native
from ainfera_server.dialects.native.error_writer import Mistake
from ainfera_server.dialects.openai_chat import server as openai_chat
from ainfera_server.dialects.openai_responses import server as openai_responses
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import AinferaError, Internal, Invalid, RequestError, Unauthenticated

MODELS_PATH = "/v1/models"
TEXT_CHARACTERS_MAX = 300
IN_HEADERS = ("inference_id", "decision_id", "receipt_id", "content_salt")
"""What an error names of the record: in its body, and in headers as an answer does."""


class ErrorWriter(Protocol):
    """The one thing that is needed here of a dialect's server side."""

    def encode_error(self, error: AinferaError, *, request_id: str) -> ErrorAnswer:
        """Word an error as an HTTP answer."""
        ...


BY_PATH: tuple[tuple[str, ErrorWriter], ...] = (
    ("/v1/messages", anthropic_messages),
    ("/v1/chat/completions", openai_chat),
    ("/v1/responses", openai_responses),
    ("/v1/embeddings", openai_chat),
)
BY_SHAPE: Mapping[ModelShape, ErrorWriter] = {
    "anthropic": anthropic_messages,
    "native": native,
    "openai": openai_chat,
}


def answer(problem: Exception, scope: Scope) -> ErrorAnswer:
    """Word whatever went wrong for whoever asked."""
    writer, request_id = _writer(scope), str(scope["state"]["request_id"])
    if isinstance(problem, RequestValidationError) and writer is native:
        worded = _validation(problem)
    else:
        worded = writer.encode_error(error_of(problem), request_id=request_id)
    headers = {"content-type": "application/json", **_recorded(problem), **worded.headers}
    if isinstance(problem, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    return ErrorAnswer(status=worded.status, body=worded.body, headers=headers)


def _recorded(problem: Exception) -> Mapping[str, str]:
    """Where to read on about a call that was recorded although it was not answered."""
    if not isinstance(problem, AinferaError):
        return {}
    return {
        f"x-ainfera-{name.replace('_', '-')}": value
        for name in IN_HEADERS
        if isinstance(value := problem.facts.get(name), str)
    }


def error_of(problem: Exception) -> AinferaError:
    """The error to tell: our own as it is, the framework's in our words, any other as Internal."""
    match problem:
        case AinferaError():
            return problem
        case RequestValidationError():
            first = _mistakes(problem)[0]
            param = ".".join(str(part) for part in first.place[1:])
            return Invalid(_sentence(first), param=param)
        case HTTPException():
            return RequestError("The request cannot be read.")
        case _:
            return Internal("Something broke on our side. The request id names it in our logs.")


def _writer(scope: Scope) -> ErrorWriter:
    path: str = scope["path"]
    if _is_under(path, MODELS_PATH):
        query: bytes = scope["query_string"]
        return BY_SHAPE[client_shape.of(Headers(scope=scope), query.decode("latin-1"))]
    return next((writer for prefix, writer in BY_PATH if _is_under(path, prefix)), native)


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _validation(problem: RequestValidationError) -> ErrorAnswer:
    """Every mistake with its place, as FastAPI lists them, and never the values that were sent."""
    mistakes = _mistakes(problem)
    return error_writer.mistakes_answer(Invalid(_sentence(mistakes[0])), mistakes)


def _mistakes(problem: RequestValidationError) -> list[Mistake]:
    found = cast("Sequence[Mapping[str, object]]", problem.errors())
    assert found, "what is refused has a mistake"
    return [
        Mistake(
            place=tuple(
                part if isinstance(part, int) else _shown(str(part))
                for part in cast("tuple[int | str, ...]", one["loc"])
            ),
            sentence=_shown(str(one["msg"])),
            kind=str(one["type"]),
        )
        for one in found
    ]


def _sentence(mistake: Mistake) -> str:
    place = ".".join(str(part) for part in mistake.place[1:]) or "The body"
    return f"{place}: {mistake.sentence}"


def _shown(text: str) -> str:
    """Text that can be shown: half characters cannot be written as UTF-8."""
    return text[:TEXT_CHARACTERS_MAX].encode("utf-8", "backslashreplace").decode()
