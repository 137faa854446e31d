"""The export for auditors as one HTML file: it asks for nothing, runs nothing and prints on A4."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ainfera_server.conversation import Json

HERE = Path(__file__).parent
UNKNOWN = "\N{EN DASH}"
EVENTS_SHOWN_MAX = 60
USES_SHOWN_MAX = 60


def rendered(document: Mapping[str, Json]) -> str:
    """Write the report; every value is text, whoever wrote it, but for our own style sheet."""
    return TEMPLATE.render(
        document, style=STYLE, csp=POLICY, events_max=EVENTS_SHOWN_MAX, uses_max=USES_SHOWN_MAX
    )


def dollars(amount: str | None) -> str:
    """An amount to read: every digit that says something, and at least the cents."""
    if amount is None:
        return UNKNOWN
    whole, _, fraction = amount.partition(".")
    return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


def moment(text: str | None) -> str:
    """A moment to read, to the second, in UTC."""
    return UNKNOWN if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def words(name: str) -> str:
    """A name that programs use, as words."""
    return name.replace("_", " ").removesuffix(" usd")


def limit(value: Json, name: str) -> str:
    """What a policy says under a name, to read."""
    match value:
        case None:
            return UNKNOWN
        case str() if name.endswith("_usd"):
            return dollars(value)
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(str(one) for one in value)
        case _:
            return str(value)


def limits(policy: Mapping[str, Json] | None) -> str:
    """A whole policy in one cell of a table: what was decided, and nothing else."""
    decided = {name: value for name, value in (policy or {}).items() if value not in (None, False)}
    return (
        "; ".join(f"{words(name)} {limit(value, name)}" for name, value in decided.items())
        or "none"
    )


def _template_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "dollars": dollars,
        "moment": moment,
        "words": words,
        "limit": limit,
        "limits": limits,
    }
    return environment


TEMPLATE = _template_environment().get_template("annex_iv.html")
STYLE = (HERE / "annex_iv.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
"""Stands in the file too, so that it holds wherever the file is opened."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "cache-control": "no-store",
        "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
)
