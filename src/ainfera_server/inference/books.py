"""A batch at work: the locked rows as they change, and the new rows that follow.

Everything is decided here, in memory, on rows that this transaction has locked; nothing here
touches the database. What was decided is written afterwards, in a few statements.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.accounts.store import Payer
from ainfera_server.audit import chain
from ainfera_server.audit.chain import Head, Link
from ainfera_server.audit.events import Event
from ainfera_server.audit.signing import Signer
from ainfera_server.contents.store import ContentRow
from ainfera_server.identifiers import AccountId, AgentId, TenantId, TransferId
from ainfera_server.inference import refusals, told_before
from ainfera_server.inference.entries import (
    Extended,
    Extension,
    Held,
    Hold,
    NotActive,
    PaidFrom,
    Recorded,
    Refusal,
    Refused,
    Settled,
    Settlement,
    WhyRefused,
)
from ainfera_server.inference.rows import (
    AccountRow,
    EntryRow,
    ExtendedRow,
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
from ainfera_server.inference.windows import Limits, Windows
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps, ledger
from ainfera_server.wallet.caps import CapBroken, Lineage, Window, WindowKey
from ainfera_server.wallet.ledger import Account, Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTransfer:
    """A transfer that is in the database; `lineage` is None for a call outside of any session."""

    tenant_id: TenantId
    agent_id: AgentId
    payer_id: AccountId
    counterpart_id: AccountId
    held: UsdMicros
    day: date
    lineage: Lineage | None
    is_pending: bool

    @property
    def windows(self) -> tuple[WindowKey, ...]:
        """Where it was counted, and where it stays counted after they have ended."""
        return caps.windows(
            tenant_id=self.tenant_id,
            agent_id=self.agent_id,
            day=self.day,
            lineage=self.lineage,
        )

    def paid_from(self, payer: Payer) -> PaidFrom:
        """Whose money it is."""
        return "wallet" if self.payer_id == payer.wallet_id else "pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a hold comes to: the account that pays and the windows, both with it set aside."""

    account: Account
    windows: tuple[Window, ...]


@dataclass(slots=True, kw_only=True)  # tidy: grows while a batch is decided
class NewRows:
    """What the batch will write."""

    inferences: list[InferenceRow] = field(default_factory=list[InferenceRow])
    inference_ends: list[InferenceEnd] = field(default_factory=list[InferenceEnd])
    outcomes: list[OutcomeRow] = field(default_factory=list[OutcomeRow])
    outcome_ends: list[OutcomeEnd] = field(default_factory=list[OutcomeEnd])
    transfers: list[TransferRow] = field(default_factory=list[TransferRow])
    extended: dict[TransferId, ExtendedRow] = field(default_factory=dict[TransferId, ExtendedRow])
    resolved: list[ResolvedRow] = field(default_factory=list[ResolvedRow])
    entries: list[EntryRow] = field(default_factory=list[EntryRow])
    receipts: list[ReceiptRow] = field(default_factory=list[ReceiptRow])
    answers: list[KeptAnswer] = field(default_factory=list[KeptAnswer])
    contents: list[ContentRow] = field(default_factory=list[ContentRow])
    links: list[Link] = field(default_factory=list[Link])


