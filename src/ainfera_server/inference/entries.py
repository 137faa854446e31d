"""What inferences hand to the journal, and what it answers."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from ainfera_server.accounts.store import Payer
from ainfera_server.audit.events import Event
from ainfera_server.contents.store import ContentRow
from ainfera_server.identifiers import EventId, ReceiptId, TransferId
from ainfera_server.inference.rows import (
    InferenceEnd,
    InferenceRow,
    KeptAnswer,
    OutcomeEnd,
    OutcomeRow,
    ReceiptRow,
)
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import Branch, CapBroken
from ainfera_server.wallet.ledger import Shortfall

PaidFrom = Literal["wallet", "pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Set money aside before an offer is asked.

    The first hold of a routed call carries its outcome row, so that the two cannot part.
    A hold for a later offer names the one it `replaces`, which is released in the same write.
    `branch` is None for a call that does not say where in a tree of agents it stands.
    """

    payer: Payer
    inference: InferenceRow
    outcome: OutcomeRow | None
    replaces: TransferId | None
    expires_at: datetime
    routed: Event
    refused_event_id: EventId
    refused_receipt_id: ReceiptId
    branch: Branch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The money is set aside, on this day of the database's clock."""

    day: date
    paid_from: PaidFrom = "wallet"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotActive:
    """The agent was paused or stopped after its key was last checked."""


WhyRefused = Shortfall | CapBroken | NotActive


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The wallet or a cap said no, and that was recorded."""

    why: WhyRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Say what an inference cost, and let go of the rest of its hold.

    `cost` is all that the caller pays, `margin` the part of it that no provider gets. None releases
    the whole hold: nothing was delivered. Each account that money goes out of or into takes one of
    the `entry_ids`, of which a third is needed only where there is a margin.
    """

    payer: Payer
    transfer_id: TransferId
    cost: UsdMicros | None
    end: InferenceEnd
    outcome: OutcomeEnd | None
    receipt: ReceiptRow | None
    entry_ids: tuple[UUID, ...]
    events: tuple[Event, ...]
    answer: KeptAnswer | None
    margin: UsdMicros = UsdMicros(0)
    content: ContentRow | None = None
    is_expiry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Done; `was_open` is False when somebody had resolved the hold before."""

    was_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Set aside more for a call that costs more than was held; `amount` is the new total."""

    payer: Payer
    transfer_id: TransferId
    amount: UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """So much is set aside now; a wallet or a cap that says no leaves it as it was."""

    held: UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Record a call that nobody may answer; `events` follow the first, in their order."""

    payer: Payer
    outcome: OutcomeRow | None
    event: Event
    receipt: ReceiptRow | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The refusal is written."""


Entry = Hold | Settlement | Extension | Refusal
Result = Held | Refused | Settled | Extended | Recorded
