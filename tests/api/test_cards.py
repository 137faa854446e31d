"""Cards at the door: a rotation, what verifying says around it, and the keys anybody may read."""

import httpx
import pytest
from ainfera import AinferaClient
from joserfc import jws
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from tests.api.worlds import NOBODYS_ID
from tests.promises import proves
from tests.running_server import RunningServer, json_of

WEEK_S = 7 * 24 * 3600


def card_of(server: RunningServer) -> dict[str, str]:
    return json_of(server.get(f"/v1/agents/{server.agent.agent_id}/card"))


def rotate(server: RunningServer, body: object = None) -> dict[str, str]:
    return json_of(server.post(f"/v1/agents/{server.agent.agent_id}/card/rotate", body))


def verdict(server: RunningServer, card: dict[str, str]) -> dict[str, object]:
    found = json_of(server.post("/v1/agents/cards/verify", {"jws": card["jws"]}))
    return {name: found[name] for name in ("valid", "status", "reason", "key_status")}


VALID = {"valid": True, "status": "valid", "reason": None}
EXPIRED = {"valid": False, "status": "invalid", "reason": "expired_key", "key_status": "expired"}


@proves("cards-rotate")
def test_a_rotated_card_counts_and_the_one_before_beside_it(server: RunningServer) -> None:
    before = card_of(server)
    after = rotate(server)
    assert after["previous_kid"] == before["kid"] != after["kid"]
    assert card_of(server) == {name: after[name] for name in ("jws", "payload", "kid")}
    assert verdict(server, before) == {**VALID, "key_status": "overlapping"}
    assert verdict(server, after) == {**VALID, "key_status": "current"}


def test_a_rotation_without_overlap_ends_every_older_card_now(server: RunningServer) -> None:
    first = card_of(server)
    second = rotate(server, {"overlap_s": WEEK_S})
    third = rotate(server, {"overlap_s": 0})
    assert verdict(server, first) == verdict(server, second) == EXPIRED
    assert verdict(server, third) == {**VALID, "key_status": "current"}


@pytest.mark.parametrize("overlap", [-1, 367 * 24 * 3600, "soon", 1.5])
def test_an_odd_overlap_is_refused_at_the_door(server: RunningServer, overlap: object) -> None:
    before = card_of(server)
    url = f"/v1/agents/{server.agent.agent_id}/card/rotate"
    assert server.post(url, {"overlap_s": overlap}).status_code == 422
    assert card_of(server) == before


def test_anybody_reads_the_keys_and_verifies_with_any_jose_library(server: RunningServer) -> None:
    first = card_of(server)
    rotate(server, {"overlap_s": 0})
    second = card_of(server)
    third = rotate(server)
    url = f"{server.url}/v1/agents/{server.agent.agent_id}/card/keys"
    found = httpx.get(url).json()
    assert [one["kid"] for one in found["keys"]] == [third["kid"], second["kid"]]
    assert [one["status"] for one in found["keys"]] == ["current", "overlapping"]
    assert found["keys"][0]["valid_until"] is None
    assert [one["kid"] for one in found["expired_keys"]] == [first["kid"]]
    key_set = KeySet.import_key_set({"keys": found["keys"]})
    for card in (second, third):
        assert jws.deserialize_compact(card["jws"], key_set, ["ES256"])
    with pytest.raises(InvalidKeyIdError):
        jws.deserialize_compact(first["jws"], key_set, ["ES256"])
    pem = httpx.get(f"{server.url}/v1/agents/{server.agent.agent_id}/pubkey").text
    assert pem == found["keys"][0]["public_key_pem"]
    for nobody in (NOBODYS_ID, "no-id"):
        for path in ("card/keys", "pubkey"):
            assert httpx.get(f"{server.url}/v1/agents/{nobody}/{path}").status_code == 404


def test_the_published_client_verifies_a_rotated_card(server: RunningServer) -> None:
    with AinferaClient(api_key=server.agent.api_key, base_url=server.url) as client:
        before = client.agents.retrieve(server.agent.agent_id)
        old_card = before.get_card()
        assert old_card.verify()
        rotate(server)
        after = client.agents.retrieve(server.agent.agent_id)
        card = after.get_card()
        assert card.verify()
        assert card.kid != old_card.kid
        assert after.audit_chain.verify()
