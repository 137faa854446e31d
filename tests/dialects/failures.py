"""One error of every kind, as callers meet them."""

from ainfera_server.errors import (
    AgentNotActive,
    AinferaError,
    AllRoutedModelsFailed,
    AnswerDeleted,
    BodyTooSlow,
    CapExceeded,
    CardKeyLost,
    HandleTaken,
    IdempotencyConflict,
    IdempotencyInProgress,
    InsufficientFunds,
    Internal,
    Invalid,
    KeyScopeInsufficient,
    Malformed,
    MethodNotAllowed,
    ModelUnavailable,
    NoCandidate,
    NotBuilt,
    NotCarried,
    NotFound,
    Overloaded,
    ProviderFailed,
    StoreUnavailable,
    TooLarge,
    ToolsNotSupported,
    Unauthenticated,
)

EVERY_ERROR: tuple[AinferaError, ...] = (
    Unauthenticated("No API key was given."),
    KeyScopeInsufficient("This key may not."),
    NotFound("There is no such agent."),
    MethodNotAllowed("This path takes POST."),
    Malformed("The body is not JSON."),
    BodyTooSlow("The body did not arrive within 60 seconds."),
    Malformed("`messages` is not an array.", param="messages.0.content"),
    Invalid("`n` can only be 1.", param="n"),
    TooLarge("The body is larger than 32 MB."),
    AgentNotActive("The agent is paused."),
    HandleTaken("The handle is taken."),
    CardKeyLost("The key is lost."),
    IdempotencyConflict("The key was used with another body."),
    IdempotencyInProgress("The first call still runs."),
    AnswerDeleted("The answer was deleted."),
    ModelUnavailable("No key for 'gpt-5-5'.", model="gpt-5-5", provider="openai"),
    ToolsNotSupported("No tools here.", backend="gpt-5-5-pro", hint="Pick another model."),
    NotCarried("`stop` cannot be said.", param="stop"),
    NotBuilt("This is not served yet."),
    NoCandidate(
        "No offer clears the floor.",
        rule="no_candidate_clears_floor",
        decision_id="d-1",
        candidates=[{"model_slug": "a", "drop_reason": "below_quality_floor"}],
    ),
    NoCandidate("No offer.", rule="no_candidate_enrolled", decision_id="d-2", candidates=[]),
    InsufficientFunds("The wallet holds 0.10 USD.", balance_usd="0.100000"),
    CapExceeded("Over the cap of the day.", reason="daily_cap_exceeded", cap_usd="1.000000"),
    CapExceeded("Over the cap of a call.", reason="per_call_cap_exceeded", cap_usd="0.010000"),
    ProviderFailed("Too fast.", reason="rate_limited", upstream_status=429),
    ProviderFailed("Broke.", reason="unavailable", upstream_status=503),
    ProviderFailed("Too slow.", reason="timeout"),
    ProviderFailed("Not there.", reason="unreachable"),
    ProviderFailed("Gone.", reason="model_unavailable", upstream_status=404),
    ProviderFailed("No.", reason="rejected", upstream_status=400, upstream_body=b"<html>"),
    ProviderFailed("Our key.", reason="credential_refused", upstream_status=401),
    ProviderFailed("Broken.", reason="malformed"),
    ProviderFailed("Cut off.", reason="incomplete"),
    AllRoutedModelsFailed("Nobody answered."),
    StoreUnavailable("The store does not answer."),
    Overloaded("Too many requests wait."),
    Internal("A mistake of ours."),
)


def leaves(kind: type[AinferaError] = AinferaError) -> set[type[AinferaError]]:
    """The kinds of the tree that are raised: those that no other kind refines.

    A door may have one of its own, which no dialect words.
    """
    below = [one for one in kind.__subclasses__() if one.__module__ == AinferaError.__module__]
    return {one for each in below for one in leaves(each)} if below else {kind}
