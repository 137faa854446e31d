"""The rules that a query can check: a rule finds whatever breaks it, and nothing where it holds."""

from dataclasses import dataclass

from ainfera_server.selfcheck import verdicts
from ainfera_server.selfcheck.reading import Reader
from ainfera_server.selfcheck.verdicts import Fault

HOLD_GRACE_S = 60.0
"""How long after its deadline a hold may still be open: any process that runs releases it."""

LEFT_OUT_S_MAX = 60.0
"""An entry may be told just before a checkpoint and come into the log just behind it."""

AHEAD_S_MAX = 60.0
"""How far a machine that writes may be ahead of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A sentence that is true, and the query that returns whatever makes it false."""

    query: str
    sentence: str
    parameters: tuple[object, ...] = ()


CONSERVATION = (
    Rule(query="money_from_nowhere", sentence="the entries of a tenant add up to zero"),
    Rule(
        query="transfers_unlike_their_entries",
        sentence="a transfer has exactly the entries that its state implies",
    ),
    Rule(
        query="accounts_unlike_their_entries",
        sentence="the totals of an account are those of its entries, numbered without a gap",
    ),
    Rule(
        query="balances_unlike_their_entries",
        sentence="the balance after an entry is the sum of all entries up to it",
    ),
    Rule(query="wallets_that_were_overdrawn", sentence="no wallet was ever overdrawn"),
)
OPEN_HOLDS = (
    Rule(
        query="accounts_unlike_their_holds",
        sentence="an account has set aside what its open transfers hold",
    ),
    Rule(
        query="windows_unlike_their_transfers",
        sentence="a window of spending has what the transfers that count in it say",
    ),
    Rule(
        query="holds_that_were_exceeded",
        sentence="no transfer posted more than it had set aside",
    ),
    Rule(
        query="holds_that_are_stuck",
        sentence=f"no hold is open {HOLD_GRACE_S:.0f} seconds after its deadline",
        parameters=(HOLD_GRACE_S,),
    ),
)
CAPS = (
    Rule(
        query="windows_above_their_cap",
        sentence="what is spent and set aside in a window is within its cap",
    ),
    Rule(
        query="windows_without_the_cap_in_force",
        sentence="an open window enforces the cap that its owner set",
    ),
    Rule(
        query="accounts_that_are_overdrawn",
        sentence="what is spent and set aside is within what was put in",
    ),
)
INFERENCES = (
    Rule(
        query="inferences_without_their_transfer",
        sentence="an inference has one transfer, and what was held before it is void",
    ),
    Rule(
        query="transfers_without_their_inference",
        sentence="a transfer for an inference has its inference",
    ),
    Rule(
        query="inferences_unlike_their_transfer",
        sentence="an inference and its transfer end alike, at the same cost",
    ),
    Rule(
        query="inferences_without_their_receipt",
        sentence="an inference that was paid for has one receipt",
    ),
    Rule(
        query="inferences_without_their_outcome",
        sentence="a routed inference has one routing outcome that ends alike, a pinned one none",
    ),
    Rule(
        query="receipts_unlike_their_event",
        sentence="the chain commits to the text of every receipt",
    ),
    Rule(
        query="debits_without_their_event",
        sentence="an inference that was paid for has one event that says so",
    ),
)
CHAIN = (
    Rule(
        query="heads_unlike_their_chain",
        sentence="a chain ends where its record says, and is numbered without a gap",
    ),
    Rule(query="events_without_a_chain", sentence="an event belongs to a chain on record"),
    Rule(
        query="events_that_do_not_follow",
        sentence="an event names the hash of the one before it",
    ),
    Rule(query="events_told_twice", sentence="an event has one place"),
)
PUBLIC_LOG = (
    Rule(
        query="events_unlike_the_log",
        sentence="the public log commits to every event, and to nothing else",
    ),
    Rule(
        query="heights_with_a_gap",
        sentence="the entries of the log are numbered without a gap",
    ),
    Rule(
        query="checkpoints_beyond_the_log",
        sentence="a checkpoint signs what is there",
    ),
    Rule(
        query="tiles_unlike_the_checkpoint",
        sentence="the stored tree is as large as the newest checkpoint says",
    ),
    Rule(
        query="entries_that_checkpoints_left_out",
        sentence=f"a checkpoint covers what was there {LEFT_OUT_S_MAX:.0f} seconds before it",
        parameters=(LEFT_OUT_S_MAX,),
    ),
)
PRICE_BOOK = (
    Rule(
        query="receipts_without_their_prices",
        sentence="the price book that a receipt names is kept",
    ),
    Rule(
        query="inferences_without_their_prices",
        sentence="the price book that an inference names is kept",
    ),
)
ROW_SECURITY = (
    Rule(
        query="tables_without_row_security",
        sentence="row security binds everybody on a table with a tenant's rows",
    ),
    Rule(
        query="tables_without_their_policy",
        sentence="a table with a tenant's rows shows those of one tenant",
    ),
    Rule(
        query="policies_that_are_too_wide",
        sentence="no policy opens rows to whoever serves tenants without asking for whom",
    ),
    Rule(
        query="roles_that_ignore_row_security",
        sentence="row security binds every role that we work as",
    ),
    Rule(
        query="tables_owned_by_who_serves",
        sentence="who serves tenants owns no table",
    ),
    Rule(query="records_that_can_be_changed", sentence="what was recorded cannot be changed"),
)
CLOCK = (
    Rule(
        query="records_of_the_future",
        sentence="no record is from the future",
        parameters=(AHEAD_S_MAX,),
    ),
)


def faults(reader: Reader, rules: tuple[Rule, ...]) -> tuple[Fault, ...]:
    """Ask for whatever breaks these rules."""
    return tuple(
        fault
        for rule in rules
        for fault in verdicts.faults(
            rule.sentence,
            (str(row["what"]) for row in reader.rows(rule.query, *rule.parameters)),
        )
    )


def figures(reader: Reader, query: str) -> dict[str, int | str]:
    """What was looked at, counted."""
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in reader.row(query).items()
    }
