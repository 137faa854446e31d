"""Who looks at a page: a session is the caller's own key, sealed into a cookie for some hours.

The key is asked about at every page, so a key that is revoked ends its sessions at once.
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ainfera_server.accounts import sealing
from ainfera_server.accounts.sealing import NotSealed
from ainfera_server.gateway import Gateway

COOKIE = "ainfera_dashboard"
PATH = "/dashboard"
LIFETIME = timedelta(hours=12)
PURPOSE = b"dashboard session"
SAME_PAGE = "same-origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a cookie holds."""

    api_key: str = field(repr=False)
    expires_at: datetime


def begun(gateway: Gateway, api_key: str) -> Session:
    """A session that begins now."""
    return Session(api_key=api_key, expires_at=gateway.now() + LIFETIME)


def write(gateway: Gateway, session: Session, response: Response) -> None:
    """Put a session into the browser's cookie."""
    said = orjson.dumps({"key": session.api_key, "until": session.expires_at.timestamp()})
    sealed = sealing.seal(
        said,
        key=gateway.keyring.sealing_key,
        nonce=gateway.random(sealing.NONCE_BYTES),
        purpose=PURPOSE,
    )
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(base64.b64decode(sealed)).decode().rstrip("="),
        max_age=int(LIFETIME.total_seconds()),
        path=PATH,
        secure=gateway.public_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )


def read(gateway: Gateway, request: Request) -> Session | None:
    """The session of a request; None when there is none that we sealed and that still lasts."""
    text = request.cookies.get(COOKIE, "")
    try:
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        said = sealing.unseal(
            base64.b64encode(octets).decode(), key=gateway.keyring.sealing_key, purpose=PURPOSE
        )
    except (NotSealed, binascii.Error, ValueError):
        return None
    kept = orjson.loads(said)
    now = gateway.now()
    expires_at = datetime.fromtimestamp(kept["until"], tz=now.tzinfo)
    return Session(api_key=kept["key"], expires_at=expires_at) if now < expires_at else None


def forget(response: Response) -> None:
    """Take the cookie out of the browser."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


def is_forged(gateway: Gateway, request: Request) -> bool:
    """Whether a form came from somebody else's page, or from where nobody can tell.

    Every browser names the page that posts, by `sec-fetch-site` or by `origin`. The second needs
    our pages to be sent with another referrer policy than `no-referrer`, which makes it "null".
    """
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said != SAME_PAGE
    origin = request.headers.get("origin")
    ours = {f"{scheme}://{request.headers.get('host', '')}" for scheme in ("http", "https")}
    return origin not in {*ours, gateway.public_url}
