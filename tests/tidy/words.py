"""What may stand in no file at all: references that a stranger cannot follow, and places."""

import re
from collections.abc import Iterator

from tests.tidy.tree import Finding, Text

COLUMNS_MAX = 100
COLUMN_SUFFIXES = frozenset({".py", ".sql"})

FORBIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bAIN-\d+"), "a ticket id means nothing here, write the reason"),
    (re.compile(r"\b(issue|ticket|PR) #?\d+", re.IGNORECASE), "a ticket is no reason, write it"),
    (re.compile("\N{SECTION SIGN}"), "a section number means nothing here, write the reason"),
    (re.compile(r"\bcontract \d", re.IGNORECASE), "a chapter number is no reason, write it"),
    (re.compile(r"(?<![\w.])/(work|root|home|Users)/"), "a path of somebody's machine"),
    (
        re.compile(r"\bpypi\.org|\bpythonhosted\.org|\bregistry\.npmjs\b"),
        "an address of a registry",
    ),
)


def findings(text: Text) -> Iterator[Finding]:
    """Every forbidden word in a file, and every line that is too wide."""
    for number, line in enumerate(text.lines, start=1):
        if len(line) > COLUMNS_MAX and text.path.suffix in COLUMN_SUFFIXES:
            yield Finding(path=text.path, line=number, sentence=f"is wider than {COLUMNS_MAX}")
        for pattern, sentence in FORBIDDEN:
            if match := pattern.search(line):
                said = f"{match.group()!r}: {sentence}"
                yield Finding(path=text.path, line=number, sentence=said)
