"""Parts of an answer, written as the items of a response."""

from typing import Literal

from msgspec import UNSET

from ainfera_server.conversation import Text, Thinking, ToolCall
from ainfera_server.dialects.openai_responses import answer_wire as wire
from ainfera_server.dialects.openai_responses import reasoning, tool_names
from ainfera_server.dialects.sides import Envelope

NO_ARGUMENTS = "{}"
"""What a call without arguments has, because callers parse what they get."""

Kind = Literal["msg", "fc", "rs"]


def response_id(envelope: Envelope) -> str:
    """The id of the answer: the inference's, whatever its provider called it."""
    return f"resp_{_hex(envelope)}"


def item_id(kind: Kind, envelope: Envelope, index: int) -> str:
    """The id of an item, which begins as OpenAI's do: it looks at that when it is given back."""
    return f"{kind}_{_hex(envelope)}_{index}"


def item(
    part: Text | ToolCall | Thinking, envelope: Envelope, index: int, status: wire.ItemStatus
) -> wire.Item:
    """A whole part."""
    match part:
        case Text(text=text):
            return message(item_id("msg", envelope, index), text, status)
        case ToolCall(call_id=call_id, name=name, arguments=arguments):
            return call(item_id("fc", envelope, index), call_id, name, arguments, status)
        case Thinking(text=text, signature=signature, redacted=redacted):
            encrypted = reasoning.sealed(signature, redacted)
            return thought(item_id("rs", envelope, index), text, encrypted)


def message(one_id: str, text: str, status: wire.ItemStatus) -> wire.MessageItem:
    """Words; there are none yet in one that has just begun."""
    content = () if status == "in_progress" else (wire.OutputText(text=text),)
    return wire.MessageItem(id=one_id, status=status, content=content)


def call(
    one_id: str, call_id: str, name: str, arguments: str, status: wire.ItemStatus
) -> wire.CallItem:
    """A call of a function; one that stands in a namespace gets its two names back."""
    namespace, inner = tool_names.parted(name)
    return wire.CallItem(
        id=one_id,
        status=status,
        call_id=call_id,
        name=inner,
        arguments=arguments,
        namespace=UNSET if namespace is None else namespace,
    )


def thought(one_id: str, text: str, encrypted: str | None) -> wire.ReasoningItem:
    """Reasoning; what its maker needs of it is not known before its end."""
    summary = (wire.SummaryText(text=text),) if text else ()
    return wire.ReasoningItem(id=one_id, summary=summary, encrypted_content=encrypted)


def _hex(envelope: Envelope) -> str:
    return envelope.inference_id.replace("-", "")
