"""What the pages show is what happened, in the numbers of the API, and nothing of anybody else."""

import html as html_module
from uuid import UUID

import pytest

from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.api import given
from ainfera_server.dashboard import call_pages, rendering
from ainfera_server.errors import Invalid
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import TenantId
from ainfera_server.postgres import tenancy
from ainfera_server.routing.decision import RuleFired
from ainfera_server.routing.filters import DropReason
from tests.conftest import Look
from tests.dashboard.conftest import Browser, Doors
from tests.scripted_provider import ScriptedProvider

COUNTS = """
    select
        (select count(*) from inferences) as inferences,
        (select count(*) from routing_outcomes) as routing_outcomes,
        (select count(*) from transfers) as transfers,
        (select count(*) from ledger_entries) as ledger_entries,
        (select count(*) from audit_events) as audit_events
"""
CANARY = "<script>alert('canary')</script>"


async def test_the_overview_of_a_newcomer_is_honestly_empty(browser: Browser) -> None:
    twin = await browser.knows("/dashboard/overview.json")
    page = await browser.reads("/dashboard/overview")
    assert twin["money"] == {
        "balance_usd": "5.000000",
        "held_usd": "0.000000",
        "available_usd": "5.000000",
        "spent_today_usd": "0.000000",
        "held_today_usd": "0.000000",
        "daily_cap_usd": None,
        "agents_with_a_daily_cap": 0,
    }
    assert twin["pool"] == {
        "balance_usd": "0.000000",
        "held_usd": "0.000000",
        "available_usd": "0.000000",
        "daily_cap_usd": None,
        "monthly_cap_usd": None,
        "wallet_strict_per_agent": False,
    }
    assert twin["lately"]["calls"] == 0
    assert twin["lately"]["latency_ms_p50"] is None
    assert twin["models"] == []
    assert "no daily cap is set" in page
    assert "pays for what a wallet cannot" in page
    assert "No model has answered" in page


async def test_the_overview_has_the_numbers_of_the_api(
    browser: Browser, doors: Doors, scripted_provider: ScriptedProvider
) -> None:
    answers = [(await doors.ask()).json(), (await doors.ask(model="gpt-5")).json()]
    refused = await doors.ask(routing_hint={"min_quality": 1.0})
    scripted_provider.fails(status=500)
    failed = await doors.ask()
    assert (refused.status_code, failed.status_code) == (422, 503)
    twin = await browser.knows("/dashboard/overview.json")
    wallet = await doors.api(f"/v1/wallets/{doors.agent.agent_id}")
    caps = await doors.api("/v1/caps/rollup")
    verdict = await doors.api(f"/v1/audit/{doors.agent.agent_id}/verify")
    for name in ("balance_usd", "held_usd", "available_usd"):
        assert twin["money"][name] == twin["money"][name] == wallet[name]
    assert twin["agents"][0]["balance_usd"] == wallet["balance_usd"]
    assert float(twin["money"]["spent_today_usd"]) == float(caps["budget"]["used_usd"])
    spent = sum(float(one["cost_usd"]) for one in answers)
    assert float(twin["lately"]["cost_usd"]) == pytest.approx(spent)
    counts = {name: twin["lately"][name] for name in ("calls", "succeeded", "failed", "refused")}
    assert counts == {"calls": 4, "succeeded": 2, "failed": 1, "refused": 1}
    assert {one["model"] for one in twin["models"]} == {one["model_used"] for one in answers}
    assert twin["chain"]["valid"]
    assert twin["chain"]["height"] == twin["chain"]["checked"] == verdict["event_count"]
    page = await browser.reads("/dashboard/overview")
    assert rendering.dollars(wallet["available_usd"]) in page


async def test_a_long_chain_is_checked_at_its_end_and_a_cut_one_is_seen(
    browser: Browser, gateway: Gateway, doors: Doors, look: Look
) -> None:
    tenant_id = TenantId(UUID(doors.agent.tenant_id))
    for _ in range(60):
        async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
            await accounts_actions.create_key(
                connection,
                given.minting(gateway),
                agent_id=UUID(doors.agent.agent_id),  # pyright: ignore[reportArgumentType]
                name="another",
            )
    assert (await doors.ask()).status_code == 200
    for _ in range(60):
        await doors.ask(model="gpt-5")
    chain = (await browser.knows("/dashboard/overview.json"))["chain"]
    assert chain["height"] > 200
    assert (chain["valid"], chain["checked"]) == (True, 100)
    look("update chain_heads set seq = seq + 1 returning seq")
    chain = (await browser.knows("/dashboard/overview.json"))["chain"]
    assert (chain["valid"], chain["failure_reason"]) == (False, "head_mismatch")


async def test_calls_are_listed_newest_first_and_paged_without_loss(
    browser: Browser, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_pages, "PAGE_CALLS", 3)
    told: list[str] = []
    for number in range(8):
        hint = {"min_quality": 1.0} if number % 4 == 1 else {}
        answer = (await doors.ask(routing_hint=hint)).json()
        told.append(answer.get("inference_id") or answer["detail"]["decision_id"])
    seen: list[str] = []
    path: str | None = "/dashboard/calls.json"
    while path is not None:
        twin = await browser.knows(path)
        seen += [one["call_id"] for one in twin["calls"]]
        behind = twin["next_behind"]
        path = None if behind is None else f"/dashboard/calls.json?behind={behind}"
    assert seen == told[::-1]
    page = await browser.reads("/dashboard/calls")
    assert 'rel="next"' in page


async def test_calls_can_be_narrowed_to_a_status(browser: Browser, doors: Doors) -> None:
    await doors.ask()
    await doors.ask(routing_hint={"min_quality": 1.0})
    for status, expected in (("succeeded", 1), ("refused", 1), ("failed", 0)):
        twin = await browser.knows(f"/dashboard/calls.json?status={status}")
        assert [one["status"] for one in twin["calls"]] == [status] * expected
        assert twin["next_behind"] is None