@dataclass(slots=True, kw_only=True)  # tidy: changes while a batch is decided
class Books:
    """The locked rows by their keys; `lineages` are of the holds that stand in a tree of agents.

    `known_refusals` are the payloads of events that a commit wrote of which nobody heard.
    """

    signer: Signer
    heads: dict[AgentId, Head]
    limits: dict[AgentId, Limits]
    accounts: dict[AccountId, Account]
    windows: Windows
    lineages: dict[TransferId, Lineage]
    transfers: dict[TransferId, LockedTransfer]
    known_refusals: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    new: NewRows = field(default_factory=NewRows)
    changed_accounts: set[AccountId] = field(default_factory=set[AccountId])

    def hold(self, entry: Hold) -> Held | Refused:
        """Set the money aside, or record why not. Again for the same id, it changes nothing."""
        row = entry.inference
        written = self.transfers.get(row.transfer_id)
        if written is not None:
            return Held(day=written.day, paid_from=written.paid_from(entry.payer))
        known = self.known_refusals.get(entry.refused_event_id)
        if known is not None:
            return Refused(why=told_before.why(known))
        if entry.replaces is not None:
            self._release(entry.replaces, at=row.created_at, state="voided")
        allowed = self._allowed(entry)
        if not isinstance(allowed, Allowed):
            self._record_refusal(entry, allowed)
            return Refused(why=allowed)
        self._change(allowed.account)
        self.windows.keep(allowed.windows)
        self._name_parent(entry)
        transfer = self._write_transfer(entry, allowed.account)
        self.new.inferences.append(row)
        if entry.outcome is not None:
            self.new.outcomes.append(entry.outcome)
        self._link(entry.routed)
        return Held(day=transfer.day, paid_from=transfer.paid_from(entry.payer))

    def extend(self, entry: Extension) -> Extended:
        """Let a hold grow, where its owner allows that and nothing says no. Again, it is as it was.

        It goes on counting where it was counted, and whoever paid pays.
        """
        transfer = self.transfers.get(entry.transfer_id)
        if transfer is None:
            return Extended(held=UsdMicros(0))
        more = UsdMicros(entry.amount - transfer.held)
        if not transfer.is_pending or more <= 0:
            return Extended(held=transfer.held)
        limits = self.limits[transfer.agent_id]
        if not limits.may_exceed_hold or _not_one_call(limits, entry.amount) is not None:
            return Extended(held=transfer.held)
        account = ledger.hold(self.accounts[transfer.payer_id], more)
        counted = self.windows.with_hold(transfer.windows, limits, more)
        if isinstance(account, Shortfall) or isinstance(counted, CapBroken):
            return Extended(held=transfer.held)
        self._change(account)
        self.windows.keep(counted)
        self.transfers[entry.transfer_id] = replace(transfer, held=entry.amount)
        cell = identifiers.cell_of(entry.transfer_id)
        self.new.extended[entry.transfer_id] = ExtendedRow(
            cell=cell, transfer_id=entry.transfer_id, amount_held=entry.amount
        )
        return Extended(held=entry.amount)

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
        if entry.content is not None:
            self.new.contents.append(entry.content)
        for event in entry.events:
            self._link(event)
        return Settled(was_open=True)

    def refuse(self, entry: Refusal) -> Recorded:
        """Record a call that nobody may answer."""
        if entry.event.event_id not in self.known_refusals:
            if entry.outcome is not None:
                self.new.outcomes.append(entry.outcome)
            if entry.receipt is not None:
                self.new.receipts.append(entry.receipt)
            for event in (entry.event, *entry.events):
                self._link(event)
        return Recorded()

    def _allowed(self, entry: Hold) -> Allowed | WhyRefused:
        """What a hold would change, or what says no to it: caps first, then funds."""
        payer, amount = entry.payer, UsdMicros(entry.inference.amount_held)
        limits = self.limits[payer.agent_id]
        broken = _not_one_call(limits, amount)
        if broken is not None:
            return broken
        keys = caps.windows(
            tenant_id=payer.tenant_id,
            agent_id=payer.agent_id,
            day=limits.today,
            lineage=self.lineages.get(entry.inference.transfer_id),
        )
        counted = self.windows.with_hold(keys, limits, amount)
        if isinstance(counted, CapBroken):
            return counted
        pool = None if limits.is_strict else self.accounts[payer.pool_id]
        account = ledger.hold_from(self.accounts[payer.wallet_id], pool, amount)
        if isinstance(account, Shortfall):
            return account
        return Allowed(account=account, windows=counted)

    def _name_parent(self, entry: Hold) -> None:
        parent = None if entry.branch is None else entry.branch.parent_segment
        lineage = self.lineages.get(entry.inference.transfer_id)
        if parent is not None and lineage is not None and lineage.nodes:
            self.windows.name_parent(caps.own_window(entry.payer.agent_id, lineage), parent)

    def _write_transfer(self, entry: Hold, account: Account) -> LockedTransfer:
        payer, row = entry.payer, entry.inference
        transfer = LockedTransfer(
            tenant_id=payer.tenant_id,
            agent_id=payer.agent_id,
            payer_id=account.account_id,
            counterpart_id=payer.provider_cost_id,
            held=UsdMicros(row.amount_held),
            day=self.limits[payer.agent_id].today,
            lineage=self.lineages.get(row.transfer_id),
            is_pending=True,
        )
        self.transfers[row.transfer_id] = transfer
        kept = None if transfer.lineage is None else caps.encode_lineage(transfer.lineage)
        self.new.transfers.append(
            TransferRow(
                cell=row.cell,
                transfer_id=row.transfer_id,
                tenant_id=row.tenant_id,
                agent_id=row.agent_id,
                kind="inference",
                debit_account_id=transfer.payer_id,
                credit_account_id=transfer.counterpart_id,
                amount_held=transfer.held,
                state="pending",
                inference_id=row.inference_id,
                day=transfer.day,
                subagents=kept,
                memo=row.offer_slug,
                created_at=row.created_at,
                expires_at=entry.expires_at,
            )
        )
        return transfer

    def _post(self, entry: Settlement, transfer: LockedTransfer, cost: UsdMicros) -> None:
        """Take the cost from who pays; the provider gets its part, and what is left is ours."""
        assert 0 <= entry.margin <= cost, "a margin is a part of the cost"
        payer, debit = ledger.settle(self.accounts[transfer.payer_id], transfer.held, cost)
        self._change(payer)
        sides = [debit, self._credit(transfer.counterpart_id, UsdMicros(cost - entry.margin))]
        if entry.margin > 0:
            sides.append(self._credit(entry.payer.revenue_id, entry.margin))
        self.windows.settle(transfer.windows, transfer.held, cost)
        assert len(entry.entry_ids) >= len(sides), "each side of a transfer has an id of its own"
        for entry_id, side in zip(entry.entry_ids, sides, strict=False):
            self.new.entries.append(
                EntryRow(
                    cell=identifiers.cell_of(side.account_id),
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

    def _credit(self, account_id: AccountId, amount: UsdMicros) -> ledger.Entry:
        account, entry = ledger.credit(self.accounts[account_id], amount)
        self._change(account)
        return entry

    def _release(self, transfer_id: TransferId, *, at: datetime, state: ResolvedState) -> None:
        transfer = self.transfers[transfer_id]
        if not transfer.is_pending:
            return
        self._change(ledger.release(self.accounts[transfer.payer_id], transfer.held))
        self.windows.release(transfer.windows, transfer.held)
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
            self.new.inference_ends.append(refusals.inference_end(entry, why))
        self.new.receipts.append(refusals.receipt_row(entry, why, self.signer))
        self._link(refusals.event(entry, why))
        self._link(refusals.receipt_event(entry, why, self.signer))

    def _link(self, event: Event) -> None:
        link = chain.link(self.heads[event.agent_id], event, self.signer)
        self.heads[event.agent_id] = link.head
        self.new.links.append(link)

    def _change(self, account: Account) -> None:
        self.accounts[account.account_id] = account
        self.changed_accounts.add(account.account_id)

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


def _not_one_call(limits: Limits, amount: UsdMicros) -> NotActive | CapBroken | None:
    """What forbids a call of this size, whatever was spent before."""
    if limits.status != "active":
        return NotActive()
    return caps.per_call(limits.per_call_cap, amount)
