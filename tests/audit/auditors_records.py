"""One agent's record for auditors, as the database would give it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ainfera_server.audit import chain
from ainfera_server.audit.annex_iv import (
    Checkpoint,
    PolicyChange,
    Record,
    Ruleset,
    SigningKey,
    Span,
    Use,
    Uses,
)
from ainfera_server.audit.chain import Link, Verdict
from ainfera_server.identifiers import InferenceId, ReceiptId
from ainfera_server.money import UsdMicros

MOMENT = datetime(2026, 5, 6, tzinfo=UTC)
AGENT_ID = str(UUID(int=7))
HOUR = timedelta(hours=1)
SPEND: dict[str, Any] = {
    "per_call_cap_usd": "0.500000",
    "daily_cap_usd": "10.000000",
    "min_quality": None,
    "allowed_models": ["gpt-5-mini", "claude-haiku-4-5"],
    "may_exceed_hold": False,
}


def record(links: list[Link], **changes: Any) -> Record:
    """A record of these links, with something of everything."""
    made = Record(
        agent={
            "agent_id": AGENT_ID,
            "name": "Scout",
            "status": "active",
            "canonical_uri": "ainfera.ai/ada/scout",
            "did_web": "did:web:ainfera.ai:ada:scout",
        },
        tenant={
            "tenant_id": str(UUID(int=9)),
            "name": "Analytical Engines",
            "owner_handle": "ada",
            "owner_source": "github_user",
        },
        owner_contact="ada@example.com",
        registered_at=MOMENT,
        spend_policy=SPEND,
        policy_changes=(change(),),
        models_used=(
            {"slug": "gpt-5-mini", "provider": "openai", "calls": 2, "cost_usd": "0.000300"},
        ),
        uses=(uses("failed", calls=1, cost=0), uses("succeeded", calls=2, cost=300)),
        newest_uses=(use(2, ended_at=None), use(1, ended_at=MOMENT + HOUR)),
        price_books=(span("2026-05-01"),),
        rulesets=(Ruleset(ruleset_hash="ab" * 32, decisions=span("1.0.0")),),
        receipts=(span("signing-key"),),
        card_keys=(card_key("current", None), card_key("expired", "2026-05-13T00:00:00.000000Z")),
        signing_keys=(signing_key(),),
        event_types={"agent.registered": 1, "inference.routed": 2},
        first_hash=links[0].event_hash if links else None,
        last_hash=links[-1].event_hash if links else None,
        height=len(links),
        verdict=Verdict(valid=True, head=links[-1].head if links else chain.GENESIS),
        checkpoint=Checkpoint(size=12, note="example.com/log\n12\nAAAA\n\n\N{EM DASH} example\n"),
        links=links,
        contents="not stored; salted hashes only",
    )
    return replace(made, **changes)


def change() -> PolicyChange:
    payload = '{"after":{"daily_cap_usd":"10.000000"},"before":{"daily_cap_usd":null}}'
    return PolicyChange(seq=3, changed_at=MOMENT, payload=payload)


def uses(status: str, *, calls: int, cost: int) -> Uses:
    return Uses(
        status=status,
        calls=calls,
        cost=UsdMicros(cost),
        first_began_at=MOMENT + HOUR * calls,
        last_began_at=MOMENT + 2 * HOUR * calls,
    )


def use(number: int, *, ended_at: datetime | None) -> Use:
    return Use(
        inference_id=InferenceId(UUID(int=number)),
        status="running" if ended_at is None else "succeeded",
        model_asked="ainfera-inference",
        model_slug="gpt-5-mini",
        provider="openai",
        price_book_version="2026-05-01",
        cost=None if ended_at is None else UsdMicros(300),
        receipt_id=None if ended_at is None else ReceiptId(UUID(int=number + 100)),
        began_at=MOMENT,
        ended_at=ended_at,
    )


def span(name: str) -> Span:
    return Span(name=name, count=2, first_at=MOMENT, last_at=MOMENT + HOUR)


def card_key(status: str, valid_until: str | None) -> dict[str, Any]:
    return {
        "kid": f"{status}-key",
        "alg": "ES256",
        "status": status,
        "valid_from": "2026-05-06T00:00:00.000000Z",
        "valid_until": valid_until,
    }


def signing_key() -> SigningKey:
    return SigningKey(
        key_id="signing-key",
        algorithm="Ed25519",
        public_key_pem="pem",
        events=2,
        first_seq=1,
        last_seq=2,
    )
