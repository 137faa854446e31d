"""Evidence on its way out: what is stored, in the form of the files that strangers check."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from ainfera_server.audit import chain, events, signing
from ainfera_server.audit.chain import Head, Link
from ainfera_server.audit.evidence import decision_checks, exhibits
from ainfera_server.audit.evidence.exhibits import DecisionTexts, PublicKey, SignedEvent, SignedText
from ainfera_server.audit.evidence.findings import Fault
from ainfera_server.audit.public_log.log import InclusionProof
from ainfera_server.audit.signing import Signer
from ainfera_server.audit.store import KeptDecision
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, TenantId


def event(link: Link) -> SignedEvent:
    """A link; what its payload says is not said again."""
    return SignedEvent(
        payload=link.payload,
        previous_hash=link.previous_hash,
        event_hash=link.event_hash,
        key_id=link.key_id,
        signature=link.signature,
    )


def public_keys(pems: Mapping[str, str]) -> tuple[PublicKey, ...]:
    """Keys under their ids."""
    return tuple(
        PublicKey(kid=key_id, alg=signing.ALGORITHM, public_key_pem=pem)
        for key_id, pem in sorted(pems.items())
    )


def inclusion(proof: InclusionProof | None) -> Mapping[str, Json]:
    """A proof, or why there is none yet."""
    return {
        "inclusion": None if proof is None else dict(proof.document),
        "inclusion_pending": exhibits.NOT_COVERED_YET if proof is None else None,
    }


def end(
    head: Head, *, agent_id: AgentId, tenant_id: TenantId, now: datetime, by: Signer
) -> SignedText:
    """Sign where a chain ends now, so that nobody else can shorten an export of it."""
    text = chain.canonical(
        {
            "schema": exhibits.CHAIN_END,
            "agent_id": str(agent_id),
            "tenant_id": str(tenant_id),
            "exported_at": events.timestamp(now),
            "seq": head.seq,
            "event_hash": head.event_hash,
        }
    )
    return SignedText(
        signed_text=text.decode(), key_id=by.key_id, signature=signing.signature(by, text)
    )


def decision(kept: KeptDecision) -> DecisionTexts:
    """A decision, written down again by its own rules; without its text where nobody can."""
    return DecisionTexts(
        decision_id=str(kept.decision_id), snapshot=kept.snapshot, decision=_written_again(kept)
    )


def receipt_ids(links: Sequence[Link]) -> tuple[UUID, ...]:
    """The receipts that these links say were created, in their order."""
    found = (
        exhibits.read_object(link.payload).get("receipt_id")
        for link in links
        if link.event_type == events.EventType.RECEIPT_CREATED
    )
    return tuple(UUID(str(one)) for one in found)


def _written_again(kept: KeptDecision) -> str | None:
    """None for rules that this version does not know, and for a snapshot that decides nothing."""
    if decision_checks.ruleset(kept.snapshot) != kept.ruleset_hash:
        return None
    try:
        return decision_checks.made(kept.snapshot)
    except Fault:
        return None
