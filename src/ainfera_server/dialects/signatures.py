"""Whose reasoning a signature belongs to, for only the maker can read it and others refuse it.

Anthropic's signatures travel as Anthropic wrote them, because its own clients hand them back byte
by byte. Those of every other dialect go behind its name and a dot, which Anthropic's base64 never
has.
"""

from typing import get_args

from ainfera_server.conversation import Dialect, Thinking

_MARKED: tuple[Dialect, ...] = tuple(
    one for one in get_args(Dialect) if one != "anthropic_messages"
)


def maker(signature: str) -> Dialect:
    """The dialect whose vendor signed."""
    for dialect in _MARKED:
        if signature.startswith(f"{dialect}."):
            return dialect
    return "anthropic_messages"


def marked(dialect: Dialect, text: str) -> str:
    """A signature of this dialect's vendor."""
    assert dialect in _MARKED, "Anthropic's signatures carry no mark"
    return f"{dialect}.{text}"


def unmarked(signature: str) -> str:
    """What the vendor wrote, from a signature that carries a mark."""
    return signature.partition(".")[2]


def is_signed_by(dialect: Dialect, thinking: Thinking) -> bool:
    """Whether this dialect's vendor takes the reasoning back; only Anthropic hides any whole."""
    if thinking.redacted is not None:
        return dialect == "anthropic_messages"
    return thinking.signature is not None and maker(thinking.signature) == dialect
