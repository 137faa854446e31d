"""A batch at work: the locked rows as they change, and the new rows that follow.

Everything is decided here, in memory, on rows that this transaction has locked; nothing here
touches the database. What was decided is written afterwards, in a few statements.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.audit import chain
from ainfera_server.audit.chain import Head, Link
from ainfera_server.audit.events import Event
from ainfera_server.audit.signing import Signer
from ainfera_server.identifiers import AccountId, AgentId, TransferId
from ainfera_server.inference import refusals
from ainfera_server.inference.entries import (
    Held,
    Hold,
    NotActive,
    Recorded,
    Refusal,
    Refused,
    Settled,
    Settlement,
    WhyRefused,
)
from ainfera_server.inference.rows import (
    AccountRow,
    DayRow,
    EntryRow,
    InferenceEnd,
    InferenceRow,
    KeptAnswer,
    OutcomeEnd,
    OutcomeRow,
    ReceiptRow,
    ResolvedRow,
    ResolvedState,
    TransferRow,
)
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps, ledger
from ainfera_server.wallet.caps import CapBroken, SpentDay
from ainfera_server.wallet.ledger import Account, Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTransfer:
    """A transfer that is in the database."""

    agent_id: AgentId
    wallet_id: AccountId
    counterpart_id: AccountId
    held: UsdMicros
    day: date
    is_pending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an agent's owner allows."""

    status: str
    per_call_cap: UsdMicros | None
    daily_cap: UsdMicros | None


@dataclass(slots=True, kw_only=True)  # tidy: grows while a batch is decided
class NewRows:
    """What the batch will write."""

    inferences: list[InferenceRow] = field(default_factory=list[InferenceRow])
    inference_ends: list[InferenceEnd] = field(default_factory=list[InferenceEnd])
    outcomes: list[OutcomeRow] = field(default_factory=list[OutcomeRow])
    outcome_ends: list[OutcomeEnd] = field(default_factory=list[OutcomeEnd])
    transfers: list[TransferRow] = field(default_factory=list[TransferRow])
    resolved: list[ResolvedRow] = field(default_factory=list[ResolvedRow])
    entries: list[EntryRow] = field(default_factory=list[EntryRow])
    receipts: list[ReceiptRow] = field(default_factory=list[ReceiptRow])
    answers: list[KeptAnswer] = field(default_factory=list[KeptAnswer])
    links: list[Link] = field(default_factory=list[Link])


