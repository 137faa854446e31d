"""What a tool or a resource is given: who asks, through which gateway, and how to answer no."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from starlette.datastructures import Headers

from ainfera_server.accounts.callers import Principal
from ainfera_server.audit.recorder import Recorder
from ainfera_server.errors import AinferaError, Internal
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId

log = logging.getLogger(__name__)


Authenticate = Callable[[Headers], Awaitable[Principal]]
"""Finds out who calls. Raises Unauthenticated, and StoreUnavailable when nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request of a caller who is known."""

    gateway: Gateway
    caller: Principal
    request_id: str

    def agent(self, named: UUID | None) -> AgentId:
        """The agent that is meant: the key's own when none is named."""
        return self.caller.agent_id if named is None else AgentId(named)

    def recorder(self) -> Recorder:
        """What an action writes down with, for this moment."""
        gateway = self.gateway
        return Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer)


def told(problem: Exception, asking: Asking, *, where: str) -> AinferaError:
    """The error to tell: our own as it is, any other as Internal, with its story in our log."""
    match problem:
        case AinferaError():
            return problem
        case _:
            extra = {"request_id": asking.request_id, "where": where}
            log.error("internal_error", exc_info=problem, extra=extra)
            return Internal(
                "Something broke on our side. This request id names it in our logs: "
                f"{asking.request_id}."
            )
