"""What a newcomer asks for is read in full, or refused by the name of what is wrong."""

from decimal import Decimal
from uuid import UUID

import pytest

from ainfera_server.accounts import names, signup
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid


def test_a_handle_is_enough_and_everything_else_has_a_default() -> None:
    asked = signup.parse({"agent_handle": "ainfera-e2e-20260101-010203-12345"})
    assert asked.owner_handle == "agents"
    assert asked.owner_source == "anonymous"
    assert asked.spend_policy.per_call_cap is None
    assert asked.metadata == {}


def test_everything_that_may_be_asked_is_read() -> None:
    asked = signup.parse(
        {
            "agent_handle": "scout",
            "owner_handle": "ada",
            "owner_source": "github_user",
            "owner_contact": "ada@example.com",
            "per_call_cap_usd": "0.5",
            "daily_cap_usd": 5,
            "min_quality": 0,
            "wallet_address": "0x" + "aB" * 20,
            "metadata": {"use_case": "test", "intent": "größe"},
            "unheard_of": True,
        }
    )
    assert (asked.owner_handle, asked.owner_source) == ("ada", "github_user")
    assert asked.spend_policy.per_call_cap == 500_000
    assert asked.spend_policy.daily_cap == 5_000_000
    assert asked.spend_policy.min_quality == Decimal(0)
    assert asked.metadata == {"use_case": "test", "intent": "größe"}


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("agent_handle", "no"),
        ("agent_handle", "UPPER"),
        ("agent_handle", "a" * 41),
        ("agent_handle", "ends-with-newline\n"),
        ("agent_handle", "gröss"),
        ("agent_handle", 5),
        ("owner_handle", "a/b"),
        ("owner_source", "somebody"),
        ("owner_contact", "two\nlines"),
        ("owner_contact", "x" * 321),
        ("per_call_cap_usd", "0.0001"),
        ("per_call_cap_usd", True),
        ("daily_cap_usd", [1]),
        ("min_quality", 1.5),
        ("min_quality", "0.1234567"),
        ("wallet_address", "0x12"),
        ("metadata", [1]),
        ("metadata", {"words": "x" * 20_000}),
        ("metadata", {"half": "\ud800"}),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(param: str, value: Json) -> None:
    with pytest.raises(Invalid) as refusal:
        signup.parse({"agent_handle": "scout", param: value})
    assert refusal.value.facts["param"] == param


def test_a_handle_that_is_missing_is_named() -> None:
    with pytest.raises(Invalid, match="agent_handle is missing"):
        signup.parse({})


@pytest.mark.parametrize("name", ["Scout", "x", "Größe & Co.", "…", "a" * 200, "My  Agent  "])
def test_any_free_name_makes_a_handle(name: str) -> None:
    suffix = names.suffix(UUID(int=2**127 - 1))
    handle = names.handle_from(name, suffix=suffix)
    assert names.handle(handle, param="handle") == handle
    assert handle.endswith(suffix)
