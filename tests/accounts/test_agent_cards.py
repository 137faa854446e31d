"""A card is verified by the published client and by us, and by nobody once it was changed."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from ainfera.agent_card import AgentCard
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from ainfera_server.accounts import agent_cards
from ainfera_server.accounts.agent_cards import Bearer, Card, CardAlg
from ainfera_server.identifiers import AgentId, TenantId

BEARER = Bearer(
    agent_id=AgentId(UUID(int=1)),
    tenant_id=TenantId(UUID(int=2)),
    handle="scout",
    canonical_uri="ainfera.ai/agents/scout",
    did_web="did:web:ainfera.ai:agents:scout",
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RANDOM = bytes(range(48))


def minted(alg: CardAlg) -> tuple[Card, str]:
    key = agent_cards.make_key(alg, RANDOM)
    return agent_cards.mint(BEARER, key, MOMENT), key.public_key_pem


def test_the_published_client_verifies_the_default_card() -> None:
    card, pem = minted("ES256")
    theirs = AgentCard(jws=card.jws, payload=dict(card.payload), kid=card.key_id)
    assert theirs.verify(pem)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("alg", "key_class"), [("ES256", ECKey), ("EdDSA", OKPKey)])
def test_any_jose_library_verifies_a_card(
    alg: CardAlg, key_class: type[ECKey] | type[OKPKey]
) -> None:
    card, pem = minted(alg)
    key = key_class.import_key(pem)
    assert jws.deserialize_compact(card.jws, key, [alg]).headers()["kid"] == card.key_id


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_card_reads_back_as_it_was_minted_and_is_genuine(alg: CardAlg) -> None:
    card, pem = minted(alg)
    assert agent_cards.read(card.jws) == card
    assert agent_cards.fault(card, alg=alg, public_key_pem=pem) is None
    assert card.payload["agent_id"] == card.payload["sub"] == str(BEARER.agent_id)
    assert card.payload["issued_at"] == "2026-01-02T03:04:05.000000Z"


def test_the_same_random_bytes_grow_the_same_key_and_the_same_card() -> None:
    assert minted("ES256") == minted("ES256")
    assert agent_cards.make_key("ES256", RANDOM) == agent_cards.make_key("ES256", RANDOM)
    assert agent_cards.make_key("ES256", RANDOM) != agent_cards.make_key("ES256", bytes(48))


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_changed_card_is_not_genuine(alg: CardAlg) -> None:
    card, pem = minted(alg)
    header, _, signature = card.jws.split(".")
    other, _ = minted(alg)
    forged = Card(jws=f"{header}.e30.{signature}", payload=other.payload, key_id=other.key_id)
    assert agent_cards.fault(forged, alg=alg, public_key_pem=pem) == "signature_mismatch"
    cut = Card(jws=card.jws[:-8], payload=card.payload, key_id=card.key_id)
    assert agent_cards.fault(cut, alg=alg, public_key_pem=pem) == "signature_mismatch"


def test_a_card_cannot_choose_its_algorithm() -> None:
    card, _ = minted("EdDSA")
    _, es256_pem = minted("ES256")
    fault = agent_cards.fault(card, alg="ES256", public_key_pem=es256_pem)
    assert fault == "wrong_algorithm"


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c", "é.b.c", "e30.e30.", "e30.W10.x", "." * 20_000]
)
def test_a_text_that_is_no_card_is_read_as_none(text: str) -> None:
    assert agent_cards.read(text) is None


def test_a_private_key_is_not_shown_by_accident() -> None:
    assert "PRIVATE" not in repr(agent_cards.make_key("ES256", RANDOM))
