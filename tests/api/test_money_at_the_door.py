"""Wallets, the pool and policies over HTTP: what they show, what they move, and moving it once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer, json_of

QUESTION = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 20}

ODD: tuple[tuple[str, dict[str, object], str], ...] = (
    ("topup", {"amount_usd": 1}, "agent_id"),
    ("topup", {"amount_usd": 1, "agent_id": "own", "wallet": "pool"}, "agent_id"),
    ("topup", {"amount_usd": "much", "wallet": "pool"}, "amount_usd"),
    ("topup", {"amount_usd": -1, "wallet": "pool"}, "amount_usd"),
    ("topup", {"amount_usd": 1, "wallet": "mine"}, "wallet"),
    ("move", {"from": "pool", "to": "pool", "amount_usd": 1}, "to"),
    ("move", {"from": "own", "to": "own", "amount_usd": 1}, "to"),
    ("move", {"from": "own", "to": "pool", "amount_usd": 0}, "amount_usd"),
    ("move", {"from": "own", "to": "pool", "amount_usd": True}, "amount_usd"),
    ("move", {"to": "pool", "amount_usd": 1}, "from"),
)
"""Path, body and what the refusal names."""


def another_agent(server: RunningServer, name: str = "second") -> str:
    body = {"tenant_id": server.agent.tenant_id, "name": name}
    return json_of(server.post("/v1/agents/register", body), 201)["id"]


def wallet(server: RunningServer, agent_id: str) -> Any:
    return json_of(server.get(f"/v1/wallets/{agent_id}"))


def patch(server: RunningServer, path: str, body: object) -> httpx.Response:
    return httpx.patch(server.url + path, json=body, headers=server.agent.headers, timeout=30)


def test_a_wallet_shows_the_pool_and_every_cap_with_what_is_left(server: RunningServer) -> None:
    own, tenant = server.agent.agent_id, server.agent.tenant_id
    before = wallet(server, own)
    assert before["caps"]["month"]["cap_usd"] is before["caps"]["month"]["remaining_usd"] is None
    caps = {"daily_cap_usd": "2", "monthly_cap_usd": "3"}
    json_of(patch(server, f"/v1/agents/{own}/spend-policy", caps))
    json_of(patch(server, f"/v1/tenants/{tenant}/spend-policy", {"daily_cap_usd": "4"}))
    json_of(server.post("/v1/wallets/topup", {"wallet": "pool", "amount_usd": "1.5"}), 201)
    answer = json_of(server.post("/v1/inference", {"model": "gpt-5-mini", **QUESTION}))

    after = wallet(server, own)
    cost = answer["cost_usd"]
    assert float(after["balance_usd"]) == pytest.approx(5 - float(cost))
    assert (after["pool_available_usd"], after["wallet_strict_per_agent"]) == ("1.500000", False)
    assert set(after["caps"]) == {"day", "month", "tenant_day", "tenant_month"}
    for name, cap in (("day", 2), ("month", 3), ("tenant_day", 4), ("tenant_month", None)):
        shown = after["caps"][name]
        assert (shown["spent_usd"], shown["held_usd"]) == (cost, "0.000000"), name
        assert shown["resets_at"].endswith("T00:00:00.000000Z")
        if cap is None:
            assert shown["cap_usd"] is shown["remaining_usd"] is None
        else:
            assert float(shown["remaining_usd"]) == pytest.approx(cap - float(cost)), name
    assert after["caps"]["month"]["resets_at"][8:10] == "01"


def test_the_pool_has_a_page_and_a_ledger_of_its_own(server: RunningServer) -> None:
    own = server.agent.agent_id
    assert json_of(server.get("/v1/wallets/pool")) == {
        "wallet": "pool",
        "balance_usd": "0.000000",
        "held_usd": "0.000000",
        "available_usd": "0.000000",
    }
    done = json_of(server.post("/v1/wallets/topup", {"wallet": "pool", "amount_usd": 2}), 201)
    assert (done["wallet"], done["agent_id"]) == ("pool", None)
    assert done["new_balance_usd"] == "2.000000"
    asked = {"from": "pool", "to": own, "amount_usd": "0.25"}
    moved = json_of(server.post("/v1/wallets/move", asked), 201)
    assert (moved["from_balance_usd"], moved["to_balance_usd"]) == ("1.750000", "5.250000")
    ledger = json_of(server.get("/v1/ledger/pool"))
    assert ledger["available_usd"] == "1.750000"
    assert [(line["kind"], line["amount_usd"]) for line in ledger["entries"]] == [
        ("move", "-0.250000"),
        ("topup", "2.000000"),
    ]
    assert {line["agent_id"] for line in ledger["entries"]} == {own}
    older = json_of(server.get(f"/v1/ledger/pool?before={ledger['entries'][0]['version']}"))
    assert older["entries"] == ledger["entries"][1:]
    (move, _grant) = json_of(server.get(f"/v1/ledger/{own}"))["entries"]
    assert (move["kind"], move["amount_usd"]) == ("move", "0.250000")
    assert move["transfer_id"] == moved["transfer_id"]


@proves("no-overspend")
def test_the_pool_pays_for_what_a_wallet_cannot_unless_wallets_are_strict(
    server: RunningServer,
) -> None:
    poor, tenant = another_agent(server), server.agent.tenant_id
    asked = {"model": "gpt-5-mini", "agent_id": poor, **QUESTION}
    assert server.post("/v1/inference", asked).status_code == 402
    json_of(server.post("/v1/wallets/topup", {"wallet": "pool", "amount_usd": "1"}), 201)
    cost = json_of(server.post("/v1/inference", asked))["cost_usd"]
    assert wallet(server, poor)["balance_usd"] == "0.000000"
    (debit, _topup) = json_of(server.get("/v1/ledger/pool"))["entries"]
    assert (debit["kind"], debit["agent_id"]) == ("debit", poor)
    assert debit["amount_usd"] == f"-{cost}"

    strict = {"wallet_strict_per_agent": True}
    shown = json_of(patch(server, f"/v1/tenants/{tenant}/spend-policy", strict))
    assert shown["spend_policy"]["wallet_strict_per_agent"] is True
    assert wallet(server, poor)["wallet_strict_per_agent"] is True
    assert server.post("/v1/inference", asked).status_code == 402


def test_money_is_moved_only_as_far_as_it_is_there(server: RunningServer) -> None:
    own, second = server.agent.agent_id, another_agent(server)
    too_much = server.post(
        "/v1/wallets/move", {"from": own, "to": second, "amount_usd": "5.000001"}
    )
    body = json_of(too_much, 402)
    assert body["code"] == "insufficient_funds"
    assert "5.000000 USD are available" in body["message"]
    asked = {"from": own, "to": second, "amount_usd": "5"}
    moved = json_of(server.post("/v1/wallets/move", asked), 201)
    assert (moved["from_balance_usd"], moved["to_balance_usd"]) == ("0.000000", "5.000000")
    assert len(moved["audit_event_ids"]) == 2
    for agent_id in (own, second):
        assert json_of(server.get(f"/v1/audit/{agent_id}/verify"))["valid"]


@proves("bad-input-changes-nothing")
def test_an_odd_top_up_or_move_is_refused_and_moves_nothing(server: RunningServer) -> None:
    own = server.agent.agent_id
    for path, body, param in ODD:
        asked = {name: own if value == "own" else value for name, value in body.items()}
        refused = server.post(f"/v1/wallets/{path}", asked)
        assert refused.status_code == 422, body
        assert param in refused.text, body
    assert wallet(server, own)["balance_usd"] == "5.000000"
    assert json_of(server.get("/v1/wallets/pool"))["balance_usd"] == "0.000000"


@proves("tenants-are-strangers")
def test_a_stranger_cannot_move_money_out_of_or_into_a_wallet(server: RunningServer) -> None:
    theirs = server.agent.agent_id
    stranger = replace(server, agent=server.sign_up("stranger"))
    own = stranger.agent.agent_id
    nobody = "01990000-0000-7000-8000-000000000000"
    for pair in (("from", "to"), ("to", "from")):
        answers = [
            stranger.post("/v1/wallets/move", {pair[0]: other, pair[1]: own, "amount_usd": 1})
            for other in (theirs, nobody, "no-id")
        ]
        assert {(one.status_code, one.json()["message"]) for one in answers} == {
            (404, "There is no such agent.")
        }
    assert wallet(server, theirs)["balance_usd"] == "5.000000"


@proves("retries-are-safe")
@pytest.mark.parametrize("path", ["topup", "move"])
def test_the_same_key_moves_money_once_and_gives_the_same_answer(
    server: RunningServer, look: Look, path: str
) -> None:
    own = server.agent.agent_id
    body: dict[str, object] = (
        {"agent_id": own, "amount_usd": 1}
        if path == "topup"
        else {"from": own, "to": "pool", "amount_usd": 1}
    )
    first = server.post(f"/v1/wallets/{path}", body, idempotency_key="k-1")
    again = server.post(f"/v1/wallets/{path}", body, idempotency_key="k-1")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = server.post(f"/v1/wallets/{path}", {**body, "amount_usd": 2}, idempotency_key="k-1")
    assert json_of(other, 422)["code"] == "idempotency_key_conflict"
    balance = "6.000000" if path == "topup" else "4.000000"
    assert wallet(server, own)["balance_usd"] == balance
    (kept,) = look(
        "select state, answer_sealed, expires_at - created_at >= '24 hours' as is_kept_a_day"
        " from idempotency_keys"
    )
    assert (kept["state"], kept["is_kept_a_day"]) == ("answered", True)
    assert "balance" not in kept["answer_sealed"]
    json_of(server.post(f"/v1/wallets/{path}", body, idempotency_key="k-2"), 201)
    assert wallet(server, own)["balance_usd"] != balance


@proves("retries-are-safe")
def test_many_at_once_with_one_key_move_money_once(server: RunningServer) -> None:
    body = {"wallet": "pool", "amount_usd": "0.5"}

    def top_up(_: int) -> httpx.Response:
        return server.post("/v1/wallets/topup", body, idempotency_key="at-once")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(top_up, range(8)))
    assert {(one.status_code, one.content) for one in answers} == {(201, answers[0].content)}
    assert sum("idempotent-replayed" not in one.headers for one in answers) == 1
    assert json_of(server.get("/v1/wallets/pool"))["balance_usd"] == "0.500000"


@proves("retries-are-safe")
def test_a_top_up_that_was_refused_leaves_its_key_free(server: RunningServer) -> None:
    own = server.agent.agent_id
    asked = {"from": "pool", "to": own, "amount_usd": 1}
    assert server.post("/v1/wallets/move", asked, idempotency_key="k").status_code == 402
    json_of(server.post("/v1/wallets/topup", {"wallet": "pool", "amount_usd": 1}), 201)
    assert server.post("/v1/wallets/move", asked, idempotency_key="k").status_code == 201
    long = server.post("/v1/wallets/move", asked, idempotency_key="k" * 256)
    assert "Idempotency-Key must be 1 to 255" in json_of(long, 422)["message"]


@proves("tenants-are-strangers")
def test_the_same_key_of_another_tenant_is_another_key(server: RunningServer) -> None:
    stranger = replace(server, agent=server.sign_up("stranger"))
    body = {"wallet": "pool", "amount_usd": "1"}
    for asking in (server, stranger):
        done = asking.post("/v1/wallets/topup", body, idempotency_key="mine")
        assert json_of(done, 201)["new_balance_usd"] == "1.000000"
        assert "idempotent-replayed" not in done.headers


def test_a_policy_with_lists_is_set_shown_and_audited(server: RunningServer) -> None:
    own = server.agent.agent_id
    path = f"/v1/agents/{own}/spend-policy"
    asked = {"allowed_models": ["gpt-5-mini"], "allowed_providers": ["openai"]}
    changed = json_of(patch(server, path, {**asked, "may_exceed_hold": True}))
    shown = json_of(server.get(f"/v1/agents/{own}"))["spend_policy"]
    assert shown == changed["spend_policy"]
    assert {name: shown[name] for name in asked} == asked
    refused = json_of(patch(server, path, {"allowed_models": ["gpt-5-min"]}), 422)
    assert "The nearest is 'gpt-5-mini'." in refused["message"]
    assert json_of(patch(server, path, {"allowed_models": []}), 422)["code"] == "invalid_request"
    lifted = json_of(patch(server, path, {"allowed_models": None}))
    assert lifted["spend_policy"]["allowed_models"] is None
    events = json_of(server.get(f"/v1/audit/{own}"))["events"]
    assert [one["event_type"] for one in events].count("spend_policy.updated") == 2


def test_a_newcomer_may_sign_up_with_a_whole_policy(server: RunningServer) -> None:
    asked = {
        "monthly_cap_usd": "30.000000",
        "session_cap_usd": "2.000000",
        "subagent_cap_usd": "1.000000",
        "allowed_models": ["gpt-5-mini"],
        "may_exceed_hold": True,
    }
    newcomer = replace(server, agent=server.sign_up("careful", **asked))
    shown = json_of(newcomer.get(f"/v1/agents/{newcomer.agent.agent_id}"))["spend_policy"]
    assert {name: shown[name] for name in asked} == asked


@proves("tenants-are-strangers")
def test_a_tenants_policy_is_its_own(server: RunningServer) -> None:
    path = f"/v1/tenants/{server.agent.tenant_id}/spend-policy"
    json_of(patch(server, path, {"monthly_cap_usd": 50}))
    assert json_of(server.get(path)) == {
        "tenant_id": server.agent.tenant_id,
        "spend_policy": {
            "daily_cap_usd": None,
            "monthly_cap_usd": "50.000000",
            "wallet_strict_per_agent": False,
        },
    }
    stranger = replace(server, agent=server.sign_up("stranger"))
    assert stranger.get(path).status_code == 404
    assert patch(stranger, path, {"monthly_cap_usd": 1}).status_code == 404
    for odd in ({"daily_cap_usd": "0.001"}, {"wallet_strict_per_agent": "yes"}):
        assert patch(server, path, odd).status_code == 422
    assert json_of(server.get(path))["spend_policy"]["monthly_cap_usd"] == "50.000000"


@pytest.mark.parametrize("whose", ["agents", "tenants"])
def test_a_change_of_a_policy_that_names_nothing_known_is_refused_with_the_nearest(
    server: RunningServer, whose: str
) -> None:
    owner = server.agent.agent_id if whose == "agents" else server.agent.tenant_id
    path = f"/v1/{whose}/{owner}/spend-policy"
    refused = patch(server, path, {"daily_cap": "1"})
    assert refused.status_code == 422
    assert "'daily_cap_usd'" in refused.text
    half_a_character = b'{"\\ud800": 1}'
    headers = server.agent.headers
    odd = httpx.patch(server.url + path, content=half_a_character, headers=headers, timeout=30)
    assert odd.status_code == 422
    shown = json_of(patch(server, path, {"daily_cap_usd": "1", "daily_cap": "2", "x": [{}]}))
    assert shown["spend_policy"]["daily_cap_usd"] == "1.000000"
    assert patch(server, path, {}).status_code == 200
