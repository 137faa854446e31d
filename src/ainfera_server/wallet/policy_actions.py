"""What changes what may be spent, each with its event in the same commit.

Every action takes the transaction it is given. Locks are taken in the one order that holds
everywhere: chain heads, the rows of agents and tenants, windows of spending, the public log.
"""

from ainfera_server.accounts import absent
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import policy, policy_changes, policy_store
from ainfera_server.wallet.policy import SpendPolicy, TenantPolicy
from ainfera_server.wallet.policy_changes import PolicyChange, TenantPolicyChange


async def update_spend_policy(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    agent_id: AgentId,
    change: PolicyChange,
) -> SpendPolicy:
    """Change what an agent may spend, from now on and for what is left of open windows.

    The chain's head is locked first: the group commit reads the caps behind the same lock.
    Raises NotFound.
    """
    heads = await audit_store.lock_heads(connection, [agent_id])
    before = await policy_store.spend_policy(connection, agent_id) if heads else None
    if before is None:
        raise absent.agent()
    allowed = policy_changes.changed(before, change)
    await policy_store.write_spend_policy(connection, agent_id, allowed)
    await policy_store.lock_open_windows(connection, tenant_id, agent_id)
    await policy_store.write_caps_of_windows(connection, tenant_id, agent_id, allowed)
    event = recorder.event(
        EventType.SPEND_POLICY_UPDATED,
        {"before": policy.facts(before), "after": policy.facts(allowed)},
        tenant_id=tenant_id,
        agent_id=agent_id,
    )
    await audit_store.append(connection, [event], recorder.signer)
    return allowed


async def update_tenant_policy(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    change: TenantPolicyChange,
) -> TenantPolicy:
    """Change what all agents together may spend, from now on and for what is left of open windows.

    A tenant has no chain of its own: that of its first agent tells of it. The tenant's row is
    locked before its windows, and a new window copies its cap from that row. Raises NotFound.
    """
    told = await policy_store.first_agent(connection, tenant_id)
    if told is None:
        raise absent.tenant()
    await audit_store.lock_heads(connection, [told])
    before = await policy_store.lock_tenant_policy(connection, tenant_id)
    assert before is not None, "whoever has an agent is there"
    allowed = policy_changes.changed_tenant(before, change)
    await policy_store.write_tenant_policy(connection, tenant_id, allowed)
    await policy_store.lock_open_windows(connection, tenant_id, None)
    await policy_store.write_caps_of_tenant_windows(connection, tenant_id, allowed)
    event = recorder.event(
        EventType.TENANT_POLICY_UPDATED,
        {"before": policy.tenant_facts(before), "after": policy.tenant_facts(allowed)},
        tenant_id=tenant_id,
        agent_id=told,
    )
    await audit_store.append(connection, [event], recorder.signer)
    return allowed
