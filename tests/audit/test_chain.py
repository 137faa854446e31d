"""A chain is what everybody else computes too, and whatever is changed in it shows."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
import rfc8785
from ainfera.audit import AuditEvent
from ainfera.verify import verify_chain
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.audit import annex_iv, chain, signing
from ainfera_server.audit.chain import GENESIS, Head, Link
from ainfera_server.audit.events import Event, EventType, NotRecordable
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, EventId, TenantId
from tests.promises import proves

SIGNER = signing.signer(b"\x01" * 32)
KEYS = {SIGNER.key_id: SIGNER.public_key_pem}
AGENT = AgentId(UUID("01930000-0000-7000-8000-0000000000aa"))
TENANT = TenantId(UUID("01930000-0000-7000-8000-0000000001aa"))
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(max_codepoint=127), min_size=1, max_size=10)
RECORDABLE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
FACTS = st.dictionaries(NAMES.map(lambda name: f"x{name}"), RECORDABLE, max_size=5)


def event(number: int, facts: Mapping[str, Json]) -> Event:
    return Event(
        event_id=EventId(UUID(int=number)),
        tenant_id=TENANT,
        agent_id=AGENT,
        event_type=EventType.INFERENCE_ROUTED,
        facts=facts,
        created_at=MOMENT + timedelta(seconds=number),
    )


def linked(*facts: Mapping[str, Json]) -> list[Link]:
    links: list[Link] = []
    head = GENESIS
    for number, one in enumerate(facts):
        links.append(chain.link(head, event(number, one), SIGNER))
        head = links[-1].head
    return links


def verify(links: list[Link]) -> chain.Verdict:
    return chain.verify(links, agent_id=AGENT, public_key_pems=KEYS)


def test_the_three_published_check_values_hold() -> None:
    first = chain.event_hash(None, chain.canonical({"v": 0}))
    second = chain.event_hash(first, chain.canonical({"v": 1}))
    third = chain.event_hash(
        second,
        chain.canonical({"a": [1, 2.5, None, True], "b": "é", "c": {"z": 1, "y": "x/y"}}),
    )
    assert first == "ec4f95abcb4e2e3dbe856c3eb2f81995eacb3823d40aa2e78ed4c5e1798f664d"
    assert second == "cbd0f4e8bff6f1048a3d434c2608cc1d666142ffd39c0518ce5fa78efa7fca1c"
    assert third == "144310c76e74dcdc827ae3e240aa687cec99f6ba2dcaa5c66d3290b6dcc7b6b1"


@given(FACTS)
def test_recordable_facts_have_one_canonical_form_in_every_library(facts: dict[str, Json]) -> None:
    canonical = chain.canonical(facts)
    pythons = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical == pythons.encode()
    assert canonical == rfc8785.dumps(facts)


@given(st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False) | st.integers()))
def test_whatever_we_would_not_record_still_hashes_as_python_writes_it(
    facts: dict[str, Json],
) -> None:
    pythons = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert chain.canonical(facts) == pythons.encode()


@pytest.mark.parametrize(
    "facts",
    [
        {"cost": 0.5},
        {"cost": float("nan")},
        {"größe": 1},
        {"seq": 1},
        {"big": 2**53},
        {"big": -(2**53)},
        {"list": [{"cost": 0.5}]},
        {"half": "\ud800"},
        {"object": {"größe": 1}},
    ],
)
def test_a_fact_that_readers_would_not_agree_on_is_refused(facts: dict[str, Json]) -> None:
    with pytest.raises(NotRecordable):
        event(1, facts)


def test_facts_nested_without_end_are_refused() -> None:
    nested: Json = "deep"
    for _ in range(20):
        nested = [nested]
    with pytest.raises(NotRecordable, match="deep"):
        event(1, {"nested": nested})


@given(st.lists(FACTS, max_size=4))
def test_an_untouched_chain_is_valid(facts: list[dict[str, Json]]) -> None:
    verdict = verify(linked(*facts))
    assert verdict.valid
    assert verdict.event_count == len(facts)


def test_the_published_client_verifies_our_chain() -> None:
    links = linked({"b": "é"}, {"a": [1, None]}, {})
    assert verify_chain([AuditEvent.model_validate(annex_iv.event(one)) for one in links])


def test_the_payload_repeats_what_stands_beside_it() -> None:
    (link,) = linked({"model": "m"})
    assert orjson.loads(link.payload) == {
        "agent_id": str(AGENT),
        "created_at": "2026-01-02T03:04:05.000006Z",
        "event_id": str(UUID(int=0)),
        "event_type": "inference.routed",
        "model": "m",
        "seq": 1,
        "tenant_id": str(TENANT),
    }


FORGED = signing.signer(b"\x02" * 32)

CHANGES: Mapping[str, object] = {
    "agent_id": AgentId(UUID(int=3)),
    "seq": 7,
    "event_id": EventId(UUID(int=99)),
    "tenant_id": TenantId(UUID(int=4)),
    "event_type": "ledger.debited",
    "payload": '{"model":"other"}',
    "previous_hash": "0" * 64,
    "event_hash": "0" * 64,
    "key_id": FORGED.key_id,
    "signature": signing.signature(FORGED, b"something else"),
    "created_at": MOMENT + timedelta(days=1),
}


def test_every_field_of_a_link_is_tried() -> None:
    assert set(CHANGES) == set(Link.__dataclass_fields__)


@proves("tampering-is-named")
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("field", CHANGES)
def test_any_changed_field_is_found_where_it_is(field: str, position: int) -> None:
    links = linked({"n": 0}, {"n": 1}, {"n": 2})
    links[position] = replace(links[position], **{field: CHANGES[field]})
    verdict = verify(links)
    assert not verdict.valid
    assert verdict.failure_seq == links[position].seq
    assert verdict.event_count == position


@given(st.data())
def test_any_changed_character_of_any_text_is_found(data: st.DataObject) -> None:
    links = linked({"text": "words"}, {"text": "more"})
    position = data.draw(st.integers(0, 1))
    field = data.draw(st.sampled_from(["payload", "event_hash", "signature", "event_type"]))
    text: str = getattr(links[position], field)
    at = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda one: one != text[at]))
    changed = text[:at] + character + text[at + 1 :]
    links[position] = replace(links[position], **{field: changed})
    assert not verify(links).valid


@proves("tampering-is-named")
def test_a_link_left_out_or_moved_is_found() -> None:
    links = linked({"n": 0}, {"n": 1}, {"n": 2})
    assert verify([links[0], links[2]]).failure_reason == "sequence_gap"
    assert verify([links[1], links[2]]).failure_reason == "sequence_gap"
    assert verify([links[0], links[0], links[1]]).failure_reason == "sequence_gap"


@proves("tampering-is-named")
def test_a_tail_cut_off_is_found_by_the_end_on_record() -> None:
    links = linked({"n": 0}, {"n": 1})
    verdict = chain.verify_end(verify(links[:1]), links[-1].head)
    assert (verdict.valid, verdict.failure_seq) == (False, 2)
    assert verdict.failure_reason == "head_mismatch"
    assert chain.verify_end(verify(links), links[-1].head).valid


def test_a_chain_rewritten_with_a_key_of_ones_own_is_found() -> None:
    forged = chain.link(GENESIS, event(0, {"n": 0}), FORGED)
    assert verify([forged]).failure_reason == "unknown_key"
    signed_as_ours = replace(forged, key_id=SIGNER.key_id)
    assert verify([signed_as_ours]).failure_reason == "signature_mismatch"


def test_a_payload_that_clients_would_write_otherwise_is_found() -> None:
    (link,) = linked({"n": 0})
    spaced = link.payload.replace(":", ": ", 1)
    sealed = chain.event_hash(None, spaced.encode())
    forged = replace(
        link,
        payload=spaced,
        event_hash=sealed,
        signature=signing.signature(SIGNER, sealed.encode()),
    )
    assert verify([forged]).failure_reason == "payload_not_canonical"


def test_checking_can_go_on_behind_a_page() -> None:
    links = linked({"n": 0}, {"n": 1}, {"n": 2})
    first = chain.verify(links[:2], agent_id=AGENT, public_key_pems=KEYS)
    rest = chain.verify(links[2:], agent_id=AGENT, public_key_pems=KEYS, after=first.head)
    assert rest == chain.Verdict(valid=True, head=Head(seq=3, event_hash=links[2].event_hash))
