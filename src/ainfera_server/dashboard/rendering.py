"""Answers for browsers: pages from templates, their JSON twins, and the headers of both."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from ainfera_server.conversation import Json
from ainfera_server.routing.decision import RuleFired
from ainfera_server.routing.filters import DropReason

HERE = Path(__file__).parent
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "cache-control": "no-store",
        "content-security-policy": (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
            " object-src 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
)
UNKNOWN = "\N{EN DASH}"
"""How a page shows what is not known, so that nobody takes it for zero."""


REASONS: Mapping[str, str] = MappingProxyType(
    {
        RuleFired.CHEAPEST_CLEARING_FLOOR: "the cheapest that clears the quality floor",
        RuleFired.M_ALLOWED_VETO_APPLIED: "only what compliance allows",
        RuleFired.NO_CANDIDATE_CLEARS_FLOOR: "no candidate clears the quality floor",
        RuleFired.NO_CANDIDATE_ENROLLED: "no candidate can be asked here",
        DropReason.NOT_ENROLLED_NO_PRICE: "its price is not known",
        DropReason.NOT_ENROLLED_NO_Q_PRIOR: "its quality is not known",
        DropReason.M_ALLOWED_VETO: "compliance does not allow it",
        DropReason.BELOW_QUALITY_FLOOR: "below the quality floor",
        DropReason.EXCEEDS_BUDGET_CAP: "over the budget for one call",
        DropReason.EXCEEDS_LATENCY_CAP: "too slow",
        DropReason.BELOW_AGENTIC_FLOOR: "not good enough at using tools",
        "rejected_floor": "no candidate was good enough",
        "rejected_cap": "a cap would have been broken",
        "rejected_funds": "the wallet could not cover it",
        "failed_pre_dispatch": "refused before anybody was asked",
    }
)
"""What the wire's names mean, for people; a name that is not here is shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file that pages refer to; its address changes with its content, so it may be kept."""

    name: str
    content: bytes

    @property
    def url(self) -> str:
        """Where pages find it."""
        return f"/dashboard/static/{self.name}?v={hashlib.sha256(self.content).hexdigest()[:12]}"

    def response(self) -> Response:
        """The file."""
        headers = {**HEADERS, "cache-control": "public, max-age=31536000, immutable"}
        media_type = MEDIA_TYPES[Path(self.name).suffix]
        return Response(self.content, media_type=media_type, headers=headers)


def page(template: str, content: Mapping[str, object], *, status: int = 200) -> Response:
    """Render a page; every value is text until a template says otherwise, and none does."""
    static = {name: file.url for name, file in STATIC_FILES.items()}
    html = TEMPLATES.get_template(template).render(content, static=static)
    return Response(html, status_code=status, media_type="text/html", headers=dict(HEADERS))


def json(content: Mapping[str, Json], *, status: int = 200) -> Response:
    """The twin of a page, for programs."""
    body = orjson.dumps(content)
    return Response(body, status_code=status, media_type="application/json", headers=dict(HEADERS))


def redirect(path: str) -> Response:
    """Send the browser elsewhere in the dashboard, with GET."""
    return Response(status_code=303, headers={**HEADERS, "location": path})


def dollars(amount: str | None) -> str:
    """An amount to read: every digit that says something, and at least the cents."""
    if amount is None:
        return UNKNOWN
    digits, _, fraction = amount.removeprefix("-").partition(".")
    sign = "\N{MINUS SIGN}" if amount.startswith("-") else ""
    return f"{sign}${int(digits):,}.{fraction.rstrip('0').ljust(2, '0')}"


def whole(number: int | None) -> str:
    """A number to read."""
    return UNKNOWN if number is None else f"{number:,}"


def words(name: str | None) -> str:
    """A name that programs use, as words."""
    return UNKNOWN if name is None else name.replace("_", " ")


def reason(name: str | None) -> str:
    """Why something was chosen, dropped or refused, in words."""
    return words(name) if name is None or name not in REASONS else REASONS[name]


def moment(text: str | None) -> str:
    """A moment to read, to the second, in UTC."""
    if text is None:
        return UNKNOWN
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def pretty(value: Json) -> str:
    """JSON to read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "dollars": dollars,
        "whole": whole,
        "words": words,
        "moment": moment,
        "reason": reason,
        "pretty": pretty,
    }
    return environment


STATIC_FILES: Mapping[str, StaticFile] = MappingProxyType(
    {
        path.name: StaticFile(name=path.name, content=path.read_bytes())
        for path in sorted((HERE / "static").iterdir())
    }
)
TEMPLATES = _templates()
