"""The promises that can be checked on a database as it stands, one line each."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ainfera_server.selfcheck import (
    chains,
    public_log_heads,
    reading,
    receipts,
    rules,
    verdicts,
)
from ainfera_server.selfcheck.reading import Reader
from ainfera_server.selfcheck.verdicts import Verdict

LAST_EVENTS = 16
"""How many events of each chain are hashed and verified unless all are: an event takes 0.15 ms."""

OFFSET_S_MAX = 5.0
"""Days and deadlines are the database's, but records carry this machine's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to check: `deep` looks at every hash and signature; `clock` is this machine's."""

    deep: bool
    clock: Callable[[], float]


def check(dsn: str, asked: Asked) -> Iterator[Verdict]:
    """Check every promise on one snapshot of a database. Raises StoreUnavailable."""
    with reading.opened(dsn) as reader:
        yield from verdicts_of(reader, asked)


def verdicts_of(reader: Reader, asked: Asked) -> Iterator[Verdict]:
    """One verdict for each promise."""
    for one in CHECKS:
        yield one(reader, asked)


def conservation(reader: Reader, _: Asked) -> Verdict:
    """Money comes from somewhere and goes somewhere, and every total can be added up again."""
    return _by_rules(reader, "conservation", "conservation", rules.CONSERVATION)


def open_holds(reader: Reader, _: Asked) -> Verdict:
    """What is set aside belongs to calls that still run."""
    return _by_rules(reader, "open holds", "open_holds", rules.OPEN_HOLDS)


def caps(reader: Reader, _: Asked) -> Verdict:
    """Nobody spends what is not there, or what the owner did not allow."""
    return _by_rules(reader, "caps", "caps", rules.CAPS)


def inferences(reader: Reader, asked: Asked) -> Verdict:
    """Each was paid for once, and left what it has to leave."""
    verdict = _by_rules(reader, "inferences", "inferences", rules.INFERENCES)
    forged = receipts.signed(reader) if asked.deep else ()
    return replace(verdict, faults=(*verdict.faults, *forged))


def chain(reader: Reader, asked: Asked) -> Verdict:
    """Nothing that happened was taken away, put in or changed."""
    count, broken = chains.checked(reader, last=None if asked.deep else LAST_EVENTS)
    return Verdict(
        promise="chain",
        figures={**rules.figures(reader, "chain"), "verified": count},
        faults=(*rules.faults(reader, rules.CHAIN), *broken),
    )


def public_log(reader: Reader, asked: Asked) -> Verdict:
    """What was published stays true: the log leads to every head that was signed."""
    verdict = _by_rules(reader, "public log", "public_log", rules.PUBLIC_LOG)
    covered = verdict.figures["covered"]
    assert isinstance(covered, int), "a size is a number"
    broken = (
        public_log_heads.every_checkpoint(reader)
        if asked.deep
        else public_log_heads.last_checkpoint(reader, size=covered)
    )
    return replace(verdict, faults=(*verdict.faults, *broken))


def price_book(reader: Reader, _: Asked) -> Verdict:
    """What an answer cost can be computed again."""
    books = reader.rows("price_books")
    changed = [
        f"price book {book['version']}"
        for book in books
        if hashlib.sha256(str(book["body"]).encode()).hexdigest() != book["version"]
    ]
    return Verdict(
        promise="price book",
        figures={"price_books": len(books)},
        faults=(
            *verdicts.faults("the version of a price book is its hash", changed),
            *rules.faults(reader, rules.PRICE_BOOK),
        ),
    )


def row_security(reader: Reader, _: Asked) -> Verdict:
    """Tenants are strangers, and what was recorded stays."""
    return _by_rules(reader, "row security", "row_security", rules.ROW_SECURITY)


def clock(reader: Reader, asked: Asked) -> Verdict:
    """The database and this machine agree on the time; asking takes as long there as back."""
    asked_s = asked.clock()
    told_s = reader.row("clock")["database_unix_s"]
    answered_s = asked.clock()
    assert isinstance(told_s, float), "the query returns a double"
    offset_s = told_s - (asked_s + answered_s) / 2
    apart = [f"{offset_s:+.1f} s"] if abs(offset_s) > OFFSET_S_MAX else []
    sentence = f"the database's clock is within {OFFSET_S_MAX:.0f} seconds of this machine's"
    return Verdict(
        promise="clock",
        figures={"offset_ms": round(offset_s * 1000)},
        faults=(*verdicts.faults(sentence, apart), *rules.faults(reader, rules.CLOCK)),
    )


CHECKS: tuple[Callable[[Reader, Asked], Verdict], ...] = (
    conservation,
    open_holds,
    caps,
    inferences,
    chain,
    public_log,
    price_book,
    row_security,
    clock,
)


def _by_rules(
    reader: Reader, promise: str, figures: str, of_promise: tuple[rules.Rule, ...]
) -> Verdict:
    return Verdict(
        promise=promise,
        figures=rules.figures(reader, figures),
        faults=rules.faults(reader, of_promise),
    )
