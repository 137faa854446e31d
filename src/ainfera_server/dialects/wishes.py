"""What callers of every dialect say to us rather than to the model, read strictly."""

from collections.abc import Mapping

from msgspec import Raw

from ainfera_server.conversation import Json, Wishes
from ainfera_server.dialects import strict_json
from ainfera_server.errors import Invalid

FIELDS = ("agent_id", "task_type", "routing_hint", "caps")
"""The names under which it is said; no vendor knows these."""


def read(*, agent_id: Raw, task_type: Raw, routing_hint: Raw, caps: Raw) -> Wishes:
    """The wishes, from the values of our fields. Raises Invalid."""
    return Wishes(
        agent_id=_text(agent_id, "agent_id"),
        task_type=_text(task_type, "task_type"),
        hint=_object(routing_hint, "routing_hint"),
        caps=_object(caps, "caps"),
    )


def _text(raw: Raw, name: str) -> str | None:
    value = strict_json.value(raw)
    if value is not None and not (isinstance(value, str) and value.isprintable()):
        raise Invalid(f"`{name}` is a text.", param=name)
    return value


def _object(raw: Raw, name: str) -> Mapping[str, Json]:
    value = strict_json.value(raw)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"`{name}` is an object.", param=name)
    if b"\\u0000" in bytes(raw):
        # What is wished is stored with the decision, and PostgreSQL's JSON has no such character.
        raise Invalid(f"`{name}` may not hold the character U+0000.", param=name)
    return value
