"""An agent changes its key through MCP, and its older card counts as long as it said."""

from tests.mcp_server.conftest import Connect
from tests.mcp_server.test_tools import given, refused


async def test_a_rotated_card_counts_and_the_one_before_for_as_long_as_told(
    connect: Connect,
) -> None:
    async with connect() as client:
        first = await given(client, "mint_agent_card")
        second = await given(client, "rotate_agent_card")
        overlapping = await given(client, "verify_agent_card", jws=first["jws"])
        third = await given(client, "rotate_agent_card", overlap_s=0)
        expired = await given(client, "verify_agent_card", jws=second["jws"])
        current = await given(client, "verify_agent_card", jws=third["jws"])
    assert second["previous_kid"] == first["kid"]
    assert (overlapping["valid"], overlapping["key_status"]) == (True, "overlapping")
    assert overlapping["key_valid_until"] == second["previous_valid_until"]
    assert (expired["valid"], expired["reason"]) == (False, "expired_key")
    assert (current["valid"], current["key_status"]) == (True, "current")
    assert current["key_valid_until"] is None


async def test_an_odd_overlap_is_named(connect: Connect) -> None:
    async with connect() as client:
        said = await refused(client, "rotate_agent_card", overlap_s=-1)
    assert said.startswith("invalid_request: overlap_s")
