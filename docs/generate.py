"""Write docs/reference/ from the code, so that the pages cannot say anything else.

`just docs` writes the pages; `tests/test_docs.py` compares them with what stands there.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_type_hints

import click

from ainfera_server import money, settings
from ainfera_server.audit import events
from ainfera_server.audit.events import EventType
from ainfera_server.errors import AinferaError
from ainfera_server.money import UsdMicros
from ainfera_server.settings import Settings
from tests.promises import PROMISES

REFERENCE = Path(__file__).resolve().parent / "reference"
MADE_BY = "<!-- Written by `just docs`; change the code instead. -->"


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, content in pages().items():
        (REFERENCE / name).write_text(content, encoding="utf-8")


def pages() -> Mapping[str, str]:
    """Every page of the reference, by the name of its file."""
    return {name: page() for name, page in PAGES}


def settings_page() -> str:
    """What an operator may set."""
    rows = [
        (f"`{one.name}`", f"`{text}`" if (text := default_of(one.field)) else "", one.meaning)
        for one in settings.SETTINGS
    ]
    keys = [
        (f"`{slug.upper()}_API_KEY`", f"`{slug.upper()}_BASE_URL`")
        for slug in settings.PROVIDER_SLUGS
    ]
    return page(
        "Settings",
        "Environment variables, read once at the start. What cannot be used stops the start with"
        " one line that names it.",
        table(("variable", "default", "meaning"), rows),
        "## Providers",
        "A provider takes part once it has a key. Its base URL means what the vendor's own SDK"
        " means by it.",
        table(("key", "base URL"), keys),
    )


def errors_page() -> str:
    """Every kind of error a caller may meet."""
    rows = [(f"`{kind}`", str(status), meaning) for kind, status, meaning in error_kinds()]
    return page(
        "Errors",
        "Every error has a kind for programs and a sentence for people, worded in the dialect of"
        " the route. The status is that of the native routes.",
        table(("kind", "status", "meaning"), rows),
    )


def events_page() -> str:
    """Everything the audit chain may hold."""
    rows = [(f"`{one.value}`", events.MEANINGS[one]) for one in EventType]
    return page(
        "Events",
        "What can stand in an agent's audit chain.",
        table(("event", "meaning"), rows),
    )


def promises_page() -> str:
    """What the product promises."""
    return page(
        "Promises",
        "Each is proved by the tests that cite it: search `tests/` for its id.",
        table(("id", "promise"), [(f"`{one}`", sentence) for one, sentence in PROMISES.items()]),
    )


PAGES: tuple[tuple[str, Callable[[], str]], ...] = (
    ("errors.md", errors_page),
    ("events.md", events_page),
    ("promises.md", promises_page),
    ("settings.md", settings_page),
)


def routes_table(paths: Mapping[str, Mapping[str, Mapping[str, object]]]) -> str:
    """Every path and method of an OpenAPI document's `paths`, in the document's order."""
    rows = [
        (f"`{method.upper()} {path}`", str(operation["summary"]))
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    return table(("route", "does"), rows)


def commands(group: click.Group, name: str) -> Iterator[str]:
    """Each command as a heading, its help and its options; groups are looked into."""
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None, "a group knows the commands that it lists"
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
            continue
        options = [option_row(one) for one in command.params if isinstance(one, click.Option)]
        yield f"## `{name} {word}`"
        yield " ".join((command.help or "").split())
        if options:
            yield table(("option", "variable", "meaning"), options)


def option_row(option: click.Option) -> tuple[str, str, str]:
    """One option, the variable that stands for it, and what it means."""
    variable = f"`{option.envvar}`" if isinstance(option.envvar, str) else ""
    return f"`{', '.join(option.opts)}`", variable, option.help or ""


def error_kinds(tree: type[AinferaError] = AinferaError) -> Iterator[tuple[str, int, str]]:
    """The leaves of the tree of errors, in the order in which they are written."""
    branches = tree.__subclasses__()
    if not branches:
        yield tree.kind, tree.status, first_paragraph(tree)
    for branch in branches:
        yield from error_kinds(branch)


def default_of(field: str) -> str:
    """A default as an operator would write it; nothing when there is none."""
    match getattr(Settings(), field):
        case None:
            return ""
        case bool(is_on):
            return str(int(is_on))
        case amount if get_type_hints(Settings)[field] is UsdMicros:
            return money.usd(amount)
        case other:
            return str(other)


def first_paragraph(thing: object) -> str:
    """What its docstring says first, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def page(title: str, *paragraphs: str) -> str:
    """A page in Markdown."""
    return "\n\n".join((f"# {title}", MADE_BY, *paragraphs)) + "\n"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown; a bar inside a cell would end it."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


if __name__ == "__main__":
    main()