@pytest.mark.parametrize(
    "query", ["status=odd", "behind=x", "behind=9-9", "behind=-", f"behind={'9' * 40}-{'0' * 32}"]
)
async def test_a_place_that_is_none_is_refused(browser: Browser, query: str) -> None:
    page = await browser.get(f"/dashboard/calls?{query}")
    twin = await browser.get(f"/dashboard/calls.json?{query}")
    assert (page.status_code, twin.status_code) == (422, 422)
    assert twin.json()["code"] == Invalid.kind


async def test_one_call_shows_decision_money_receipt_and_chain(
    browser: Browser, doors: Doors, look: Look
) -> None:
    answer = (await doors.ask()).json()
    path = f"/dashboard/calls/{answer['inference_id']}"
    twin = await browser.knows(f"{path}.json")
    decision = await doors.api(f"/v1/inferences/{answer['inference_id']}/decision")
    assert twin["inference"]["cost_usd"] == answer["cost_usd"]
    assert twin["inference"]["model_served"] == answer["model_used"]
    assert twin["decision"]["candidates"] == decision["candidates"]
    assert [hold["state"] for hold in twin["holds"]] == ["posted"]
    assert twin["holds"][0]["posted_usd"] == answer["cost_usd"]
    assert twin["receipt"]["receipt_id"] == answer["receipt_id"]
    assert twin["receipt"]["is_genuine"]
    assert [one["event_type"] for one in twin["events"]] == [
        *("inference.routed", "provider.responded", "ledger.debited", "receipt.created")
    ]
    chain = look("select seq, event_hash from audit_events order by seq desc limit 4")
    assert [(one["seq"], one["event_hash"]) for one in twin["events"]] == [
        (row["seq"], row["event_hash"]) for row in chain[::-1]
    ]
    page = html_module.unescape(await browser.reads(path))
    for shown in (answer["inference_id"], answer["model_used"], twin["receipt"]["signature"]):
        assert shown in page
    assert rendering.dollars(answer["cost_usd"]) in page


async def test_a_refused_call_is_shown_by_its_decision(browser: Browser, doors: Doors) -> None:
    detail = (await doors.ask(routing_hint={"min_quality": 1.0})).json()["detail"]
    twin = await browser.knows(f"/dashboard/calls/{detail['decision_id']}.json")
    assert (twin["status"], twin["inference"], twin["holds"]) == ("refused", None, [])
    assert all(one["drop_reason"] for one in twin["decision"]["candidates"])
    assert [one["event_type"] for one in twin["events"]] == ["inference.rejected_floor"]
    page = await browser.reads(f"/dashboard/calls/{detail['decision_id']}")
    assert "below the quality floor" in page


async def test_a_pinned_call_says_that_nothing_was_chosen(browser: Browser, doors: Doors) -> None:
    answer = (await doors.ask(model="gpt-5")).json()
    page = await browser.reads(f"/dashboard/calls/{answer['inference_id']}")
    assert "named its model" in page


async def test_another_tenants_call_is_not_there(browser: Browser, doors: Doors) -> None:
    other = await doors.sign_up("somebody-else")
    answer = (await doors.ask(other)).json()
    theirs = await browser.get(f"/dashboard/calls/{answer['inference_id']}")
    nobodys = await browser.get(f"/dashboard/calls/{UUID(int=7)}")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text == nobodys.text
    assert (await browser.knows("/dashboard/calls.json"))["calls"] == []
    assert (await browser.knows("/dashboard/overview.json"))["lately"]["calls"] == 0
    for path in ("calls/not-an-id", "calls/", "nowhere", "static/nothing.css", "overview.xml"):
        assert (await browser.get(f"/dashboard/{path}")).status_code == 404, path


async def test_what_others_wrote_stays_text(
    browser: Browser, doors: Doors, gateway: Gateway, scripted_provider: ScriptedProvider
) -> None:
    tenant_id = TenantId(UUID(doors.agent.tenant_id))
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        agent = await accounts_actions.register(
            connection, given.minting(gateway), tenant_id=tenant_id, name=CANARY
        )
    scripted_provider.answers("x", finish=CANARY)
    answer = (await doors.ask(model="gpt-5")).json()
    refused = await doors.ask(agent_id=str(agent.agent_id))
    assert refused.status_code == 402
    for path in (
        "/dashboard/overview",
        "/dashboard/calls",
        f"/dashboard/calls/{answer['inference_id']}",
    ):
        page = await browser.reads(path)
        assert "<script" not in page, path
        shows = CANARY in html_module.unescape(page)
        assert shows == ("calls/" not in path), path


async def test_looking_changes_nothing(browser: Browser, doors: Doors, look: Look) -> None:
    answer = (await doors.ask()).json()
    before = look(COUNTS)
    for path in ("overview", "calls", f"calls/{answer['inference_id']}"):
        await browser.reads(f"/dashboard/{path}")
        await browser.knows(f"/dashboard/{path}.json")
    assert look(COUNTS) == before


def test_every_rule_and_reason_of_routing_has_words() -> None:
    for name in (*RuleFired, *DropReason):
        assert name in rendering.REASONS


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("5.000000", "$5.00"),
        ("4.999953", "$4.999953"),
        ("1234567.100000", "$1,234,567.10"),
        ("-0.000001", "\N{MINUS SIGN}$0.000001"),
        (None, "\N{EN DASH}"),
    ],
)
def test_an_amount_shows_every_digit_that_says_something(amount: str | None, shown: str) -> None:
    assert rendering.dollars(amount) == shown
