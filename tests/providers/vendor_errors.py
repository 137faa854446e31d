"""How vendors of chat completions word their errors, each in its own way.

Set down from what is known of the vendors' references; where a vendor is not named here it words
them as OpenAI does. What a status means must not depend on the wording, and the few that do say
more than their status are marked by the reason that only their words give.
"""

from dataclasses import dataclass

from ainfera_server.errors import FailureReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """An error as it comes over the wire, and what it means."""

    provider: str
    status: int
    body: bytes
    reason: FailureReason


WORDED = (
    Worded(
        provider="gemini",
        status=400,
        body=b'[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",'
        b'"status":"INVALID_ARGUMENT"}}]',
        reason="credential_refused",
    ),
    Worded(
        provider="gemini",
        status=400,
        body=b'[{"error":{"code":400,"message":"Invalid value at \'messages\'",'
        b'"status":"INVALID_ARGUMENT"}}]',
        reason="rejected",
    ),
    Worded(
        provider="gemini",
        status=429,
        body=b'[{"error":{"code":429,"message":"Resource has been exhausted",'
        b'"status":"RESOURCE_EXHAUSTED"}}]',
        reason="rate_limited",
    ),
    Worded(
        provider="xai",
        status=400,
        body=b'{"code":"Client specified an invalid argument",'
        b'"error":"Incorrect API key provided: xa***ab."}',
        reason="credential_refused",
    ),
    Worded(
        provider="mistral",
        status=401,
        body=b'{"detail":"Unauthorized"}',
        reason="credential_refused",
    ),
    Worded(
        provider="mistral",
        status=422,
        body=b'{"object":"error","message":{"detail":[{"type":"extra_forbidden",'
        b'"loc":["body","x"],"msg":"Extra inputs are not permitted"}]},'
        b'"type":"invalid_request_error","param":null,"code":null}',
        reason="rejected",
    ),
    Worded(
        provider="mistral",
        status=429,
        body=b'{"object":"error","message":"Service tier capacity exceeded for this model.",'
        b'"type":"service_tier_capacity_exceeded","param":null,"code":"3505"}',
        reason="rate_limited",
    ),
    Worded(
        provider="groq",
        status=503,
        body=b'{"error":{"message":"Service Unavailable","type":"internal_server_error"}}',
        reason="unavailable",
    ),
    Worded(
        provider="deepinfra",
        status=401,
        body=b'{"detail":{"error":"User is not authenticated"}}',
        reason="credential_refused",
    ),
    Worded(
        provider="novita",
        status=401,
        body=b'{"code":401,"reason":"INVALID_API_KEY","message":"fail to get user","metadata":{}}',
        reason="credential_refused",
    ),
    Worded(
        provider="openai",
        status=429,
        body=b'{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota",'
        b'"param":null,"code":"insufficient_quota"}}',
        reason="credential_refused",
    ),
    Worded(
        provider="anthropic",
        status=400,
        body=b'{"type":"error","error":{"type":"invalid_request_error",'
        b'"message":"Your credit balance is too low to access the Anthropic API."}}',
        reason="credential_refused",
    ),
)