@dataclass(slots=True, kw_only=True)  # tidy: changes while a batch is decided
class Books:
    """The locked rows by their keys. A hold's day is today's, by the database's own date."""

    signer: Signer
    heads: dict[AgentId, Head]
    limits: dict[AgentId, Limits]
    accounts: dict[AccountId, Account]
    days: dict[tuple[AgentId, date], SpentDay]
    today: dict[AgentId, date]
    transfers: dict[TransferId, LockedTransfer]
    known_refusals: frozenset[UUID] = frozenset()
    new: NewRows = field(default_factory=NewRows)
    changed_accounts: set[AccountId] = field(default_factory=set[AccountId])
    changed_days: set[tuple[AgentId, date]] = field(default_factory=set[tuple[AgentId, date]])

    def hold(self, entry: Hold) -> Held | Refused:
        """Set the money aside, or record why not. Again for the same id, it changes nothing."""
        written = self.transfers.get(entry.inference.transfer_id)
        if written is not None:
            return Held(day=written.day)
        if entry.replaces is not None:
            self._release(entry.replaces, at=entry.inference.created_at, state="voided")
        refusal = self._refusal(entry)
        if refusal is not None:
            if entry.refused_event_id not in self.known_refusals:
                self._record_refusal(entry, refusal)
            return Refused(why=refusal)
        payer, row = entry.payer, entry.inference
        amount = UsdMicros(row.amount_held)
        day = self.today[payer.agent_id]
        self._set_aside(entry, amount, day)
        self.new.inferences.append(row)
        if entry.outcome is not None:
            self.new.outcomes.append(entry.outcome)
        self._link(entry.routed)
        return Held(day=day)

    def settle(self, entry: Settlement) -> Settled:
        """Post what the call cost, or release all of it; only the first to come does.

        A hold that was refused is not there: its caller left without hearing so.
        """
        transfer = self.transfers.get(entry.transfer_id)
        if transfer is None or not transfer.is_pending:
            return Settled(was_open=False)
        if entry.cost is None:
            state = "expired" if entry.is_expiry else "voided"
            self._release(entry.transfer_id, at=entry.end.completed_at, state=state)
        else:
            self._post(entry, transfer, entry.cost)
        self.new.inference_ends.append(entry.end)
        if entry.outcome is not None:
            self.new.outcome_ends.append(entry.outcome)
        if entry.receipt is not None:
            self.new.receipts.append(entry.receipt)
        if entry.answer is not None:
            self.new.answers.append(entry.answer)
        for event in entry.events:
            self._link(event)
        return Settled(was_open=True)

    def refuse(self, entry: Refusal) -> Recorded:
        """Record a call that nobody may answer."""
        if entry.event.event_id not in self.known_refusals:
            self.new.outcomes.append(entry.outcome)
            self._link(entry.event)
        return Recorded()

    def _refusal(self, entry: Hold) -> WhyRefused | None:
        payer = entry.payer
        limits = self.limits[payer.agent_id]
        amount = UsdMicros(entry.inference.amount_held)
        if limits.status != "active":
            return NotActive()
        broken = caps.per_call(limits.per_call_cap, amount)
        if broken is not None:
            return broken
        today = self.days[payer.agent_id, self.today[payer.agent_id]]
        held_today = caps.hold(today, limits.daily_cap, amount)
        if isinstance(held_today, CapBroken):
            return held_today
        held = ledger.hold(self.accounts[payer.wallet_id], amount)
        return held if isinstance(held, Shortfall) else None

    def _set_aside(self, entry: Hold, amount: UsdMicros, day: date) -> None:
        payer, row = entry.payer, entry.inference
        held = ledger.hold(self.accounts[payer.wallet_id], amount)
        assert isinstance(held, Account), "funds were checked on the same locked row"
        self._change(held)
        key = (payer.agent_id, day)
        day_after = caps.hold(self.days[key], self.limits[payer.agent_id].daily_cap, amount)
        assert isinstance(day_after, SpentDay), "the cap was checked on the same locked row"
        self._change_day(key, day_after)
        self.transfers[row.transfer_id] = LockedTransfer(
            agent_id=payer.agent_id,
            wallet_id=payer.wallet_id,
            counterpart_id=payer.revenue_id,
            held=amount,
            day=day,
            is_pending=True,
        )
        self.new.transfers.append(
            TransferRow(
                cell=row.cell,
                transfer_id=row.transfer_id,
                tenant_id=row.tenant_id,
                agent_id=row.agent_id,
                kind="inference",
                debit_account_id=payer.wallet_id,
                credit_account_id=payer.revenue_id,
                amount_held=amount,
                state="pending",
                inference_id=row.inference_id,
                day=day,
                memo=row.offer_slug,
                created_at=row.created_at,
                expires_at=entry.expires_at,
            )
        )

    def _post(self, entry: Settlement, transfer: LockedTransfer, cost: UsdMicros) -> None:
        agent_id = entry.payer.agent_id
        wallet, debit = ledger.settle(self.accounts[transfer.wallet_id], transfer.held, cost)
        revenue, credit = ledger.credit(self.accounts[transfer.counterpart_id], cost)
        self._change(wallet)
        self._change(revenue)
        key = (agent_id, transfer.day)
        self._change_day(key, caps.settle(self.days[key], transfer.held, cost))
        for entry_id, side in zip(entry.entry_ids, (debit, credit), strict=True):
            self.new.entries.append(
                EntryRow(
                    cell=identifiers.cell_of(agent_id),
                    account_id=side.account_id,
                    account_version=side.account_version,
                    entry_id=entry_id,
                    tenant_id=entry.payer.tenant_id,
                    transfer_id=entry.transfer_id,
                    side=side.side,
                    amount=side.amount,
                    balance_after=side.balance_after,
                    created_at=entry.end.completed_at,
                )
            )
        self._resolve(entry.transfer_id, state="posted", at=entry.end.completed_at, posted=cost)

    def _release(self, transfer_id: TransferId, *, at: datetime, state: ResolvedState) -> None:
        transfer = self.transfers[transfer_id]
        if not transfer.is_pending:
            return
        self._change(ledger.release(self.accounts[transfer.wallet_id], transfer.held))
        key = (transfer.agent_id, transfer.day)
        self._change_day(key, caps.release(self.days[key], transfer.held))
        self._resolve(transfer_id, state=state, at=at, posted=None)

    def _resolve(
        self,
        transfer_id: TransferId,
        *,
        state: ResolvedState,
        at: datetime,
        posted: UsdMicros | None,
    ) -> None:
        self.transfers[transfer_id] = replace(self.transfers[transfer_id], is_pending=False)
        self.new.resolved.append(
            ResolvedRow(
                cell=identifiers.cell_of(transfer_id),
                transfer_id=transfer_id,
                state=state,
                amount_posted=posted,
                resolved_at=at,
            )
        )

    def _record_refusal(self, entry: Hold, why: WhyRefused) -> None:
        if entry.outcome is not None:
            self.new.outcomes.append(refusals.outcome_row(entry.outcome, why))
        elif entry.inference.decision_id is not None:
            self.new.outcome_ends.append(refusals.outcome_end(entry.inference, why))
        if entry.replaces is not None:
            self.new.inference_ends.append(refusals.inference_end(entry.inference, why))
        self._link(refusals.event(entry, why))

    def _link(self, event: Event) -> None:
        link = chain.link(self.heads[event.agent_id], event, self.signer)
        self.heads[event.agent_id] = link.head
        self.new.links.append(link)

    def _change(self, account: Account) -> None:
        self.accounts[account.account_id] = account
        self.changed_accounts.add(account.account_id)

    def _change_day(self, key: tuple[AgentId, date], day: SpentDay) -> None:
        self.days[key] = day
        self.changed_days.add(key)

    def account_rows(self) -> list[AccountRow]:
        """The accounts that changed, as they are now."""
        return [
            AccountRow(
                cell=identifiers.cell_of(account_id),
                account_id=account_id,
                debits_posted=self.accounts[account_id].debits_posted,
                credits_posted=self.accounts[account_id].credits_posted,
                debits_pending=self.accounts[account_id].debits_pending,
                version=self.accounts[account_id].version,
            )
            for account_id in sorted(self.changed_accounts)
        ]

    def day_rows(self) -> list[DayRow]:
        """The days that changed, as they are now."""
        return [
            DayRow(
                cell=identifiers.cell_of(agent_id),
                agent_id=agent_id,
                day=day,
                posted=self.days[agent_id, day].posted,
                pending=self.days[agent_id, day].pending,
            )
            for agent_id, day in sorted(self.changed_days)
        ]
