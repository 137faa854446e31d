"""What must become of money, told a second time: no totals, only a list of calls added up anew.

It is slow, short and unlike the books: where they keep windows and balances, it looks through all
calls that ever were. Whatever both say the same is probably true.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from ainfera_server.accounts.store import Payer
from ainfera_server.identifiers import AccountId, AgentId, TransferId
from ainfera_server.inference.entries import (
    Entry,
    Extended,
    Extension,
    Held,
    Hold,
    NotActive,
    PaidFrom,
    Recorded,
    Refusal,
    Refused,
    Result,
    Settled,
    Settlement,
)
from ainfera_server.inference.windows import Limits
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import Branch, CapBroken
from ainfera_server.wallet.ledger import Shortfall

State = Literal["pending", "posted", "voided", "expired"]
Place = tuple[AgentId, str, str]
"""A subagent: whose, in which session, called what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOnRecord:
    """A call that was held; `above` names its subagent and those above it."""

    payer: Payer
    paid_by: AccountId
    held: int
    posted: int
    state: State
    day: date
    session: str | None
    above: tuple[str, ...]

    @property
    def spent(self) -> int:
        """What nobody else may count on."""
        return self.held if self.state == "pending" else self.posted


@dataclass(frozen=True, slots=True, kw_only=True)
class No:
    """A call is refused, with what is left."""

    reason: str
    remaining: int


Told = Held | No | Refused | Settled | Extended | Recorded
"""What a caller hears, a refusal in the few words that matter."""

Window = tuple[str, UsdMicros | None, list[CallOnRecord]]
"""Why a call is refused, above which cap, and what counts."""


