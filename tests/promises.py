"""What the product promises, one plain sentence each; a test cites the promises that it proves.

A promise stands here only while a test proves it, and goes when nothing does:
`@proves("no-overspend")` above a test, `tests/test_promises.py` compares the two.
"""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

PROMISES: Mapping[str, str] = MappingProxyType(
    {
        # Starting and stopping
        "start-needs-nothing": (
            "One command starts a server that answers from a real model, with no API key, no"
            " account and no database to install."
        ),
        "start-again-keeps-everything": "A second start keeps the data and is ready in 5 seconds.",
        "start-refuses-clearly": (
            "A start that cannot succeed says why in one line, exits with 1 or 2 and leaves"
            " nothing half-done."
        ),
        "stop-leaves-nothing": (
            "Ctrl-C and SIGTERM let running streams end, and leave no process behind."
        ),
        "loopback-unless-told": "The server listens on loopback unless it is told otherwise.",
        # Providers and the catalog
        "base-url-means-what-the-vendor-means": (
            "A provider's base URL means what the vendor's own SDK means by it."
        ),
        "no-provider-key-no-candidate": (
            "A provider without a key is listed, and none of its offers is a candidate."
        ),
        "unpriced-is-never-served": "An offer without a known price is never served.",
        "models-are-listed-three-ways": (
            "The list of models is given in the form that the asking client understands."
        ),
        # Identity
        "keys-cannot-be-read-back": (
            "An API key is shown once and cannot be read from what we store."
        ),
        "no-key-no-lookup": "A call without a well-formed key is refused before any lookup.",
        "tenants-are-strangers": (
            "Another tenant's things cannot be told from things that do not exist."
        ),
        # Answering
        "vendor-clients-work": (
            "The published clients `ainfera`, `openai` and `anthropic` work unchanged: plain,"
            " streamed, with tools, and in their errors."
        ),
        "routes-agree": (
            "The three inference routes give the same decision, price and capture for the same"
            " request."
        ),
        "first-token-leaves-at-once": "A stream is relayed as it comes; nothing waits for its end.",
        "body-travels-unchanged": (
            "When the caller and the provider speak the same dialect, the body travels unchanged"
            " but for the model's name and our own fields."
        ),
        "no-silent-truncation": "A stream that ends cleanly is a complete answer.",
        "nothing-glued": "After the first byte of an answer no other model continues it.",
        "cancelled-means-cancelled": (
            "When the caller leaves, the connection to the provider is closed within a second."
        ),
        "waiting-is-bounded": "Every wait for somebody else ends by its deadline.",
        # Routing
        "decisions-are-pure": (
            "The same snapshot gives the same decision, byte for byte, in whatever order the"
            " candidates come."
        ),
        "cheapest-above-the-floor": (
            "The cheapest offer that clears the quality floor and every limit answers."
        ),
        "decisions-can-be-made-again": (
            "Every stored decision can be made again, offline, from what was stored with it."
        ),
        "refusals-name-every-candidate": (
            "When no offer may answer, the receipt names every candidate and why it was dropped."
        ),
        "the-next-offer-answers": (
            "When a provider fails before its first byte, the next offer of the decision answers."
        ),
        # Capture
        "one-outcome-for-each-routed-call": (
            "A routed call leaves exactly one routing outcome: answered, refused, failed,"
            " abandoned or crashed."
        ),
        "a-pinned-call-is-direct": (
            "A call that names its model leaves no routing outcome and says so in the audit."
        ),
        # Money
        "money-is-exact": "Money is whole millionths of a dollar, and is rounded in one place.",
        "no-overspend": (
            "What is captured and held never exceeds what was funded or allowed by a cap,"
            " whatever happens at the same time."
        ),
        "no-free-or-double-charge": (
            "An answer that was delivered is charged exactly once, at most what was held; a"
            " refusal costs nothing."
        ),
        "no-stuck-hold": "After a crash every hold is settled, released or expired.",
        "retries-are-safe": (
            "The same idempotency key means one call, one charge and one answer; with another"
            " body it is refused."
        ),
        "money-first": "When the store is down, a call is refused rather than served uncounted.",
        # The record
        "changes-and-events-commit-together": (
            "A change and its audit event are stored together or not at all."
        ),
        "tampering-is-named": (
            "Whoever edits, deletes, reorders or truncates the audit chain is found at the first"
            " bad entry."
        ),
        "receipts-verify-without-us": (
            "A receipt is signed, and can be verified with nothing but our published key."
        ),
        "two-durable-writes": (
            "An inference that its first offer answers takes two durable writes, however many rows"
            " they hold."
        ),
        "tables-can-be-spread": (
            "Every table's key leads with the column by which a distributed PostgreSQL would"
            " spread it."
        ),
        # Errors
        "errors-speak-the-callers-dialect": (
            "Every error is in the dialect of its route, and shows nothing of our insides."
        ),
        "every-response-has-a-request-id": "Every response carries its `request-id`.",
        "bad-input-changes-nothing": "Bad input gets a clear error and changes nothing.",
        "secrets-stay": "No key of yours or of a provider appears in any output.",
        # The project itself
        "documentation-is-complete": (
            "Every route, setting, error, event and command is in the reference."
        ),
        "dependencies-are-locked": (
            "Every dependency is locked to one version and the hashes of its files."
        ),
        "importing-does-nothing": (
            "Importing the package opens no connection, starts no process and writes no file."
        ),
    }
)


def proves(*promises: str) -> pytest.MarkDecorator:
    """Say above a test which promises it proves."""
    return pytest.mark.proves(*promises)
