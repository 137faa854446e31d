"""The published `ainfera` client, unchanged, against a really running server."""

from decimal import Decimal

import pytest
from ainfera import AinferaClient, APIError
from ainfera.ledger import LedgerEntry

from tests.promises import proves
from tests.running_server import RunningServer, json_of


@proves("vendor-clients-work")
def test_the_published_client_signs_up_and_everything_it_knows_works(
    server: RunningServer,
) -> None:
    with AinferaClient(api_key="", base_url=server.url) as bootstrap:
        bundle = bootstrap.agents.signup(
            agent_handle="ainfera-e2e-20260101-010203-12345",
            owner_handle="some-owner",
            per_call_cap_usd=1.5,
            daily_cap_usd="10",
            metadata={"use_case": "test", "intent": "all of it"},
        )
    assert bundle.api_key.startswith("ainfera_")
    assert bundle.canonical_uri == "ainfera.ai/some-owner/ainfera-e2e-20260101-010203-12345"
    assert bundle.agent_card_jws is not None
    assert bundle.agent_card_jws.count(".") == 2

    with AinferaClient(api_key=bundle.api_key, base_url=server.url) as client:
        agent = client.agents.retrieve(bundle.agent_id)
        assert agent.status == "active"
        assert agent.tenant_id == bundle.tenant_id
        assert agent.get_card().verify()

        assert agent.wallet.balance_usd == Decimal("5.000000")
        assert agent.wallet.topup(2.5).balance_usd == Decimal("7.500000")

        chain = agent.audit_chain
        assert chain.verify()
        remote = chain.verify_remote()
        assert remote.valid
        assert remote.event_count == len(list(chain.events()))
        assert [event.event_type for event in chain.events(limit=2)] == [
            "agent.registered",
            "agent_card.minted",
        ]
        assert chain.annex_iv_bundle()["audit_summary"]["valid"] is True

        another = client.agents.register(tenant_id=bundle.tenant_id, name="Another agent")
        assert another.refresh().name == "Another agent"
        assert another.wallet.balance_usd == 0


def test_the_published_client_understands_every_line_of_the_ledger(
    server: RunningServer,
) -> None:
    ledger = json_of(server.get(f"/v1/ledger/{server.agent.agent_id}"))
    (entry,) = [LedgerEntry.model_validate(line) for line in ledger["entries"]]
    assert (entry.kind, entry.amount_usd) == ("grant", Decimal(5))
    assert entry.balance_after_usd == Decimal(ledger["balance_usd"])


def test_the_published_client_shows_our_sentence_for_a_stranger(server: RunningServer) -> None:
    stranger = server.sign_up("stranger")
    with (
        AinferaClient(api_key=stranger.api_key, base_url=server.url) as client,
        pytest.raises(APIError, match="There is no such agent") as refused,
    ):
        client.agents.retrieve(server.agent.agent_id)
    assert refused.value.status_code == 404
