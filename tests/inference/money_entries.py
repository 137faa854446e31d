"""What gateways may hand in, in the few numbers that matter, and the entries that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from ainfera_server import identifiers
from ainfera_server.accounts.store import Payer
from ainfera_server.audit.events import Event, EventType
from ainfera_server.identifiers import (
    AccountId,
    AgentId,
    Cell,
    DecisionId,
    EventId,
    InferenceId,
    ReceiptId,
    TenantId,
    TransferId,
)
from ainfera_server.inference.entries import Extension, Hold, PaidFrom, Refusal, Settlement
from ainfera_server.inference.rows import InferenceEnd, InferenceRow, OutcomeRow
from ainfera_server.inference.windows import Limits
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import Branch
from tests.accounts import newcomer

AGENTS = 3
AMOUNT_MAX = 250

Kind = Literal["hold", "next offer", "extend", "pay", "release", "expire", "refuse", "again"]
KINDS: tuple[Kind, ...] = (
    *("hold", "hold", "hold", "next offer", "extend"),
    *("pay", "pay", "release", "expire", "refuse", "again"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One entry of a batch. `which` chooses an earlier hold, `margin` is in parts of a hundred."""

    kind: Kind
    agent: int
    amount: int
    margin: int
    which: int
    is_routed: bool
    branch: Branch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidIn:
    """Money for an agent's wallet, or for the pool behind it."""

    agent: int
    amount: int
    into: PaidFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAllowed:
    """What an owner allows an agent from now on."""

    agent: int
    allowed: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantAllowed:
    """What an owner allows all agents of one tenant together from now on."""

    agent: int
    allowed: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysPass:
    """Midnight comes, or a whole month goes by."""

    days: int


Change = PaidIn | AgentAllowed | TenantAllowed | DaysPass

SESSIONS = ("s", "t/a")
NODES = (None, "a", "b", "d%/")
MARGINS = (0, 0, 5, 100)


def _wish(octets: bytes) -> Wish:
    """Each choice from a byte of its own: one draw for a wish is far quicker than nine."""
    kind, agent, high, low, margin, which, where, branch = octets
    return Wish(
        kind=KINDS[kind % len(KINDS)],
        agent=agent % AGENTS,
        amount=(256 * high + low) % (AMOUNT_MAX + 1),
        margin=MARGINS[margin % len(MARGINS)],
        which=which % 12,
        is_routed=kind >= 128,
        branch=None if where % 4 == 0 else _branch(where // 4, branch),
    )


def _branch(session: int, nodes: int) -> Branch:
    own, parent = divmod(nodes, len(NODES))
    return Branch(
        session=SESSIONS[session % len(SESSIONS)],
        node=NODES[own % len(NODES)],
        parent=NODES[parent],
    )


WISHES = st.lists(st.binary(min_size=8, max_size=8).map(_wish), min_size=1, max_size=6)

AGENT_NUMBERS = st.integers(0, AGENTS - 1)
AGENT_CAPS = {
    "per_call_cap": AMOUNT_MAX,
    "daily_cap": 4 * AMOUNT_MAX,
    "monthly_cap": 6 * AMOUNT_MAX,
    "session_cap": 4 * AMOUNT_MAX,
    "subagent_cap": AMOUNT_MAX,
}
TENANT_CAPS = {"tenant_daily_cap": 8 * AMOUNT_MAX, "tenant_monthly_cap": 10 * AMOUNT_MAX}
CAPS = {
    name: st.none() | st.integers(1, most).map(UsdMicros)
    for name, most in (AGENT_CAPS | TENANT_CAPS).items()
}
OF_AN_AGENT = st.one_of(
    *(st.fixed_dictionaries({one: CAPS[one]}) for one in AGENT_CAPS),
    st.fixed_dictionaries({"may_exceed_hold": st.booleans()}),
    st.fixed_dictionaries({"status": st.sampled_from(["active", "paused"])}),
)
OF_A_TENANT = st.one_of(
    *(st.fixed_dictionaries({one: CAPS[one]}) for one in TENANT_CAPS),
    st.fixed_dictionaries({"is_strict": st.booleans()}),
)
FIRST_OF_ALL = st.fixed_dictionaries(
    {
        "is_strict": st.sampled_from([False, False, True]),
        **{name: st.none() | st.none() | caps for name, caps in CAPS.items()},
    }
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        PaidIn,
        agent=AGENT_NUMBERS,
        amount=st.integers(1, 4 * AMOUNT_MAX),
        into=st.sampled_from(["wallet", "pool"]),
    ),
    st.builds(AgentAllowed, agent=AGENT_NUMBERS, allowed=OF_AN_AGENT),
    st.builds(TenantAllowed, agent=AGENT_NUMBERS, allowed=OF_A_TENANT),
    st.builds(DaysPass, days=st.sampled_from([1, 1, 31])),
)
NOTHING_DECIDED = Limits(status="active", today=newcomer.NOW.date(), may_exceed_hold=True)


def payers() -> tuple[Payer, ...]:
    """Two agents of one tenant, and one of another that lives elsewhere."""
    return (*_payers(Cell(7), 2), *_payers(Cell(9), 1))


