"""What inferences hand to the journal, and what it answers."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from ainfera_server.accounts.store import Payer
from ainfera_server.audit.events import Event
from ainfera_server.identifiers import EventId, TransferId
from ainfera_server.inference.rows import (
    InferenceEnd,
    InferenceRow,
    KeptAnswer,
    OutcomeEnd,
    OutcomeRow,
    ReceiptRow,
)
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import CapBroken
from ainfera_server.wallet.ledger import Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Set money aside before an offer is asked.

    The first hold of a routed call carries its outcome row, so that the two cannot part.
    A hold for a later offer names the one it `replaces`, which is released in the same write.
    """

    payer: Payer
    inference: InferenceRow
    outcome: OutcomeRow | None
    replaces: TransferId | None
    expires_at: datetime
    routed: Event
    refused_event_id: EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The money is set aside, on this day of the database's clock."""

    day: date


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

    `cost` None releases the whole hold: nothing was delivered.
    """

    payer: Payer
    transfer_id: TransferId
    cost: UsdMicros | None
    end: InferenceEnd
    outcome: OutcomeEnd | None
    receipt: ReceiptRow | None
    entry_ids: tuple[UUID, UUID]
    events: tuple[Event, ...]
    answer: KeptAnswer | None
    is_expiry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Done; `was_open` is False when somebody had resolved the hold before."""

    was_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Record a routed call that nobody may answer: its outcome and its event."""

    payer: Payer
    outcome: OutcomeRow
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The refusal is written."""


Entry = Hold | Settlement | Refusal
Result = Held | Refused | Settled | Recorded
