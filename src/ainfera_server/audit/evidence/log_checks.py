"""Checks of the whole public log as a file holds it, and of a chain against it."""

import hashlib
import re
from collections.abc import Sequence

from ainfera_server.audit.evidence.exhibits import ChainExport, LogExport
from ainfera_server.audit.evidence.findings import Fault
from ainfera_server.audit.evidence.trust import Keys
from ainfera_server.audit.public_log import merkle, notes
from ainfera_server.audit.public_log.notes import NotACheckpoint, SignedCheckpoint

ENTRY = re.compile(
    r'\{"agent":"([0-9a-f]{64})","event_hash":"([0-9a-f]{64})","seq":([1-9][0-9]{0,18})\}',
    re.ASCII,
)
LOG = "the log"
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def checkpoint(export: LogExport, keys: Keys) -> SignedCheckpoint:
    """Read the checkpoint that the log signed. Raises Fault."""
    if not export.log_keys:
        raise Fault("the file names no key of the log", record="the checkpoint")
    return _read(export.checkpoint, keys, record="the checkpoint")


def leaves_count(export: LogExport, signed: SignedCheckpoint) -> int:
    """Check that these leaf hashes are all that the checkpoint counts. Raises Fault."""
    size, counted = signed.checkpoint.size, len(export.leaf_hashes)
    if size != counted:
        raise Fault(f"the checkpoint counts {size} entries, and the file has {counted} leaf hashes")
    if not all(map(HASH.fullmatch, export.leaf_hashes)):
        raise Fault("some of them are no hashes")
    leaves = [bytes.fromhex(leaf) for leaf in export.leaf_hashes]
    if merkle.root(leaves) != signed.checkpoint.root:
        raise Fault("they do not lead to the root that was signed")
    return counted


def entries_count(export: LogExport) -> int:
    """Check each entry against its leaf hash, and among those of its agent. Raises Fault."""
    seqs: dict[str, int] = {}
    for place, (text, leaf) in enumerate(zip(export.entries, export.leaf_hashes, strict=False), 1):
        if merkle.leaf_hash(text.encode()).hex() != leaf:
            raise _fault("its leaf hash is another", place)
        entry = ENTRY.fullmatch(text)
        if entry is None:
            raise _fault("its text is not as the log writes entries", place)
        agent, _, seq = entry.groups()
        expected = seqs.get(agent, 0) + 1
        if int(seq) != expected:
            raise _fault(f"it is event {seq} of its agent, and event {expected} comes next", place)
        seqs[agent] = expected
    counted = len(export.leaf_hashes)
    if len(export.entries) != counted:
        raise _fault(
            f"there are {counted} leaf hashes, and {len(export.entries)} entries",
            min(counted, len(export.entries)) + 1,
        )
    return counted


def counted_count(chain: ChainExport, log: LogExport, *, brought: Keys) -> int:
    """Check a chain against every entry that the log has of its agent.

    The log has to be the one that the chain's own proof is from, and no other that its server
    keeps for somebody else: signed by the same key, and continuing the proof's tree. Raises Fault.
    """
    log_keys = brought.log_keys or chain.log_keys
    if not log_keys:
        raise Fault("the chain names no key of a log, and none was given", record=LOG)
    keys = Keys(pems={}, log_keys=log_keys)
    signed = checkpoint(log, keys)
    agent = hashlib.sha256(chain.agent_id.encode()).hexdigest()
    in_log = _hashes_of(agent, log.entries)
    _require_events(chain, in_log)
    if chain.inclusion is not None:
        own = _read(chain.inclusion.checkpoint, keys, record="the checkpoint of the chain's proof")
        _require_continued(own, signed, log)
        if len(in_log) < (chain.inclusion_seq or 0):
            place = len(in_log) + 1
            sentence = "its proof says that it is in the log, and it is not there"
            raise Fault(sentence, record=f"event {place}", place=place)
    return len(in_log)


def _require_events(chain: ChainExport, in_log: Sequence[str]) -> None:
    """What the log has of the agent is the chain, from its first event, and nothing behind it."""
    for place, (event, logged) in enumerate(zip(chain.events, in_log, strict=False), start=1):
        if event.event_hash != logged:
            raise Fault(
                "the log has another event in its place", record=f"event {place}", place=place
            )
    if len(in_log) > len(chain.events):
        place = len(chain.events) + 1
        raise Fault(
            f"the log has {len(in_log)} events of the agent, and the chain is cut off before this"
            " one",
            record=f"event {place}",
            place=place,
        )


def _require_continued(own: SignedCheckpoint, signed: SignedCheckpoint, log: LogExport) -> None:
    """The tree of the chain's proof is the beginning of the log's."""
    of_chain, of_log = own.checkpoint, signed.checkpoint
    if of_chain.origin != of_log.origin:
        raise Fault(f"it is {of_log.origin!r}, and the chain is in {of_chain.origin!r}", record=LOG)
    if of_log.size < of_chain.size or len(log.entries) < of_chain.size:
        raise Fault(
            f"it has {of_log.size} entries and the checkpoint of the chain's proof {of_chain.size}:"
            " it is older than the chain, so take a newer one",
            record=LOG,
        )
    leaves = [merkle.leaf_hash(text.encode()) for text in log.entries[: of_chain.size]]
    if merkle.root(leaves) != of_chain.root:
        sentence = f"its first {of_chain.size} entries are not those of the chain's checkpoint"
        raise Fault(f"{sentence}: there are two logs", record=LOG)


def _hashes_of(agent: str, entries: Sequence[str]) -> list[str]:
    found = (ENTRY.fullmatch(text) for text in entries)
    return [entry[2] for entry in found if entry is not None and entry[1] == agent]


def _read(note: str, keys: Keys, *, record: str) -> SignedCheckpoint:
    try:
        return notes.read_checkpoint(note.encode(), verifier_keys=keys.log_keys)
    except NotACheckpoint as problem:
        raise Fault(str(problem), record=record) from None


def _fault(sentence: str, place: int) -> Fault:
    return Fault(sentence, record=f"entry {place - 1} of the log, counted from 0", place=place)
