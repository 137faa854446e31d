"""Which windows of spending a batch counts in: found, locked, and begun where there are none."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from ainfera_server import identifiers
from ainfera_server.identifiers import AgentId, TransferId
from ainfera_server.inference import store
from ainfera_server.inference.books import LockedTransfer
from ainfera_server.inference.entries import Hold
from ainfera_server.inference.rows import NewWindowRow
from ainfera_server.inference.store import Standing
from ainfera_server.inference.windows import Limits, Windows
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import caps
from ainfera_server.wallet.caps import Branch, Lineage, Window, WindowKey


async def lineages(connection: Connection, holds: Sequence[Hold]) -> dict[TransferId, Lineage]:
    """Where in their trees of agents the calls stand that say so."""
    branches = {
        one.inference.transfer_id: (one.payer.agent_id, one.branch)
        for one in holds
        if one.branch is not None
    }
    standing = [
        _standing(transfer_id, agent_id, branch, branch.node)
        for transfer_id, (agent_id, branch) in branches.items()
        if branch.node is not None
    ]
    nodes = await store.lineages(connection, standing) if standing else {}
    return {
        transfer_id: Lineage(session=caps.segment(branch.session), nodes=nodes.get(transfer_id, ()))
        for transfer_id, (_, branch) in branches.items()
    }


async def windows(
    connection: Connection,
    holds: Sequence[Hold],
    lineages: Mapping[TransferId, Lineage],
    limits: Mapping[AgentId, Limits],
    transfers: Iterable[LockedTransfer],
) -> Windows:
    """Lock the windows of new holds and of those that end.

    Only who holds an agent's chain begins a window of the agent's, so it can wait until something
    is counted in it. A tenant's may be begun by several at once: that is settled first.
    """
    wanted = {key for one in transfers if one.is_pending for key in one.windows}
    missing: dict[WindowKey, NewWindowRow] = {}
    for one in holds:
        today = limits[one.payer.agent_id]
        keys = _keys(one, lineages, today.today)
        wanted |= set(keys)
        if not today.has_tenant_windows:
            missing |= {key: _new(one, key) for key in keys if key.scope == "tenant"}
    if missing:
        await store.open_windows(connection, missing.values())
    locked = await store.lock_windows(connection, wanted) if wanted else {}
    return begun(holds, lineages, limits, locked)


def begun(
    holds: Sequence[Hold],
    lineages: Mapping[TransferId, Lineage],
    limits: Mapping[AgentId, Limits],
    locked: Mapping[WindowKey, Window],
) -> Windows:
    """The locked windows, and beside them those of agents that nobody spent in before."""
    windows = Windows(locked=dict(locked))
    for one in holds:
        for key in _keys(one, lineages, limits[one.payer.agent_id].today):
            if key not in locked:
                assert key.scope != "tenant", "a tenant's windows are there by now"
                windows.locked[key] = Window(key=key)
                windows.beginning[key] = _new(one, key)
    return windows


def _keys(hold: Hold, lineages: Mapping[TransferId, Lineage], day: date) -> tuple[WindowKey, ...]:
    return caps.windows(
        tenant_id=hold.payer.tenant_id,
        agent_id=hold.payer.agent_id,
        day=day,
        lineage=lineages.get(hold.inference.transfer_id),
    )


def _standing(transfer_id: TransferId, agent_id: AgentId, branch: Branch, node: str) -> Standing:
    return Standing(
        cell=identifiers.cell_of(agent_id),
        transfer_id=transfer_id,
        tree=caps.tree(agent_id, caps.segment(branch.session)),
        node=caps.segment(node),
        parent=branch.parent_segment,
    )


def _new(hold: Hold, key: WindowKey) -> NewWindowRow:
    return NewWindowRow(
        cell=key.cell,
        tenant_id=hold.payer.tenant_id,
        agent_id=None if key.scope == "tenant" else hold.payer.agent_id,
        scope=key.scope,
        scope_key=key.scope_key,
        period=key.period,
        starts=key.starts,
    )
