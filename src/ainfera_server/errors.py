"""Every error that Ainfera tells a caller about, as one tree.

AinferaError
├── RequestError                the caller can mend it
│   ├── Unauthenticated           no key, or one that opens nothing
│   ├── KeyScopeInsufficient      the key may spend and read, and change nothing else
│   ├── NotFound                  missing, or somebody else's: nobody can tell which
│   ├── MethodNotAllowed
│   ├── Malformed                 not JSON, or not what the dialect says
│   ├── Invalid                   understood, and a value is out of range
│   ├── TooLarge
│   ├── BodyTooSlow
│   ├── AgentNotActive
│   ├── HandleTaken
│   ├── CardKeyLost               the server's secret was changed since the key was made
│   ├── IdempotencyConflict       the key was used with another body
│   ├── IdempotencyInProgress     the first call with this key still runs
│   ├── AnswerDeleted             the first call's answer was deleted by its owner
│   ├── ModelUnavailable          unknown, inactive, unpriced or without a provider key
│   ├── ToolsNotSupported
│   ├── NotCarried                the provider's dialect has no words for it
│   ├── NotBuilt                  the API names it, this version does not serve it yet
│   └── NoCandidate               no offer clears the floor within budget and latency
├── MoneyRefused                the wallet or a cap says no; nothing was spent
│   ├── InsufficientFunds
│   └── CapExceeded
├── ProviderError               somebody we call let us down
│   ├── ProviderFailed            one attempt: refused, broke, timed out or was cut off
│   └── AllRoutedModelsFailed     every survivor of a routed call was tried
└── ServerError                 we cannot serve right now
    ├── StoreUnavailable          the database: money is never spent unrecorded
    ├── Overloaded
    └── Internal
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from ainfera_server.conversation import Dialect, Json


class AinferaError(Exception):
    """Something a caller is told: a kind for programs, a sentence for people, facts for both.

    `status` is the HTTP status on the native routes; a dialect may answer with another.
    """

    kind: ClassVar[str] = "internal_server_error"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, **facts: Json) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts: Mapping[str, Json] = facts
        self.retry_after_s: int | None = None

    @property
    def code(self) -> str:
        """The word that programs switch on."""
        return self.kind


class RequestError(AinferaError):
    """The caller can mend it."""

    kind = "invalid_request"
    status = 400


class Unauthenticated(RequestError):
    """No key, or one that opens nothing; never says which."""

    kind = "unauthenticated"
    status = 401


class KeyScopeInsufficient(RequestError):
    """The key is good, and its owner made it for less than this."""

    kind = "key_scope_insufficient"
    status = 403


class NotFound(RequestError):
    """Missing, or another tenant's. One sentence for each kind of thing, so nobody can tell."""

    kind = "not_found"
    status = 404


class MethodNotAllowed(RequestError):
    """The path exists and does not take this method."""

    kind = "method_not_allowed"
    status = 405


class Malformed(RequestError):
    """Not JSON, or not what the dialect says; `param` in the facts names the place."""

    kind = "malformed_request"
    status = 422


class Invalid(RequestError):
    """Understood, and a value is out of range; `param` in the facts names the place."""

    kind = "invalid_request"
    status = 422


class TooLarge(RequestError):
    """The body is larger than the server takes."""

    kind = "request_too_large"
    status = 413


class BodyTooSlow(RequestError):
    """The body did not arrive in time; nothing was asked and nothing was spent."""

    kind = "request_timeout"
    status = 408


class AgentNotActive(RequestError):
    """The agent was paused or stopped."""

    kind = "agent_not_active"
    status = 409


class HandleTaken(RequestError):
    """Another agent already has this address."""

    kind = "handle_taken"
    status = 409


class CardKeyLost(RequestError):
    """An agent's key was sealed with another secret of the server's, so it signs no more."""

    kind = "card_key_lost"
    status = 409


class IdempotencyConflict(RequestError):
    """The same key came with another body. Not a 409, because SDKs retry those."""

    kind = "idempotency_key_conflict"
    status = 422


class IdempotencyInProgress(RequestError):
    """The first call with this key still runs; its answer can be had a moment later."""

    kind = "idempotency_key_in_progress"
    status = 409


class AnswerDeleted(RequestError):
    """The call with this key was answered and paid for, and the owner deleted the answer."""

    kind = "answer_deleted"
    status = 410


