"""An agent pays, asks, and checks what happened, all through MCP's official client."""

import asyncio
import dataclasses
from typing import Any
from uuid import UUID

import httpx
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from ainfera_server.gateway import Gateway
from ainfera_server.mcp_server.tool import ERROR_META
from tests.mcp_server.conftest import Connect, Doors
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

NAMES = [
    *("get_agent", "get_wallet", "topup_wallet", "inference", "read_audit_chain"),
    *("verify_audit_chain", "get_decision", "verify_receipt", "mint_agent_card"),
    *("rotate_agent_card", "verify_agent_card"),
]
WRITES = {"topup_wallet", "inference", "mint_agent_card", "rotate_agent_card"}
QUESTION = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}


async def given(client: Client, name: str, **arguments: object) -> dict[str, Any]:
    """What a tool gives, which the client has checked against the tool's schema."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refused(client: Client, name: str, **arguments: object) -> str:
    """What a tool says when it does not."""
    result = await client.call_tool(name, arguments)
    assert result.is_error
    content = result.content[0]
    assert isinstance(content, TextContent)
    text = content.text
    assert result.meta is not None
    assert text == f"{result.meta[ERROR_META]['code']}: {result.meta[ERROR_META]['message']}"
    return text


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_both_eras_of_the_protocol_are_answered(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        listed = await client.list_tools()
        wallet = await given(client, "get_wallet")
    assert [tool.name for tool in listed.tools] == NAMES
    assert wallet["balance_usd"] == "5.000000"


async def test_every_tool_says_what_it_takes_gives_and_does(connect: Connect) -> None:
    async with connect() as client:
        listed = (await client.list_tools()).tools
    for tool in listed:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is (tool.name not in WRITES), tool.name
        assert tool.output_schema is not None, tool.name
        assert tool.input_schema["additionalProperties"] is False, tool.name


async def test_a_call_is_answered_paid_and_provable(connect: Connect, doors: Doors) -> None:
    async with connect() as client:
        answer = await given(client, "inference", **QUESTION)
        wallet = await given(client, "get_wallet")
        decision = await given(client, "get_decision", inference_id=answer["inference_id"])
        receipt = await given(client, "verify_receipt", receipt_id=answer["receipt_id"])
        verdict = await given(client, "verify_audit_chain")
        chain = await given(client, "read_audit_chain", limit=500)
    assert answer["content"] == DEFAULT_TEXT
    at_the_api = (await doors.get(f"/v1/wallets/{doors.agent.agent_id}")).json()
    assert wallet == {name: at_the_api[name] for name in wallet}
    assert float(wallet["balance_usd"]) == pytest.approx(5 - float(answer["cost_usd"]))
    assert decision["chosen_model_slug"] == answer["model_used"]
    assert decision["cost_actual_usd"] == answer["cost_usd"]
    assert receipt["valid"]
    assert answer["inference_id"] in receipt["signed_text"]
    assert verdict["valid"]
    assert verdict["event_count"] == chain["height"] == len(chain["events"])
    assert "receipt.created" in {event["event_type"] for event in chain["events"]}


async def test_a_chain_is_read_a_page_at_a_time(connect: Connect) -> None:
    async with connect() as client:
        first = await given(client, "read_audit_chain", limit=2)
        second = await given(client, "read_audit_chain", since_seq=first["next_since_seq"])
    assert [event["seq"] for event in first["events"]] == [1, 2]
    assert second["events"][0]["seq"] == 3
    assert second["events"][0]["previous_hash"] == first["events"][-1]["event_hash"]
    assert second["next_since_seq"] is None


async def test_money_moves_only_when_that_is_confirmed(connect: Connect) -> None:
    async with connect() as client:
        said = await refused(client, "topup_wallet", amount_usd="2.50")
        before = await given(client, "get_wallet")
        done = await given(client, "topup_wallet", amount_usd="2.50", confirm=True)
        after = await given(client, "get_wallet")
    assert "Nothing was moved" in said
    assert before["balance_usd"] == "5.000000"
    assert done["new_balance_usd"] == after["balance_usd"] == "7.500000"


@pytest.mark.parametrize("amount", ["0.009", "500.01", "-1", "NaN", True, None, 1e300])
async def test_an_odd_amount_is_refused_and_moves_nothing(connect: Connect, amount: object) -> None:
    async with connect() as client:
        said = await refused(client, "topup_wallet", amount_usd=amount, confirm=True)
        wallet = await given(client, "get_wallet")
    assert said.startswith("invalid_request: amount_usd")
    assert wallet["balance_usd"] == "5.000000"


async def test_a_card_that_was_minted_is_genuine_and_a_changed_one_is_not(
    connect: Connect, doors: Doors
) -> None:
    async with connect() as client:
        card = await given(client, "mint_agent_card")
        good = await given(client, "verify_agent_card", jws=card["jws"])
        changed = card["jws"][:-4] + ("AAAA" if card["jws"][-4:] != "AAAA" else "BBBB")
        bad = await given(client, "verify_agent_card", jws=changed)
        none = await given(client, "verify_agent_card", jws="not a card")
        agent = await given(client, "get_agent")
    assert (good["valid"], good["agent_id"]) == (True, doors.agent.agent_id)
    assert (bad["valid"], bad["reason"]) == (False, "signature_mismatch")
    assert (none["valid"], none["reason"]) == (False, "malformed")
    assert agent["agent_id"] == doors.agent.agent_id
    assert card["payload"]["public_key"] == agent["public_key_pem"]


async def test_another_tenants_things_are_not_there(connect: Connect, doors: Doors) -> None:
    stranger = await doors.sign_up("stranger")
    async with connect() as client:
        answer = await given(client, "inference", **QUESTION)
    async with connect(by=stranger) as client:
        theirs, nobodys = doors.agent.agent_id, str(UUID(int=7))
        for name in ("get_agent", "get_wallet", "read_audit_chain", "mint_agent_card"):
            assert await refused(client, name, agent_id=theirs) == await refused(
                client, name, agent_id=nobodys
            )
        assert (
            await refused(client, "inference", agent_id=theirs, **QUESTION)
            == "not_found: There is no such agent."
        )
        assert "not_found" in await refused(
            client, "get_decision", inference_id=answer["inference_id"]
        )
        assert "not_found" in await refused(
            client, "verify_receipt", receipt_id=answer["receipt_id"]
        )
        verdict = await given(client, "verify_audit_chain", agent_id=theirs)
    assert verdict["valid"], "a chain is for anybody to verify"


async def test_a_refusal_names_the_numbers_and_costs_nothing(
    connect: Connect, scripted_provider: ScriptedProvider
) -> None:
    async with connect() as client:
        poor = await refused(
            client, "inference", **{**QUESTION, "max_tokens": 3_000_000, "model": "gpt-5"}
        )
        wallet = await given(client, "get_wallet")
    assert poor.startswith("insufficient_funds: The wallet, or the pool behind it, has 5.0")
    assert wallet["balance_usd"] == wallet["available_usd"] == "5.000000"
    assert scripted_provider.requests == []


async def test_an_error_of_a_provider_shows_nothing_of_our_insides(
    connect: Connect, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.fails(status=500, message="boom")
    async with connect() as client:
        said = await refused(client, "inference", **QUESTION)
        wallet = await given(client, "get_wallet")
    assert said.startswith("all_routed_models_failed: ")
    assert "sk-scripted" not in said
    assert wallet["held_usd"] == "0.000000"


async def test_unknown_tools_and_arguments_are_refused(connect: Connect) -> None:
    async with connect() as client:
        assert await refused(client, "get_wallet", wallet="mine") == (
            "invalid_request: wallet: Extra inputs are not permitted."
        )
        assert "agent_id" in await refused(client, "get_wallet", agent_id="not-an-id")
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("drop_tables", {})


async def test_a_ledger_and_a_receipt_can_be_read_as_resources(connect: Connect) -> None:
    async with connect() as client:
        answer = await given(client, "inference", **QUESTION)
        listed = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        ledger = await client.read_resource(listed[0].uri)
        receipt = await client.read_resource(f"ainfera://receipts/{answer['receipt_id']}")
        with pytest.raises(MCPError, match="no such receipt"):
            await client.read_resource(f"ainfera://receipts/{UUID(int=7)}")
        with pytest.raises(MCPError, match="no such resource"):
            await client.read_resource("file:///etc/passwd")
    assert [one.name for one in templates] == ["agent_ledger", "receipt"]
    assert answer["inference_id"] in ledger.model_dump_json()
    assert answer["model_used"] in receipt.model_dump_json()


async def test_without_a_key_nobody_gets_in(doors: Doors) -> None:
    async with httpx.AsyncClient() as client:
        nothing = await client.post(f"{doors.url}/mcp", json={})
        wrong = await client.post(
            f"{doors.url}/mcp", json={}, headers={"authorization": "Bearer ainfera_nothing"}
        )
    for answer in (nothing, wrong):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthenticated"


async def test_a_page_of_somebody_else_and_other_methods_are_refused(doors: Doors) -> None:
    headers = dict(doors.agent.headers)
    async with httpx.AsyncClient(headers=headers) as client:
        for origin in (
            "https://evil.example",
            "null",
            "http://[",
            "https://127.0.0.1.evil.example",
        ):
            answer = await client.post(f"{doors.url}/mcp", json={}, headers={"origin": origin})
            assert answer.status_code == 403, origin
        got = await client.get(f"{doors.url}/mcp")
        ours = await client.post(f"{doors.url}/mcp", json={}, headers={"origin": doors.url})
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert ours.status_code != 403


async def test_a_client_that_leaves_cancels_the_call_and_gets_its_hold_back(
    doors: Doors, connect: Connect, gateway: Gateway, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.is_silent()
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "inference", "arguments": QUESTION},
    }
    headers = {
        **doors.agent.headers,
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
    }
    async with httpx.AsyncClient(headers=headers) as client:
        asking = asyncio.create_task(client.post(f"{doors.url}/mcp", json=body))
        assert await scripted_provider.sees_a_client_come()
        asking.cancel()
        await asyncio.wait({asking})
    assert await scripted_provider.sees_its_client_leave()
    scripted_provider.releases()
    await gateway.wait_for_running()
    async with connect() as client:
        wallet = await given(client, "get_wallet")
    assert wallet["held_usd"] == "0.000000"


async def test_a_key_for_inference_asks_and_reads_and_changes_nothing(
    connect: Connect, doors: Doors
) -> None:
    async with httpx.AsyncClient(headers=dict(doors.agent.headers)) as owner:
        asked = {"name": "agent", "scope": "inference"}
        made = (await owner.post(f"{doors.url}/v1/keys", json=asked)).json()
    by = dataclasses.replace(doors.agent, api_key=made["api_key"])
    async with connect(by=by) as client:
        await given(client, "inference", **QUESTION)
        before = await given(client, "get_wallet")
        for name in sorted(WRITES - {"inference"}):
            assert (await refused(client, name)).startswith("key_scope_insufficient: ")
        topped_up = await refused(client, "topup_wallet", amount_usd="1", confirm=True)
        assert topped_up.startswith("key_scope_insufficient: ")
        assert await given(client, "get_wallet") == before
