"""Reasoning that only its maker can read, kept so that it can be given back to the maker.

OpenAI's items of reasoning have an id and encrypted content, and OpenAI wants both again in the
next turn. Both travel in the signature of a Thinking, behind the mark of this dialect.

A caller of this dialect may have been answered by anybody. What another vendor signed goes into
the encrypted content of an item behind a seal of ours, so that it comes back byte by byte and is
never taken for OpenAI's, whose encrypted content has no dots.
"""

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Request, Thinking
from ainfera_server.dialects import signatures
from ainfera_server.dialects.openai_responses import asked_wire, wire

SIGNED = "ainfera.signed."
REDACTED = "ainfera.redacted."
UNSIGNED = "ainfera.unsigned"
_SEAL = "ainfera."


def thinking(item: wire.SaidItem) -> Thinking:
    """An item of reasoning, whoever made it, with what has to come back to its maker."""
    encrypted = item.encrypted_content or ""
    if encrypted.startswith(REDACTED):
        return Thinking(text=text(item), redacted=encrypted.removeprefix(REDACTED))
    if encrypted.startswith(SIGNED):
        return Thinking(text=text(item), signature=encrypted.removeprefix(SIGNED) or None)
    return Thinking(text=text(item), signature=_signature(item))


def sealed(signature: str | None, redacted: str | None) -> str:
    """The encrypted content of an item that another vendor's model reasoned."""
    if redacted is not None:
        return REDACTED + redacted
    return UNSIGNED if signature is None else SIGNED + signature


def item(thinking: Thinking) -> wire.Reasoning | None:
    """The item that this reasoning was; None when another maker wrote it."""
    if not signatures.is_signed_by("openai_responses", thinking):
        return None
    signed = signatures.unmarked(thinking.signature or "")
    item_id, _, encrypted = signed.partition(".")
    if not item_id or not encrypted:
        return None
    summary = (wire.SummaryText(text=thinking.text),) if thinking.text else ()
    return wire.Reasoning(id=item_id, summary=summary, encrypted_content=encrypted)


def text(item: wire.SaidItem) -> str:
    """The words of the reasoning: its summary, or itself where a vendor shows it."""
    return "".join(one.text or "" for one in (*(item.summary or ()), *(item.content or ())))


def is_in(request: Request) -> bool:
    """Whether the conversation holds reasoning, whoever made it."""
    return any(isinstance(part, Thinking) for one in request.messages for part in one.parts)


def without_sealed(items: Raw) -> Raw:
    """The input less the reasoning under our seal; everything else keeps its bytes."""
    said = msgspec.json.decode(items, type=tuple[Raw, ...])
    kept = tuple(one for one in said if not _is_sealed(one))
    return items if len(kept) == len(said) else Raw(msgspec.json.encode(kept))


def _is_sealed(raw: Raw) -> bool:
    if msgspec.json.decode(raw, type=asked_wire.Item).kind != "reasoning":
        return False
    said = msgspec.json.decode(raw, type=wire.SaidItem)
    return (said.encrypted_content or "").startswith(_SEAL)


def _signature(item: wire.SaidItem) -> str | None:
    """What has to come back with OpenAI's reasoning; None when there is nothing to give back."""
    encrypted = item.encrypted_content
    if not item.id or "." in item.id or not encrypted or encrypted.startswith(_SEAL):
        return None
    return signatures.marked("openai_responses", f"{item.id}.{encrypted}")
