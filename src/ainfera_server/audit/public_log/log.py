"""What the public log says of an event, and how a stranger checks that it says so.

An entry is a commitment: a pseudonym of the agent, the event's place in the agent's chain and its
hash. Whoever has the event can make the entry, and nobody can make the event of the entry.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from ainfera_server.audit.public_log import merkle, notes
from ainfera_server.audit.public_log.merkle import NotAProof
from ainfera_server.audit.public_log.notes import SignedCheckpoint
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId

PATH_LENGTH_MAX = 64
"""More hashes than this lead to the root of no tree that can be counted."""

PROOF_MEMBERS = frozenset({"log_index", "tree_size", "hashes", "checkpoint"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That an entry is in the log; `checkpoint` is a whole signed note about `tree_size` entries.

    It proves nothing until `check_inclusion` has looked at it.
    """

    log_index: int
    tree_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    @property
    def document(self) -> Mapping[str, Json]:
        """The proof as it is served and exported."""
        return {
            "log_index": self.log_index,
            "tree_size": self.tree_size,
            "hashes": [one.hex() for one in self.hashes],
            "checkpoint": self.checkpoint,
        }


def entry(agent_id: AgentId, seq: int, event_hash: str) -> bytes:
    """The exact bytes that the log holds of an event: canonical JSON."""
    agent = hashlib.sha256(str(agent_id).encode("ascii")).hexdigest()
    return f'{{"agent":"{agent}","event_hash":"{event_hash}","seq":{seq}}}'.encode("ascii")


def origin(public_url: str) -> str:
    """What a log is called that is served under this address."""
    return f"{urlsplit(public_url).netloc}/log"


def read_inclusion_proof(document: object) -> InclusionProof:
    """Read a proof from parsed JSON; it is not checked yet. Raises NotAProof."""
    members = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    if frozenset(members) != PROOF_MEMBERS:
        raise NotAProof("an inclusion proof has " + ", ".join(sorted(PROOF_MEMBERS)))
    checkpoint = members["checkpoint"]
    if not isinstance(checkpoint, str):
        raise NotAProof("the checkpoint is no text")
    return InclusionProof(
        log_index=_whole_number(members["log_index"]),
        tree_size=_whole_number(members["tree_size"]),
        hashes=read_hashes(members["hashes"]),
        checkpoint=checkpoint,
    )


def read_hashes(found: object) -> tuple[bytes, ...]:
    """Read the hashes of a proof from parsed JSON, each in its one spelling. Raises NotAProof."""
    if not isinstance(found, list):
        raise NotAProof("the hashes are no list")
    texts = cast("list[object]", found)
    if len(texts) > PATH_LENGTH_MAX:
        raise NotAProof("there are more hashes than any tree is high")
    return tuple(_hash(text) for text in texts)


def check_inclusion(
    proof: InclusionProof, entry: bytes, *, verifier_keys: Sequence[str]
) -> SignedCheckpoint:
    """Check that a log signed a tree with this entry at the place that the proof names.

    Size and root are those of the signed checkpoint. Raises NotAProof, NotACheckpoint, and
    NotAVerifierKey for keys that are none.
    """
    signed = notes.read_checkpoint(
        proof.checkpoint.encode(errors="surrogatepass"), verifier_keys=verifier_keys
    )
    checkpoint = signed.checkpoint
    if proof.tree_size != checkpoint.size:
        raise NotAProof(f"the proof is for {proof.tree_size} entries, the checkpoint for others")
    reached = merkle.root_of_inclusion(
        merkle.leaf_hash(entry), index=proof.log_index, size=checkpoint.size, proof=proof.hashes
    )
    if reached != checkpoint.root:
        raise NotAProof("the proof does not lead to the root that was signed")
    return signed


def _whole_number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= merkle.SIZE_MAX:
        raise NotAProof(f"{value!r} is no place and no size")
    return value


def _hash(text: object) -> bytes:
    try:
        octets = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        octets = b""
    if len(octets) != merkle.HASH_BYTES or octets.hex() != text:
        raise NotAProof(f"{text!r} is no hash")
    return octets
