"""Words for how a call broke: what the HTTP client says, as the one error that callers know."""

import asyncio

import aiohttp
from aiohttp import http_exceptions

from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.providers.provider import Endpoint

KINDS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""Everything that aiohttp and our own deadlines raise when a call breaks."""

NOTE_LENGTH_MAX = 300


def failure(endpoint: Endpoint, error: BaseException) -> ProviderFailed:
    """What went wrong: a sentence for callers, and a note for whoever reads the log.

    The note cannot hold the credential, which is cut out of it.
    """
    reason, sentence = _verdict(error)
    failed = ProviderFailed(f"{endpoint.provider.display_name} {sentence}.", reason=reason)
    failed.add_note(_note(endpoint, error))
    return failed


def redirected(endpoint: Endpoint, status: int) -> ProviderFailed:
    """A redirect is never followed: it would carry the credential to a place we do not know."""
    return _malformed(endpoint, "answered with a redirect, which is not followed", status)


def too_large(endpoint: Endpoint, status: int) -> ProviderFailed:
    """Whatever it is, it is no answer, and it would fill the memory."""
    return _malformed(endpoint, "answered with more bytes than any answer has", status)


def wrong_content(endpoint: Endpoint, status: int, content_type: str) -> ProviderFailed:
    """An error page of a proxy, most often; its text is not for callers."""
    failed = _malformed(endpoint, "answered with something that is not an answer", status)
    failed.add_note(f"The content type was {content_type!r}."[:NOTE_LENGTH_MAX])
    return failed


def empty(endpoint: Endpoint, status: int) -> ProviderFailed:
    """A success without a body, which some proxies make of a failure."""
    return _malformed(endpoint, "answered with nothing", status)


def _malformed(endpoint: Endpoint, sentence: str, status: int) -> ProviderFailed:
    return ProviderFailed(
        f"{endpoint.provider.display_name} {sentence}.",
        reason="malformed",
        upstream_status=status,
    )


def _verdict(error: BaseException) -> tuple[FailureReason, str]:
    """The order matters: a connection that times out is both a timeout and not a connection."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return "unreachable", "did not take a connection in time"
        case aiohttp.ClientSSLError():
            return "unreachable", "could not prove who it is: its certificate is not trusted"
        case aiohttp.ClientConnectorError():
            return "unreachable", "cannot be reached"
        case TimeoutError():
            return "timeout", "did not answer in time"
        case aiohttp.ClientResponseError():
            return "malformed", "does not speak HTTP"
        case aiohttp.ClientPayloadError() if _is_badly_packed(error):
            return "malformed", "answered with a body that cannot be unpacked"
        case _:
            return "incomplete", "closed the connection before its answer was complete"


def _is_badly_packed(error: BaseException) -> bool:
    return isinstance(error.__cause__, http_exceptions.ContentEncodingError)


def _note(endpoint: Endpoint, error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    key = endpoint.api_key.revealed()
    shown = text.replace(key, str(endpoint.api_key)) if key else text
    return shown[:NOTE_LENGTH_MAX]
