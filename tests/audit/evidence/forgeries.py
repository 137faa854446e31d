"""What somebody with keys of their own, or a server that lies, could make of files of evidence."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from ainfera_server.audit import chain, exporting, signing
from ainfera_server.audit.chain import Head
from ainfera_server.audit.evidence.exhibits import LOG_EXPORT
from ainfera_server.audit.public_log import merkle, notes
from ainfera_server.audit.public_log.notes import Checkpoint
from ainfera_server.audit.signing import Signer
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, TenantId
from tests.audit.evidence import evidence
from tests.audit.evidence.evidence import Document


def strangers(count: int) -> list[bytes]:
    """Entries of somebody else, from the first."""
    return [
        f'{{"agent":"{"ab" * 32}","event_hash":"{seq:064x}","seq":{seq}}}'.encode()
        for seq in range(1, count + 1)
    ]


def log_of(
    entries: Sequence[bytes],
    *,
    signer: Signer = evidence.LOG_SIGNER,
    origin: str = evidence.ORIGIN,
) -> Document:
    """A whole log that holds by itself."""
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    checkpoint = Checkpoint(origin=origin, size=len(leaves), root=merkle.root(leaves))
    return {
        "format": LOG_EXPORT,
        "log_keys": [notes.log_key(origin, signer).text],
        "checkpoint": notes.signed(checkpoint, signer).decode(),
        "entries": [entry.decode() for entry in entries],
        "leaf_hashes": [leaf.hex() for leaf in leaves],
    }


def resigned(document: Document, **changed: Json) -> Document:
    """A receipt that says something else, as its own server would have signed it."""
    said = {**orjson.loads(document["signed_text"]), **changed}
    text = chain.canonical(said).decode()
    signature = signing.signature(evidence.SIGNER, text.encode())
    return {**document, "signed_text": text, "signature": signature}


def signed_anew(document: Document, payloads: Sequence[Document]) -> Document:
    """A chain of other events, as its own server would have written it, in no log yet."""
    agent_id, tenant_id = payloads[0]["agent_id"], payloads[0]["tenant_id"]
    events: list[Document] = []
    last = None
    for seq, said in enumerate(payloads, start=1):
        text = chain.canonical({**said, "seq": seq})
        sealed = chain.event_hash(last, text)
        events.append(
            {
                "payload": text.decode(),
                "previous_hash": last,
                "event_hash": sealed,
                "key_id": evidence.SIGNER.key_id,
                "signature": signing.signature(evidence.SIGNER, sealed.encode()),
            }
        )
        last = sealed
    end = exporting.end(
        Head(seq=len(events), event_hash=last),
        agent_id=AgentId(UUID(agent_id)),
        tenant_id=TenantId(UUID(tenant_id)),
        now=evidence.MOMENT,
        by=evidence.SIGNER,
    )
    signed_end = {name: getattr(end, name) for name in end.__struct_fields__}
    unproven = {**exporting.inclusion(None), "inclusion_seq": None}
    return {**document, **unproven, "end": signed_end, "events": events}
