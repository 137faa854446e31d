"""The export for auditors: who the agent is, what it may do, what it did, and the proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ainfera_server.accounts import absent
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.store import Agent, Tenant
from ainfera_server.api import agent_views, answers
from ainfera_server.api.answers import Shown
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.chain import Head, Link, Verdict
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres.pool import Connection
from ainfera_server.usage import reports
from ainfera_server.usage.reports import ModelUse
from ainfera_server.wallet import policy

SCHEMA = "ainfera.annex-iv/1"
REGULATION = "EU AI Act (Regulation (EU) 2024/1689), Article 12 and Annex IV"
SYSTEM_DESCRIPTION = (
    "Ainfera sends each request of the agent to a model offer. A request to choose goes to the"
    " cheapest offer that clears the quality floor and every limit of its owner, by a"
    " deterministic rule; a request for one model goes to that model. Each call is paid from a"
    " prepaid wallet and leaves a signed receipt and hash-chained events."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the export is made of; `links` are the newest that fit on one page."""

    agent: Agent
    tenant: Tenant
    head: Head
    first: tuple[Link, ...]
    links: tuple[Link, ...]
    verdict: Verdict
    models: tuple[ModelUse, ...]


async def facts(
    connection: Connection, agent_id: AgentId, public_key_pems: Mapping[str, str]
) -> Facts:
    """Read everything, in the owner's transaction. Raises NotFound."""
    agent = await accounts_store.agent(connection, agent_id)
    head = await audit_store.head(connection, agent_id)
    verdict = await audit_store.verify(connection, agent_id, public_key_pems)
    if agent is None or head is None or verdict is None:
        raise absent.agent()
    tenant = await accounts_store.tenant(connection, agent.tenant_id)
    if tenant is None:
        raise absent.agent()
    since_seq = max(head.seq - audit_store.PAGE_LINKS_MAX, 0)
    return Facts(
        agent=agent,
        tenant=tenant,
        head=head,
        first=await audit_store.links(connection, agent_id, limit=1),
        links=await audit_store.links(
            connection, agent_id, since_seq=since_seq, until_seq=head.seq
        ),
        verdict=verdict,
        models=await reports.models_used(connection, agent_id),
    )


def document(gateway: Gateway, known: Facts, events: Sequence[Shown]) -> dict[str, Shown]:
    """The export; what does not fit is at `events_url`."""
    agent = known.agent
    return {
        "schema": SCHEMA,
        "generated_at": answers.moment(gateway.now()),
        "regulation": REGULATION,
        "system_description": SYSTEM_DESCRIPTION,
        "agent": agent_views.agent(agent),
        "tenant": agent_views.tenant(known.tenant),
        "policy": {
            "spend": policy.facts(agent.spend_policy),
            "routing": {"name": "quality_floor_then_min_cost", "semver": "1.0.0"},
        },
        "models_used": [_model(one) for one in known.models],
        "audit_summary": {
            "event_count": known.head.seq,
            "first_event_hash": known.first[0].event_hash if known.first else None,
            "last_event_hash": known.head.event_hash,
            "valid": known.verdict.valid,
            "failure_seq": known.verdict.failure_seq,
            "failure_reason": known.verdict.failure_reason,
        },
        "events": events,
        "events_url": f"{gateway.public_url}/v1/audit/{agent.agent_id}",
        "retention": {
            "prompts_and_answers": "not stored; salted hashes only",
            "events_and_receipts": "append-only, kept until the operator removes the database",
        },
    }


def _model(one: ModelUse) -> dict[str, Shown]:
    return {
        "slug": one.model_slug,
        "provider": one.provider,
        "calls": one.calls,
        "cost_usd": answers.usd(one.cost),
    }
