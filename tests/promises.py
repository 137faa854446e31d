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
        "a-dark-offer-is-never-asked": (
            "An offer that an operator has darkened is never a candidate."
        ),
        "models-are-listed-three-ways": (
            "The list of models is given in the form that the asking client understands."
        ),
        # Identity
        "keys-cannot-be-read-back": (
            "An API key is shown once and cannot be read from what we store."
        ),
        "no-key-no-lookup": "A call without a well-formed key is refused before any lookup.",
        "agents-cannot-lift-their-limits": (
            "A key of scope inference changes nothing but what it asks and judges for its own"
            " agent."
        ),
        "tenants-are-strangers": (
            "Another tenant's things cannot be told from things that do not exist."
        ),
        "cards-rotate": (
            "An agent's key can be replaced; cards of the key before count until the overlap ends,"
            " and recorded events still verify."
        ),
        # Answering
        "vendor-clients-work": (
            "The published clients `ainfera`, `openai` and `anthropic` work unchanged: plain,"
            " streamed, with tools, and in their errors."
        ),
        "routes-agree": (
            "The inference routes give the same decision, price and capture for the same request."
        ),
        "tokens-are-counted-for-free": (
            "Tokens are counted before a call for nothing, and an estimate says that it is one."
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
        "retries-are-bounded": (
            "Asking a provider again is at most a fifth of its traffic beyond a small reserve, and"
            " every attempt is on the receipt."
        ),
        "our-key-is-not-yours": (
            "A provider that refuses our key never looks like the caller's key being wrong."
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
            "An answer that was delivered is charged exactly once, at most what was held"
            " unless its owner allows more; a refusal costs nothing."
        ),
        "pool-behind-wallets": (
            "A tenant's pool pays for what a wallet cannot, unless each agent is left to its own."
        ),
        "every-class-at-its-own-price": (
            "Cache reads and writes, reasoning and searches are charged at their own prices and"
            " rounded once."
        ),
        "uncountable-is-estimated": (
            "A count that cannot be is thrown away; the answer is delivered, estimated by its"
            " length, and says so."
        ),
        "owner-limits-hold": (
            "A model or provider that the owner does not allow never answers, and no routed request"
            " goes below the owner's floor of quality."
        ),
        "a-runaway-subagent-stops-alone": (
            "A sub-agent that reaches its cap stops without stopping the agent above it."
        ),
        "no-stuck-hold": "After a crash every hold is settled, released or expired.",
        "retries-are-safe": (
            "The same idempotency key means one call, one charge and one answer; with another"
            " body it is refused."
        ),
        "money-first": "When the store is down, a call is refused rather than served uncounted.",
        "acknowledged-survives": (
            "What a caller was told survives the death of the server or of its database at any"
            " moment."
        ),
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
        "every-ending-has-a-receipt": (
            "Whether a call is answered, fails, expires or is refused, one signed receipt says so"
            " and what it cost."
        ),
        "unchecked-is-said": (
            "What could not be checked is counted and named, and never said to hold."
        ),
        "evidence-travels": (
            "A receipt, a chain or the whole log is one file that anybody can check offline, and"
            " the first bad record is named."
        ),
        "two-verifiers-agree": (
            "The browser's verifier and the command name the same first record that does not hold."
        ),
        "annex-iv-readable": (
            "An agent's record exports as JSON and as a page that asks for nothing."
        ),
        "promises-can-be-checked": (
            "One command checks every promise that the database can show, changes nothing, and"
            " names what does not hold."
        ),
        "two-durable-writes": (
            "An inference that its first offer answers takes two durable writes, however many rows"
            " they hold."
        ),
        "tables-can-be-spread": (
            "Every table's key leads with the column by which a distributed PostgreSQL would"
            " spread it."
        ),
        # The public log
        "log-only-grows": (
            "The public log is never signed unless it continues what was signed before."
        ),
        "log-proofs-hold": (
            "Anybody can prove with other projects' tools that an event is in the public log."
        ),
        "log-is-rebuilt": (
            "The public log can be made again from its events, the same to the byte."
        ),
        "witnesses-are-heard": (
            "A known witness's cosignature is checked, kept and served with its checkpoint."
        ),
        "forks-are-found": ("A mirror of the log finds a fork or a cut and ends with exit code 4."),
        # Kept words
        "nothing-is-kept-unasked": (
            "Prompts and answers are kept only for a tenant that asks for it, encrypted, and for"
            " the time it chose."
        ),
        "kept-words-match-the-receipt": (
            "What is kept is byte for byte what was sent, and matches the receipt's hashes."
        ),
        "deleted-answers-stay-deleted": (
            "A deleted stored answer is never given again, and its call is never paid twice."
        ),
        "deleted-content-cannot-be-read": (
            "Deleting a tenant's key makes all its kept words unreadable, and the record stays"
            " whole."
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
