"""Agents as their owners see them."""

from ainfera_server.accounts.store import Agent, Tenant
from ainfera_server.api import answers
from ainfera_server.api.answers import Shown
from ainfera_server.wallet import policy


def agent(one: Agent) -> dict[str, Shown]:
    """An agent; `public_key_ed25519` repeats the PEM where published clients look for it."""
    return {
        "id": str(one.agent_id),
        "agent_id": str(one.agent_id),
        "tenant_id": str(one.tenant_id),
        "name": one.name,
        "handle": one.handle,
        "status": one.status,
        "canonical_uri": one.canonical_uri,
        "did_web": one.did_web,
        "wallet_address": one.wallet_address,
        "metadata": one.metadata,
        "spend_policy": policy.facts(one.spend_policy),
        "drain_proof_status": policy.drain_proof_status(one.spend_policy),
        "public_key_pem": one.public_key_pem,
        "public_key_alg": one.card_alg,
        "public_key_ed25519": one.public_key_pem,
        "created_at": answers.moment(one.created_at),
    }


def tenant(one: Tenant) -> dict[str, Shown]:
    """A tenant."""
    return {
        "id": str(one.tenant_id),
        "tenant_id": str(one.tenant_id),
        "name": one.name,
        "owner_handle": one.owner_handle,
        "owner_source": one.owner_source,
        "created_at": answers.moment(one.created_at),
    }