class ModelUnavailable(RequestError):
    """Unknown, inactive, unpriced, or its provider has no key here."""

    kind = "model_unavailable"
    status = 422


class ToolsNotSupported(RequestError):
    """The pinned model's backend takes no tools."""

    kind = "tools_not_supported_by_backend"
    status = 422


class NotCarried(RequestError):
    """The request asks for something that the provider's dialect has no words for."""

    kind = "not_supported_by_backend"
    status = 422


class NotBuilt(RequestError):
    """The API has this route, and this version of the server does not serve it yet."""

    kind = "not_built"
    status = 501


class NoCandidate(RequestError):
    """No offer clears the floor within budget and latency; `code` is the rule that fired."""

    status = 422

    def __init__(
        self,
        sentence: str,
        *,
        rule: Literal["no_candidate_clears_floor", "no_candidate_enrolled"],
        **facts: Json,
    ) -> None:
        super().__init__(sentence, **facts)
        self.rule = rule

    @property
    def code(self) -> str:
        """The rule that fired."""
        return self.rule


class MoneyRefused(AinferaError):
    """The wallet or a cap says no; nothing was spent.

    The facts say what remains, when it resets and which model would still be affordable.
    """

    status = 402


class InsufficientFunds(MoneyRefused):
    """The wallet cannot cover the most that the answer may cost."""

    kind = "insufficient_funds"


CapReason = Literal[
    "per_call_cap_exceeded",
    "daily_cap_exceeded",
    "monthly_cap_exceeded",
    "session_cap_exceeded",
    "subagent_cap_exceeded",
    "tenant_daily_cap_exceeded",
    "tenant_monthly_cap_exceeded",
    "model_not_allowed",
    "provider_not_allowed",
]
"""Which part of what the owner decided says no."""


class CapExceeded(MoneyRefused):
    """A cap that the owner set would be broken, or the owner does not allow the model at all."""

    kind = "spend_policy_exceeded"
    status = 403

    def __init__(
        self,
        sentence: str,
        *,
        reason: CapReason,
        **facts: Json,
    ) -> None:
        super().__init__(sentence, **facts)
        self.reason = reason


class ProviderError(AinferaError):
    """Somebody we call let us down."""

    kind = "provider_error"
    status = 502


FailureReason = Literal[
    "rate_limited",
    "unavailable",
    "timeout",
    "unreachable",
    "model_unavailable",
    "rejected",
    "credential_refused",
    "malformed",
    "incomplete",
]
"""How an attempt failed. `rejected` is the vendor's own 4xx: another offer would not help."""


class ProviderFailed(ProviderError):
    """One attempt failed.

    `upstream_status` is None when no answer came. `upstream_body` and `upstream_headers` are the
    vendor's own, so that a caller who speaks `upstream_dialect`, which is the body's, gets the
    vendor's words; it is None when nobody has read the body.
    """

    def __init__(
        self,
        sentence: str,
        *,
        reason: FailureReason,
        upstream_status: int | None = None,
        upstream_body: bytes = b"",
        upstream_headers: Mapping[str, str] | None = None,
        upstream_dialect: Dialect | None = None,
    ) -> None:
        super().__init__(sentence)
        self.reason: FailureReason = reason
        self.upstream_status = upstream_status
        self.upstream_body = upstream_body
        self.upstream_headers = upstream_headers or {}
        self.upstream_dialect: Dialect | None = upstream_dialect

    @property
    def is_worth_another_offer(self) -> bool:
        """Whether somebody else may well answer the same question."""
        return self.reason != "rejected"


class AllRoutedModelsFailed(ProviderError):
    """Every survivor of a routed call was tried, and none answered."""

    kind = "all_routed_models_failed"
    status = 503


class ServerError(AinferaError):
    """We cannot serve right now."""

    status = 503


class StoreUnavailable(ServerError):
    """The database does not answer, and money is never spent unrecorded."""

    kind = "store_unavailable"

    def __init__(self, sentence: str, **facts: Json) -> None:
        super().__init__(sentence, **facts)
        self.retry_after_s = 2


class Overloaded(ServerError):
    """Too many requests wait, or the server is shutting down."""

    kind = "overloaded"


class Internal(ServerError):
    """A mistake of ours. The caller gets the request's id and nothing else."""

    kind = "internal_server_error"
    status = 500
