"""Checks of an agent's chain as a file holds it: events, their end, and their place in the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from ainfera_server import identifiers
from ainfera_server.audit import chain
from ainfera_server.audit.evidence import exhibits, trust
from ainfera_server.audit.evidence.exhibits import (
    ChainExport,
    Inclusion,
    NotAnExhibit,
    SignedEvent,
    SignedText,
)
from ainfera_server.audit.evidence.findings import Fault, Held, Open
from ainfera_server.audit.evidence.trust import Keys
from ainfera_server.audit.public_log import log
from ainfera_server.audit.public_log.merkle import NotAProof
from ainfera_server.audit.public_log.notes import NotACheckpoint
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId

END_MEMBERS = frozenset({"schema", "agent_id", "tenant_id", "exported_at", "seq", "event_hash"})

Facts = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """What checks go by: the keys that count, and those that the file names."""

    keys: Keys
    listed: Keys


def event_facts(
    one: SignedEvent, *, place: int, agent_id: str, tenant_id: Json, by: Checker
) -> Facts:
    """Check an event for itself, and read it: text, hash, names and signature. Raises Fault."""
    facts = canonical_object(one.payload, record=f"event {place}", place=place)

    def fault(sentence: str) -> Fault:
        return Fault(sentence, record=f"event {place}", place=place)

    sealed = chain.event_hash(one.previous_hash, one.payload.encode())
    if sealed != one.event_hash:
        raise fault("its hash is not that of its text and the event before (event_hash_mismatch)")
    if facts.get("agent_id") != agent_id:
        raise fault("it is about another agent (payload_differs_from_row)")
    if facts.get("tenant_id") != tenant_id or not isinstance(tenant_id, str):
        raise fault("it is about another tenant (payload_differs_from_row)")
    if not isinstance(facts.get("event_type"), str):
        raise fault("it does not say what happened (payload_differs_from_row)")
    wrong = trust.signature_fault(
        one.signature,
        key_id=one.key_id,
        message=sealed.encode("ascii"),
        keys=by.keys,
        listed=by.listed,
    )
    if wrong is not None:
        raise fault(wrong)
    return facts


def canonical_object(text: str, *, record: str, place: int | None = None) -> Facts:
    """Read a text that has to be canonical JSON. Raises Fault."""
    try:
        facts = exhibits.read_object(text)
    except NotAnExhibit as problem:
        raise Fault(f"its text is broken: {problem}", record=record, place=place) from None
    try:
        again = chain.canonical(facts)
    except RecursionError:
        raise Fault("its text cannot be read: too deep", record=record, place=place) from None
    if again != text.encode():
        raise Fault("its text is not canonical (payload_not_canonical)", record=record, place=place)
    return facts


def chain_facts(export: ChainExport, by: Checker) -> tuple[Facts, ...]:
    """Check every event in its place behind the one before, and read them all. Raises Fault."""
    found: list[Facts] = []
    last: str | None = None
    tenant_id: Json = None
    places: dict[Json, int] = {}
    for place, one in enumerate(export.events, start=1):
        if one.previous_hash != last:
            raise Fault(_break(one, place, last), record=f"event {place}", place=place)
        if place == 1:
            tenant_id = canonical_object(one.payload, record="event 1", place=1).get("tenant_id")
        facts = event_facts(one, place=place, agent_id=export.agent_id, tenant_id=tenant_id, by=by)
        seq = facts.get("seq")
        if seq != place or isinstance(seq, bool):
            raise Fault(
                f"it says that it is event {seq!r} (sequence_gap)",
                record=f"event {place}",
                place=place,
            )
        first = places.setdefault(str(facts.get("event_id")), place)
        if first != place:
            sentence = f"it has the event_id of event {first}"
            raise Fault(sentence, record=f"event {place}", place=place)
        found.append(facts)
        last = one.event_hash
    return tuple(found)


def end_count(export: ChainExport, events: Sequence[Facts], by: Checker) -> Held:
    """Check that the chain ends where its server signed that it ends. Raises Fault."""
    end = signed_object(export.end, record="the end", by=by)
    if END_MEMBERS ^ set(end) or end["schema"] != exhibits.CHAIN_END:
        raise Fault("the text that was signed says no end of a chain", record="the end")
    if end["agent_id"] != export.agent_id:
        raise Fault("it is the end of another agent's chain", record="the end")
    if events and end["tenant_id"] != events[0]["tenant_id"]:
        raise Fault("it is the end of another tenant's chain", record="the end")
    last = export.events[-1].event_hash if export.events else None
    seq = end["seq"]
    if not isinstance(seq, int) or seq != len(events):
        raise Fault(
            f"the chain had {seq} events when it was exported, and the file has {len(events)}"
            " (head_mismatch)",
            record=f"event {min(len(events), seq if isinstance(seq, int) else 0) + 1}",
            place=min(len(events), seq if isinstance(seq, int) else 0) + 1,
        )
    if end["event_hash"] != last:
        raise Fault("another event was the last one (head_mismatch)", record="the end")
    if not isinstance(end["exported_at"], str):
        raise Fault("it does not say when the chain was exported", record="the end")
    return Held(count=len(events), sentence=f"exported at {end['exported_at']}")


def signed_object(one: SignedText, *, record: str, by: Checker, place: int | None = None) -> Facts:
    """Check a signature under a canonical text, and read it. Raises Fault."""
    wrong = trust.signature_fault(
        one.signature,
        key_id=one.key_id,
        message=one.signed_text.encode(),
        keys=by.keys,
        listed=by.listed,
    )
    if wrong is not None:
        raise Fault(wrong, record=record, place=place)
    return canonical_object(one.signed_text, record=record, place=place)


def inclusion_count(export: ChainExport, by: Checker) -> Held:
    """How many events the log is proved to hold, from the first. Raises Fault and Open."""
    seq = export.inclusion_seq
    if (seq is None) != (export.inclusion is None):
        raise Fault("`inclusion` and `inclusion_seq` belong together", record="the inclusion proof")
    require_one_of(export.inclusion, export.inclusion_pending)
    if seq is None or not 1 <= seq <= len(export.events):
        raise Fault(f"the file has no event {seq}", record="the inclusion proof")
    event_hash = export.events[seq - 1].event_hash
    sentence = check_inclusion(export.inclusion, export.agent_id, seq, event_hash, by)
    return Held(count=seq, sentence=sentence)


def require_one_of(inclusion: Inclusion | None, pending: str | None) -> None:
    """A proof or the reason why there is none yet. Raises Fault, and Open for the latter."""
    if (inclusion is None) == (pending is None):
        raise Fault("there is neither a proof nor a reason", record="the inclusion proof")
    if pending is not None:
        if pending != exhibits.NOT_COVERED_YET:
            raise Fault("the reason is not one of ours", record="the inclusion proof")
        raise Open("no checkpoint covered the event when the file was made")


def check_inclusion(
    found: Inclusion | None, agent_id: str, seq: int, event_hash: str, by: Checker
) -> str:
    """Check that the log holds an event of the agent, and say as of when. Raises Fault."""
    parsed = identifiers.parsed(agent_id)
    if parsed is None:
        raise Fault(f"{agent_id[:40]!r} is no agent's id", record="the inclusion proof")
    if not by.listed.log_keys:
        raise Fault("the file names no key of the log", record="the inclusion proof")
    entry = log.entry(AgentId(UUID(str(parsed))), seq, event_hash)
    try:
        proof = log.read_inclusion_proof(msgspec.to_builtins(found))
        signed = log.check_inclusion(proof, entry, verifier_keys=by.keys.log_keys)
    except (NotAProof, NotACheckpoint) as problem:
        raise Fault(str(problem), record="the inclusion proof") from None
    return f"by a checkpoint of the log with {signed.checkpoint.size} entries"


def _break(one: SignedEvent, place: int, last: str | None) -> str:
    if last is None:
        return "it is said to be the first, and names one before it (previous_hash_mismatch)"
    if one.event_hash == last:
        return "it is the event before once more (previous_hash_mismatch)"
    return f"it does not follow event {place - 1} (previous_hash_mismatch)"
