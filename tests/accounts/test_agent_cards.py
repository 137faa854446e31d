"""A card is verified by the published client and by us, and by nobody once it was changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from ainfera.agent_card import AgentCard
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey

from ainfera_server.accounts import agent_cards
from ainfera_server.accounts.agent_cards import Bearer, Card, CardAlg, CardFault, PublicKey
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


def minted(alg: CardAlg) -> tuple[Card, PublicKey]:
    key = agent_cards.make_key(alg, RANDOM)
    public_key = PublicKey(
        key_id=key.key_id,
        alg=key.alg,
        public_key_pem=key.public_key_pem,
        valid_from=MOMENT,
        valid_until=None,
    )
    return agent_cards.mint(BEARER, key, MOMENT), public_key


def fault(card: Card, key: PublicKey) -> CardFault | None:
    return agent_cards.fault(card, key, MOMENT)


def test_the_published_client_verifies_the_default_card() -> None:
    card, key = minted("ES256")
    theirs = AgentCard(jws=card.jws, payload=dict(card.payload), kid=card.key_id)
    assert theirs.verify(key.public_key_pem)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("alg", "key_class"), [("ES256", ECKey), ("EdDSA", OKPKey)])
def test_any_jose_library_verifies_a_card(
    alg: CardAlg, key_class: type[ECKey] | type[OKPKey]
) -> None:
    card, key = minted(alg)
    by_pem = key_class.import_key(key.public_key_pem)
    published: Any = agent_cards.jwk(key)
    by_jwk = KeySet.import_key_set({"keys": [published]})
    for found in (by_pem, by_jwk):
        assert jws.deserialize_compact(card.jws, found, [alg]).headers()["kid"] == card.key_id


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_card_reads_back_as_it_was_minted_and_is_genuine(alg: CardAlg) -> None:
    card, key = minted(alg)
    assert agent_cards.read(card.jws) == card
    assert fault(card, key) is None
    assert card.payload["agent_id"] == card.payload["sub"] == str(BEARER.agent_id)
    assert card.payload["issued_at"] == "2026-01-02T03:04:05.000000Z"


def test_the_same_random_bytes_grow_the_same_key_and_the_same_card() -> None:
    assert minted("ES256") == minted("ES256")
    assert agent_cards.make_key("ES256", RANDOM) == agent_cards.make_key("ES256", RANDOM)
    assert agent_cards.make_key("ES256", RANDOM) != agent_cards.make_key("ES256", bytes(48))


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_changed_card_is_not_genuine(alg: CardAlg) -> None:
    card, key = minted(alg)
    header, _, signature = card.jws.split(".")
    other, _ = minted(alg)
    forged = Card(jws=f"{header}.e30.{signature}", payload=other.payload, key_id=other.key_id)
    assert fault(forged, key) == "signature_mismatch"
    cut = Card(jws=card.jws[:-8], payload=card.payload, key_id=card.key_id)
    assert fault(cut, key) == "signature_mismatch"


def test_a_card_cannot_choose_its_algorithm() -> None:
    card, _ = minted("EdDSA")
    _, es256_key = minted("ES256")
    assert fault(card, es256_key) == "wrong_algorithm"


def test_a_key_that_was_replaced_counts_until_its_end_and_not_a_moment_longer() -> None:
    card, key = minted("ES256")
    ends_at = MOMENT + timedelta(days=7)
    replaced = replace(key, valid_until=ends_at)
    just_before = ends_at - timedelta(microseconds=1)
    assert agent_cards.standing(key, ends_at) == "current"
    assert agent_cards.standing(replaced, just_before) == "overlapping"
    assert agent_cards.fault(card, replaced, just_before) is None
    assert agent_cards.standing(replaced, ends_at) == "expired"
    assert agent_cards.fault(card, replaced, ends_at) == "expired_key"


def test_only_a_card_that_the_key_did_sign_is_called_expired() -> None:
    card, key = minted("ES256")
    forged = replace(card, jws=card.jws[:-4] + "AAAA")
    ended = replace(key, valid_until=MOMENT)
    assert agent_cards.fault(forged, ended, MOMENT) == "signature_mismatch"


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c", "é.b.c", "e30.e30.", "e30.W10.x", "." * 20_000]
)
def test_a_text_that_is_no_card_is_read_as_none(text: str) -> None:
    assert agent_cards.read(text) is None


def test_a_private_key_is_not_shown_by_accident() -> None:
    assert "PRIVATE" not in repr(agent_cards.make_key("ES256", RANDOM))
