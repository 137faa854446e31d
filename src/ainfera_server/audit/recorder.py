"""What an action is given to write down what it did: the moment, new ids and the signing key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.signing import Signer
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, Cell, EventId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """`new_id` makes an id that lives in the given cell; `now` is in UTC."""

    now: datetime
    new_id: Callable[[Cell], UUID]
    signer: Signer

    def event(
        self,
        event_type: EventType,
        facts: Mapping[str, Json],
        *,
        tenant_id: TenantId,
        agent_id: AgentId,
    ) -> Event:
        """Say that something happened, now."""
        return Event(
            event_id=EventId(self.new_id(identifiers.cell_of(agent_id))),
            tenant_id=tenant_id,
            agent_id=agent_id,
            event_type=event_type,
            facts=facts,
            created_at=self.now,
        )
