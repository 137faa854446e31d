"""The names of Anthropic's errors, as the vendor writes them and as we do.

https://platform.claude.com/docs/en/api/errors
"""

from msgspec import Raw, Struct


class Error(Struct, frozen=True):
    type: str
    message: str
    details: Raw


class ErrorAnswer(Struct, frozen=True, tag_field="type", tag="error"):
    """What is wrong, in Anthropic's words, and beside them in ours."""

    error: Error
    request_id: str
    detail: Raw


class UpstreamError(Struct, frozen=True):
    type: str
    message: str


class UpstreamErrorAnswer(Struct, frozen=True, tag_field="type", tag="error"):
    """An error envelope of this dialect, as the vendor writes it."""

    error: UpstreamError


class ErrorDetails(Struct, frozen=True):
    error_code: str | None = None


class LooseError(Struct, frozen=True):
    type: str | None = None
    message: str | None = None
    details: Raw = Raw()


class LooseErrorAnswer(Struct, frozen=True):
    """Whatever a provider or something in front of it says went wrong."""

    error: LooseError | str | None = None
    message: str | None = None
