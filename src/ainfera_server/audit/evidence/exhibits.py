"""The files that evidence travels in: what stands in each, read strictly and believed by nobody.

docs/guides/verifying.md tells the same to whoever writes a verifier of their own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import msgspec
import orjson

from ainfera_server.conversation import Json

RECEIPT_DOCUMENT = "ainfera.receipt-document/1"
CHAIN_EXPORT = "ainfera.chain-export/1"
LOG_EXPORT = "ainfera.log-export/1"
CHAIN_END = "ainfera.chain-end/1"

NOT_COVERED_YET = "No checkpoint of the log covers this event yet. Ask again in a few seconds."

ExhibitT = TypeVar("ExhibitT")


class NotAnExhibit(ValueError):
    """The content is none of these files; the message says why."""


class BrokenExhibit(NotAnExhibit):
    """The content is one of these files, and not as it has to be; `member` is where."""

    def __init__(self, sentence: str, *, member: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.member = member


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that signed something in the file."""

    kid: str
    alg: Literal["Ed25519"]
    public_key_pem: str


class SignedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link of a chain; all else that is known of it stands in its text."""

    payload: str
    previous_hash: str | None
    event_hash: str
    key_id: str
    signature: str


class SignedText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt, or the end of a chain."""

    signed_text: str
    key_id: str
    signature: str


class DecisionTexts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision and all that it knew.

    `decision` is None when whoever made the file no longer had the rules to write it down by.
    """

    decision_id: str
    snapshot: str
    decision: str | None


class Inclusion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proof that the log has an entry, as it is written down."""

    log_index: int
    tree_size: int
    hashes: list[str]
    checkpoint: str


class ReceiptEvidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt and all that it takes to check it."""

    signed_text: str
    key_id: str
    signature: str
    decision: DecisionTexts | None
    events: tuple[SignedEvent, ...]
    inclusion: Inclusion | None
    inclusion_pending: str | None
    public_keys: tuple[PublicKey, ...]
    log_keys: tuple[str, ...]

    @property
    def receipt(self) -> SignedText:
        """The receipt itself."""
        return SignedText(
            signed_text=self.signed_text, key_id=self.key_id, signature=self.signature
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDocument:
    """A receipt with its evidence; `shown` repeats its fields for easy reading."""

    shown: Mapping[str, Json]
    evidence: ReceiptEvidence


class ChainExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The chain of an agent; without receipts and decisions where nobody asked for them."""

    format: str
    agent_id: str
    public_keys: tuple[PublicKey, ...]
    log_keys: tuple[str, ...]
    end: SignedText
    inclusion: Inclusion | None
    inclusion_pending: str | None
    inclusion_seq: int | None
    events: tuple[SignedEvent, ...]
    receipts: tuple[SignedText, ...] | None = None
    decisions: tuple[DecisionTexts, ...] | None = None


class LogExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole log as a checkpoint counts it; its leaf hashes tell which entry was changed."""

    format: str
    log_keys: tuple[str, ...]
    checkpoint: str
    entries: tuple[str, ...]
    leaf_hashes: tuple[str, ...]


AnyExhibit = ReceiptDocument | ChainExport | LogExport


def read(content: bytes) -> AnyExhibit:
    """Read one of the files. Raises NotAnExhibit."""
    document = _object(content)
    match document.get("format"):
        case "ainfera.receipt-document/1":
            return _receipt_document(document)
        case "ainfera.chain-export/1":
            return _converted(document, ChainExport)
        case "ainfera.log-export/1":
            return _converted(document, LogExport)
        case None:
            raise NotAnExhibit("the file does not say what it is: it has no member `format`")
        case other:
            raise NotAnExhibit(f"{str(other)[:80]!r} is no format that this version knows")


def read_object(text: str) -> Mapping[str, Json]:
    """Read a text of ours as one JSON object. Raises NotAnExhibit."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        raise NotAnExhibit(f"it is no JSON: {problem}") from None
    if not isinstance(found, dict):
        raise NotAnExhibit("it is no JSON object")
    return cast("dict[str, Json]", found)


def _object(content: bytes) -> Mapping[str, Json]:
    """Read a whole file, in which no object may have a name twice: readers take either one."""
    try:
        orjson.loads(content)
        document = json.loads(content, object_pairs_hook=_distinct)
    except NotAnExhibit:
        raise
    except (ValueError, RecursionError) as problem:
        raise NotAnExhibit(f"the file is no JSON: {problem}") from None
    if not isinstance(document, dict):
        raise NotAnExhibit("the file is no JSON object")
    return cast("dict[str, Json]", document)


def _distinct(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise BrokenExhibit(f"an object has the name {twice!r} twice")
    return members


def _receipt_document(document: Mapping[str, Json]) -> ReceiptDocument:
    """A receipt's own fields stand among the members of its document, so they are told apart."""
    others = {"format", *ReceiptEvidence.__struct_fields__}
    evidence = {name: value for name, value in document.items() if name in others}
    del evidence["format"]
    return ReceiptDocument(
        shown={name: value for name, value in document.items() if name not in others},
        evidence=_converted(evidence, ReceiptEvidence),
    )


def _converted(document: Mapping[str, Json], wanted: type[ExhibitT]) -> ExhibitT:
    try:
        return msgspec.convert(document, wanted)
    except msgspec.ValidationError as problem:
        sentence, _, member = str(problem).partition(" - at `$.")
        raise BrokenExhibit(sentence, member=member.removesuffix("`") or None) from None
