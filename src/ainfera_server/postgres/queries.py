"""Reads `.sql` files, in which each query has a name and one line that says why it exists."""

import importlib.resources
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

NAME = re.compile(r"-- name: (?P<name>[a-z][a-z0-9_]*)")
WHY = re.compile(r"-- \S.*")
OPENS_AN_ENTRY = re.compile(r"--\s*name\b", re.IGNORECASE)


class BadQueryFile(ValueError):
    """A `.sql` file breaks the form; the sentence names the file and the entry."""


def load(module_name: str, file_name: str = "queries.sql") -> Mapping[str, str]:
    """Read the file beside a module: `QUERIES = queries.load(__name__)`.

    Take a query out where the module is imported, `LOCK_HEADS = QUERIES["lock_heads"]`, so that a
    misspelt name fails there and not in front of a caller.
    """
    package = module_name.rpartition(".")[0]
    text = importlib.resources.files(package).joinpath(file_name).read_text(encoding="utf-8")
    return parse(text, where=f"{package}/{file_name}")


def parse(text: str, *, where: str) -> Mapping[str, str]:
    """Split a file into its queries. Raises BadQueryFile when a rule of the form is broken."""
    found: dict[str, str] = {}
    for name, lines in _entries(text, where=where):
        if name in found:
            raise BadQueryFile(f"{where}: two queries are called {name!r}")
        found[name] = _statement(lines, where=f"{where}: {name!r}")
    if not found:
        raise BadQueryFile(f"{where}: no line says `-- name: ...`")
    return MappingProxyType(found)


def _entries(text: str, *, where: str) -> Iterator[tuple[str, list[str]]]:
    name: str | None = None
    lines: list[str] = []
    for line in map(str.rstrip, text.splitlines()):
        if not OPENS_AN_ENTRY.match(line):
            lines.append(line)
            continue
        if name is not None:
            yield name, lines
        else:
            _require_only_comments(lines, where=where)
        match = NAME.fullmatch(line)
        if match is None:
            raise BadQueryFile(f"{where}: {line!r} should read `-- name: snake_case`")
        name, lines = match["name"], []
    if name is not None:
        yield name, lines


def _require_only_comments(lines: list[str], *, where: str) -> None:
    """Above the first query there is room for what the file is for, and nothing else."""
    for line in lines:
        if line and not line.startswith("--"):
            raise BadQueryFile(f"{where}: {line!r} stands above the first `-- name: ...`")


def _statement(lines: list[str], *, where: str) -> str:
    if not lines or not WHY.fullmatch(lines[0]):
        raise BadQueryFile(f"{where} needs a comment line after its name that says why")
    statement = "\n".join(lines[1:]).strip()
    if all(not line or line.startswith("--") for line in statement.splitlines()):
        raise BadQueryFile(f"{where} has no SQL")
    return statement