@dataclass(slots=True, kw_only=True)  # tidy: the world as it goes on
class Model:
    """All that ever happened to the money of a few agents."""

    today: date
    limits: dict[AgentId, Limits]
    paid_in: dict[AccountId, int]
    calls: dict[TransferId, CallOnRecord] = field(default_factory=dict[TransferId, CallOnRecord])
    parents: dict[Place, str | None] = field(default_factory=dict[Place, str | None])
    refused: dict[TransferId, No] = field(default_factory=dict[TransferId, No])

    def copy(self) -> "Model":
        """As it stands, for whoever may have to come back to it."""
        return replace(
            self,
            limits=dict(self.limits),
            paid_in=dict(self.paid_in),
            calls=dict(self.calls),
            parents=dict(self.parents),
            refused=dict(self.refused),
        )

    def told(self, entries: list[Entry]) -> list[Told]:
        """What the callers of one batch hear. Who stands where is looked up before any is held."""
        climbed = {
            one.inference.transfer_id: self.climbed(one.payer.agent_id, one.branch)
            for one in entries
            if isinstance(one, Hold)
        }
        return [self._told(one, climbed) for one in entries]

    def available(self, account_id: AccountId) -> int:
        """What an account has left."""
        own = (one.spent for one in self.calls.values() if one.paid_by == account_id)
        return self.paid_in[account_id] - sum(own)

    def climbed(self, agent_id: AgentId, branch: Branch | None) -> tuple[str, ...]:
        """A subagent and those that are known to stand above it."""
        if branch is None or branch.node is None:
            return ()
        names = [branch.node]
        named = None if branch.parent == branch.node else branch.parent
        above = self.parents.get((agent_id, branch.session, branch.node)) or named
        while above is not None and above not in names:
            if (agent_id, branch.session, above) not in self.parents:
                break
            names.append(above)
            above = self.parents[agent_id, branch.session, above]
        return tuple(names)

    def _told(self, entry: Entry, climbed: Mapping[TransferId, tuple[str, ...]]) -> Told:
        match entry:
            case Hold():
                return self._held(entry, climbed[entry.inference.transfer_id])
            case Settlement():
                return self._settled(entry)
            case Extension():
                return self._extended(entry)
            case Refusal():
                return Recorded()

    def _held(self, entry: Hold, above: tuple[str, ...]) -> Held | No:
        transfer_id = entry.inference.transfer_id
        if transfer_id in self.calls:
            known = self.calls[transfer_id]
            return Held(day=known.day, paid_from=_paid_from(known))
        if transfer_id in self.refused:
            return self.refused[transfer_id]
        told = self._newly_held(entry, above)
        if isinstance(told, No):
            self.refused[transfer_id] = told
        return told

    def _newly_held(self, entry: Hold, above: tuple[str, ...]) -> Held | No:
        payer, transfer_id = entry.payer, entry.inference.transfer_id
        if entry.replaces is not None:
            self._end(entry.replaces, "voided", 0)
        wanted = CallOnRecord(
            payer=payer,
            paid_by=payer.wallet_id,
            held=entry.inference.amount_held,
            posted=0,
            state="pending",
            day=self.today,
            session=None if entry.branch is None else entry.branch.session,
            above=above,
        )
        limits = self.limits[payer.agent_id]
        no = self._not_allowed(wanted, limits, of_call=wanted.held, more=wanted.held)
        if no is not None:
            return no
        has, pool_has = self.available(payer.wallet_id), self.available(payer.pool_id)
        if has < wanted.held and limits.is_strict:
            return No(reason="wallet_insufficient_per_agent", remaining=has)
        if has < wanted.held and pool_has < wanted.held:
            return No(reason="wallet_insufficient", remaining=max(has, pool_has))
        if has < wanted.held:
            wanted = replace(wanted, paid_by=payer.pool_id)
        self.calls[transfer_id] = wanted
        self._note_place(entry)
        return Held(day=self.today, paid_from=_paid_from(wanted))

    def _note_place(self, entry: Hold) -> None:
        branch = entry.branch
        if branch is None or branch.node is None:
            return
        place = (entry.payer.agent_id, branch.session, branch.node)
        named = None if branch.parent == branch.node else branch.parent
        self.parents[place] = self.parents.get(place) or named

    def _settled(self, entry: Settlement) -> Settled:
        known = self.calls.get(entry.transfer_id)
        if known is None or known.state != "pending":
            return Settled(was_open=False)
        if entry.cost is None:
            self._end(entry.transfer_id, "expired" if entry.is_expiry else "voided", 0)
        else:
            self._end(entry.transfer_id, "posted", entry.cost)
        return Settled(was_open=True)

    def _extended(self, entry: Extension) -> Extended:
        known = self.calls.get(entry.transfer_id)
        if known is None:
            return Extended(held=UsdMicros(0))
        more = entry.amount - known.held
        limits = self.limits[known.payer.agent_id]
        may_grow = (
            known.state == "pending"
            and more > 0
            and limits.may_exceed_hold
            and self._not_allowed(known, limits, of_call=entry.amount, more=more) is None
            and self.available(known.paid_by) >= more
        )
        if may_grow:
            self.calls[entry.transfer_id] = replace(known, held=entry.amount)
        return Extended(held=UsdMicros(self.calls[entry.transfer_id].held))

    def _end(self, transfer_id: TransferId, state: State, posted: int) -> None:
        known = self.calls[transfer_id]
        if known.state == "pending":
            self.calls[transfer_id] = replace(known, state=state, posted=posted)

    def _not_allowed(
        self, call: CallOnRecord, limits: Limits, *, of_call: int, more: int
    ) -> No | None:
        """The first of the rules that the call breaks, in the order in which they are told."""
        if limits.status != "active":
            return No(reason="agent_not_active", remaining=0)
        if limits.per_call_cap is not None and of_call > limits.per_call_cap:
            return No(reason="per_call_cap_exceeded", remaining=limits.per_call_cap)
        for reason, cap, counted in self._windows(call, limits):
            spent = sum(one.spent for one in counted)
            if cap is not None and spent + more > cap:
                return No(reason=reason, remaining=max(cap - spent, 0))
        return None

    def _windows(self, call: CallOnRecord, limits: Limits) -> Iterator[Window]:
        """Every cap that a call may break, and the calls that count beside its own."""
        ours = [one for one in self.calls.values() if one.payer.tenant_id == call.payer.tenant_id]
        mine = [one for one in ours if one.payer.agent_id == call.payer.agent_id]
        here = [one for one in mine if call.session and one.session == call.session]
        yield "daily_cap_exceeded", limits.daily_cap, _of_day(mine, call.day)
        yield "monthly_cap_exceeded", limits.monthly_cap, _of_month(mine, call.day)
        yield "session_cap_exceeded", limits.session_cap if call.session else None, here
        for name in call.above[:1]:
            own = [one for one in here if one.above[:1] == (name,)]
            yield "subagent_cap_exceeded", limits.subagent_cap, own
        for name in call.above[1:]:
            below = [one for one in here if name in one.above[1:]]
            yield "subagent_cap_exceeded", limits.subagent_cap, below
        yield "tenant_daily_cap_exceeded", limits.tenant_daily_cap, _of_day(ours, call.day)
        yield "tenant_monthly_cap_exceeded", limits.tenant_monthly_cap, _of_month(ours, call.day)


def in_few_words(result: Result) -> Told:
    """What a result says, to be compared."""
    match result:
        case Refused(why=CapBroken() as why):
            return No(reason=why.reason, remaining=why.remaining)
        case Refused(why=Shortfall() as why):
            return No(reason=why.reason, remaining=why.available)
        case Refused(why=NotActive()):
            return No(reason="agent_not_active", remaining=0)
        case _:
            return result


def _of_day(calls: list[CallOnRecord], day: date) -> list[CallOnRecord]:
    return [one for one in calls if one.day == day]


def _of_month(calls: list[CallOnRecord], day: date) -> list[CallOnRecord]:
    return [one for one in calls if one.day.replace(day=1) == day.replace(day=1)]


def _paid_from(call: CallOnRecord) -> PaidFrom:
    return "pool" if call.paid_by == call.payer.pool_id else "wallet"
