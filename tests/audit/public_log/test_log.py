"""An entry gives nobody away, and a proof in JSON holds only as it was made."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.audit import chain
from ainfera_server.audit.public_log import log, merkle, notes
from ainfera_server.audit.public_log.log import InclusionProof
from ainfera_server.audit.public_log.merkle import NotAProof
from ainfera_server.audit.public_log.notes import Checkpoint, NotACheckpoint
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId
from tests.audit.public_log import logs

AGENT = AgentId(UUID("01890000-0000-7000-8000-000000000007"))
EVENT_HASH = "ab" * 32
SIZE = 41
ENTRIES = tuple(log.entry(AGENT, seq, EVENT_HASH) for seq in range(1, SIZE + 1))
HASHES = tuple(merkle.leaf_hash(one) for one in ENTRIES)
CHECKPOINT = Checkpoint(origin=logs.ORIGIN, size=SIZE, root=merkle.root(HASHES))


def proof(index: int) -> InclusionProof:
    return InclusionProof(
        log_index=index,
        tree_size=SIZE,
        hashes=merkle.inclusion_proof(HASHES, index=index),
        checkpoint=notes.signed(CHECKPOINT, logs.SIGNER).decode(),
    )


def check(proof: InclusionProof, entry: bytes) -> None:
    log.check_inclusion(proof, entry, verifier_keys=(logs.VERIFIER_KEY,))


def test_an_entry_is_canonical_json_of_a_pseudonym_a_place_and_a_hash() -> None:
    entry = log.entry(AGENT, 12, EVENT_HASH)
    assert entry == (
        b'{"agent":"97e008c8d722c7b6a5a00f7149e82d8aabe671b8ceab8de4b7226dee823a907d",'
        b'"event_hash":"' + b"ab" * 32 + b'","seq":12}'
    )
    assert chain.canonical(json.loads(entry)) == entry
    assert str(AGENT).encode() not in entry


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://api.ainfera.example", "api.ainfera.example/log"),
        ("https://ainfera.example:8443/gateway", "ainfera.example:8443/log"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080/log"),
        ("http://[::1]:8080", "[::1]:8080/log"),
    ],
)
def test_a_log_is_called_after_the_host_that_serves_it(public_url: str, origin: str) -> None:
    assert log.origin(public_url) == origin
    assert notes.log_key(origin, logs.SIGNER).name == origin


@pytest.mark.parametrize("index", range(SIZE))
def test_a_proof_holds_as_it_was_made_and_after_its_travel_through_json(index: int) -> None:
    travelled = log.read_inclusion_proof(json.loads(json.dumps(dict(proof(index).document))))
    assert travelled == proof(index)
    check(travelled, ENTRIES[index])


@given(st.integers(0, SIZE - 1), st.integers(0, 62), st.booleans())
def test_a_place_or_a_size_with_one_bit_changed_is_refused(
    index: int,
    bit: int,
    is_size: bool,  # noqa: FBT001 (drawn by Hypothesis)
) -> None:
    changed = (
        replace(proof(index), tree_size=SIZE ^ (1 << bit))
        if is_size
        else replace(proof(index), log_index=index ^ (1 << bit))
    )
    with pytest.raises(NotAProof):
        check(changed, ENTRIES[index])


@given(st.integers(0, SIZE - 1), st.data())
def test_an_entry_a_hash_or_a_checkpoint_with_one_bit_changed_is_refused(
    index: int, data: st.DataObject
) -> None:
    whole = proof(index)
    parts = [ENTRIES[index], *whole.hashes, whole.checkpoint.encode()]
    which = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, len(parts[which]) * 8 - 1))
    octets = bytearray(parts[which])
    octets[bit // 8] ^= 1 << bit % 8
    entry, *hashes, checkpoint = [*parts[:which], bytes(octets), *parts[which + 1 :]]
    note = checkpoint.decode("utf-8", errors="replace")
    changed = replace(whole, hashes=tuple(hashes), checkpoint=note)
    with pytest.raises((NotAProof, NotACheckpoint)):
        check(changed, entry)


def test_a_proof_against_a_strangers_checkpoint_is_refused() -> None:
    strangers = notes.log_key("other.example/log", logs.SIGNER).text
    with pytest.raises(NotACheckpoint):
        log.check_inclusion(proof(3), ENTRIES[3], verifier_keys=(strangers,))


WHOLE: dict[str, Json] = dict(proof(3).document)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**WHOLE, "more": 1},
        {name: value for name, value in WHOLE.items() if name != "checkpoint"},
        {**WHOLE, "log_index": "3"},
        {**WHOLE, "log_index": 3.0},
        {**WHOLE, "log_index": True},
        {**WHOLE, "log_index": -1},
        {**WHOLE, "tree_size": 2**63},
        {**WHOLE, "checkpoint": None},
        {**WHOLE, "hashes": None},
        {**WHOLE, "hashes": ["00"]},
        {**WHOLE, "hashes": ["AB" * 32]},
        {**WHOLE, "hashes": ["zz" * 32]},
        {**WHOLE, "hashes": [" " + "ab" * 32]},
        {**WHOLE, "hashes": [7]},
        {**WHOLE, "hashes": ["ab" * 32] * 65},
    ],
)
def test_a_document_that_is_no_proof_is_refused(document: object) -> None:
    with pytest.raises(NotAProof):
        log.read_inclusion_proof(document)
