"""Reasoning that only OpenAI can read, kept so that it can be given back to OpenAI.

An item of reasoning has an id and encrypted content, and OpenAI wants both again in the next
turn. Both travel in the signature of a Thinking, behind the mark of this dialect.
"""

from ainfera_server.conversation import Thinking
from ainfera_server.dialects import signatures
from ainfera_server.dialects.openai_responses import wire


def signature(item: wire.SaidItem) -> str | None:
    """What has to come back with the reasoning; None when there is nothing to give back."""
    if not item.id or "." in item.id or not item.encrypted_content:
        return None
    return signatures.marked("openai_responses", f"{item.id}.{item.encrypted_content}")


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