def _payers(cell: Cell, agents: int) -> list[Payer]:
    tenant_id = TenantId(newcomer.new_id(cell))
    pool_id, provider_cost_id, revenue_id = (AccountId(newcomer.new_id(cell)) for _ in range(3))
    return [
        Payer(
            tenant_id=tenant_id,
            agent_id=AgentId(newcomer.new_id(cell)),
            wallet_id=AccountId(newcomer.new_id(cell)),
            pool_id=pool_id,
            provider_cost_id=provider_cost_id,
            revenue_id=revenue_id,
        )
        for _ in range(agents)
    ]


def hold(payer: Payer, wish: Wish, *, earlier: Hold | None) -> Hold:
    """The first hold of a routed call brings the outcome; one for a later offer replaces it."""
    cell = identifiers.cell_of(payer.agent_id)
    if earlier is not None:
        inference_id = InferenceId(earlier.inference.inference_id)
        decision_id = earlier.inference.decision_id
    else:
        inference_id = InferenceId(newcomer.new_id(cell))
        decision_id = newcomer.new_id(cell) if wish.is_routed else None
    is_first = earlier is None and decision_id is not None
    return Hold(
        payer=payer,
        inference=InferenceRow(
            cell=cell,
            inference_id=inference_id,
            tenant_id=payer.tenant_id,
            agent_id=payer.agent_id,
            decision_id=decision_id,
            transfer_id=TransferId(newcomer.new_id(cell)),
            status="running",
            dialect="native",
            is_streamed=False,
            model_asked="ainfera-inference",
            model_slug="a-model",
            offer_slug="a-model",
            provider="somebody",
            task_type="chat",
            task_type_source="default",
            policy_version=None,
            coverage_cell="chat:a-model:balanced",
            price_book_version="book",
            amount_held=wish.amount,
            attempts="[]",
            created_at=newcomer.NOW,
        ),
        outcome=_outcome(payer, DecisionId(decision_id), inference_id)
        if is_first and decision_id is not None
        else None,
        replaces=None if earlier is None else earlier.inference.transfer_id,
        expires_at=newcomer.NOW,
        routed=_event(payer, EventType.INFERENCE_ROUTED),
        refused_event_id=EventId(newcomer.new_id(cell)),
        refused_receipt_id=ReceiptId(newcomer.new_id(cell)),
        branch=wish.branch,
    )


def refusal(payer: Payer) -> Refusal:
    """Nobody may answer."""
    decision_id = DecisionId(newcomer.new_id(identifiers.cell_of(payer.agent_id)))
    return Refusal(
        payer=payer,
        outcome=_outcome(payer, decision_id, None),
        event=_event(payer, EventType.INFERENCE_REJECTED_FLOOR),
    )


def extension(held: Hold, wish: Wish, amount_held: int) -> Extension:
    """What is asked for when an answer costs more than was held; sometimes it does not."""
    amount = max(amount_held + wish.amount - AMOUNT_MAX // 4, 0)
    return Extension(
        payer=held.payer, transfer_id=held.inference.transfer_id, amount=UsdMicros(amount)
    )


def settlement(held: Hold, wish: Wish, amount_held: int) -> Settlement:
    """What an attempt or the sweeper hands in: never more than was held."""
    row = held.inference
    cost = wish.amount % (amount_held + 1) if wish.kind == "pay" else None
    return Settlement(
        payer=held.payer,
        transfer_id=row.transfer_id,
        cost=None if cost is None else UsdMicros(cost),
        margin=UsdMicros((cost or 0) * wish.margin // 100),
        end=InferenceEnd(
            cell=row.cell,
            inference_id=row.inference_id,
            status="failed" if cost is None else "succeeded",
            attempts="[]",
            completed_at=newcomer.NOW,
        ),
        outcome=None,
        receipt=None,
        entry_ids=tuple(newcomer.new_id(identifiers.Cell(row.cell)) for _ in range(3)),
        events=(_event(held.payer, EventType.LEDGER_DEBITED),),
        answer=None,
        is_expiry=wish.kind == "expire",
    )


def _event(payer: Payer, event_type: EventType) -> Event:
    return newcomer.recorder().event(
        event_type, {}, tenant_id=payer.tenant_id, agent_id=payer.agent_id
    )


def _outcome(payer: Payer, decision_id: DecisionId, inference_id: InferenceId | None) -> OutcomeRow:
    return OutcomeRow(
        cell=identifiers.cell_of(payer.agent_id),
        id=decision_id,
        tenant_id=payer.tenant_id,
        agent_id=payer.agent_id,
        request_id="req",
        inference_id=inference_id,
        task_type="chat",
        task_type_source="default",
        cell_key=None,
        decision_rule="cheapest_clearing_floor",
        chosen_model_id=None,
        chosen_model_slug=None,
        policy_version="p",
        ruleset_hash="r",
        q_prior_used=None,
        m_allowed_set="[]",
        candidates="[]",
        snapshot="{}",
        seed=None,
        cost_projected=None,
        exploration=False,
        decision_type="deterministic",
        created_at=newcomer.NOW,
    )
