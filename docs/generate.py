"""Write docs/reference/ from the code, so that the pages cannot say anything else.

`just docs` writes the pages; `tests/test_docs.py` compares them with what stands there.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import click

from ainfera_server import money, settings
from ainfera_server.api import routes
from ainfera_server.api.route import AnyRoute, InferenceRoute, Route, UnbuiltRoute
from ainfera_server.audit import events
from ainfera_server.audit.events import EventType
from ainfera_server.cli import main as cli
from ainfera_server.dashboard import pages as dashboard
from ainfera_server.errors import AinferaError
from ainfera_server.money import UsdMicros
from ainfera_server.settings import Settings
from benchmarks import report, write_report
from docs import providers_table
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
        (f"`{one.name}`", code(default_of(one.field)), one.meaning) for one in settings.SETTINGS
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
        " the route; [Headers](headers.md) says which of them ask to be tried again. The status is"
        " that of the native routes.",
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


def performance_page() -> str:
    """What was measured last, by `just bench --keep` and `just bench-writes --keep`."""
    return page(
        "Performance",
        *report.paragraphs(report.kept()),
        "## The write path alone",
        *write_report.paragraphs(write_report.kept()),
    )


def promises_page() -> str:
    """What the product promises."""
    return page(
        "Promises",
        "Each is proved by the tests that cite it: search `tests/` for its id.",
        table(("id", "promise"), [(f"`{one}`", sentence) for one, sentence in PROMISES.items()]),
    )


def routes_page() -> str:
    """Everything that answers over HTTP."""
    pages = ", ".join(code(one.path.replace(":uuid}", "}")) for one in dashboard.PAGES)
    browsers = (
        f"Browsers, which sign in at `{dashboard.SIGN_IN}`. Its pages are {pages}; each with"
        f" `{dashboard.TWIN}` behind it is the same as JSON."
    )
    verifier = "Whoever has a receipt, a chain or a log as a file: the page checks it, offline."
    tools = "MCP clients, over streamable HTTP without sessions; with the extra `mcp`."
    return page(
        "Routes",
        "*key*: an API key is needed, as `Authorization: Bearer` or as `x-api-key`, and reaches"
        " what its own tenant has. *owner*: a key of scope `owner` is needed, because something"
        " changes. *public*: anybody may ask. `/openapi.json` of a running server"
        " says what goes into each and what comes out.",
        routes_table(routes.every_route()),
        "## Not served",
        "The API names these too. This version answers each with 501 and the sentence that stands"
        " here.",
        unbuilt_table(routes.every_route()),
        "## Beside the API",
        table(
            ("path", "who", "is for"),
            [
                ("`/dashboard`", "key", browsers),
                ("`/dashboard/verify`", "public", verifier),
                ("`POST /mcp`", "key", tools),
            ],
        ),
    )


def commands_page() -> str:
    """Everything the terminal knows."""
    program = cli.program
    return page(
        "Commands",
        " ".join((program.help or "").split()),
        "An option goes before the variable that stands for it. `--help` says of each command what"
        " stands here.",
        *commands(program, "ainfera-server"),
    )


def headers_page() -> str:
    """Every header of our own, and those of others that we heed."""
    return page(
        "Headers",
        "## What a request may have",
        table(("header", "where", "meaning"), REQUEST_HEADERS),
        "## What a response has",
        table(("header", "where", "meaning"), RESPONSE_HEADERS),
    )


def providers_page() -> str:
    """Whom we call, and what each of them supports."""
    return page(
        "Providers",
        "What each provider supports, as the code has it. A capability is listed where at least one"
        " of the provider's offers has it. A key may be several, separated by commas: they take"
        " turns, and one that is refused is set aside.",
        table(providers_table.HEAD, providers_table.rows()),
    )


PAGES: tuple[tuple[str, Callable[[], str]], ...] = (
    ("commands.md", commands_page),
    ("errors.md", errors_page),
    ("events.md", events_page),
    ("headers.md", headers_page),
    ("performance.md", performance_page),
    ("promises.md", promises_page),
    ("providers.md", providers_page),
    ("routes.md", routes_page),
    ("settings.md", settings_page),
)


def routes_table(every: Sequence[AnyRoute]) -> str:
    """What is served: each route, who may ask, and what it does."""
    rows: list[tuple[str, ...]] = []
    for one in every:
        match one:
            case Route():
                rows.append((written(one), one.opens, one.summary))
            case InferenceRoute():
                rows.append((written(one), "key", one.summary))
            case UnbuiltRoute():
                pass
    return table(("route", "who", "does"), rows)


def unbuilt_table(every: Sequence[AnyRoute]) -> str:
    """What is not served, and what to do instead."""
    rows = [(written(one), one.sentence) for one in every if isinstance(one, UnbuiltRoute)]
    return table(("route", "instead"), rows)


def written(route: AnyRoute) -> str:
    """A route as the OpenAPI document names it."""
    return code(f"{route.method} {route.path.replace(':path}', '}')}")


def commands(group: click.Group, name: str) -> Iterator[str]:
    """Each command as a heading, its help and its options; groups are looked into."""
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None, "a group knows the commands that it lists"
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
            continue
        given = [
            one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)
        ]
        options = [option_row(one) for one in command.params if isinstance(one, click.Option)]
        yield f"## {code(' '.join((name, word, *given)))}"
        yield " ".join((command.help or "").split())
        if options:
            yield table(("option", "variable", "meaning"), options)


def option_row(option: click.Option) -> tuple[str, str, str]:
    """One option, the variable that stands for it, and what it means."""
    variable = code(option.envvar) if isinstance(option.envvar, str) else ""
    default = f" Without it: {code(str(option.default))}." if option.show_default else ""
    names = ", ".join((*option.opts, *option.secondary_opts))
    return code(names), variable, (option.help or "") + default


def error_kinds(tree: type[AinferaError] = AinferaError) -> Iterator[tuple[str, int, str]]:
    """The leaves of the tree of errors, in the order in which they are written.

    A refused choice has no kind of its own: its code is the rule that fired.
    """
    branches = tree.__subclasses__()
    if not branches:
        for kind in get_args(get_type_hints(tree.__init__).get("rule")) or (tree.kind,):
            yield kind, tree.status, first_paragraph(tree)
    for branch in branches:
        yield from error_kinds(branch)


def default_of(field: str | None) -> str:
    """A default as an operator would write it; nothing when there is none."""
    if field is None:
        return ""
    match getattr(Settings(), field):
        case None | ():
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


def code(text: str) -> str:
    """A text as it is typed; nothing stays nothing."""
    return text and f"`{text}`"


def page(title: str, *paragraphs: str) -> str:
    """A page in Markdown."""
    return "\n\n".join((f"# {title}", MADE_BY, *paragraphs)) + "\n"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown; a bar inside a cell would end it."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


EVERYWHERE = "everywhere"
INFERENCE = "inference"
ANSWERS = "answers"
ENDINGS = "answers, and errors that have one"

REQUEST_HEADERS = (
    ("`authorization`", EVERYWHERE, "`Bearer` and an API key."),
    (
        "`x-api-key`",
        EVERYWHERE,
        "An API key, for clients that send it so; two that differ are 401.",
    ),
    (
        "`content-type`",
        EVERYWHERE,
        "`application/json` for a body; on control routes nothing else.",
    ),
    (
        "`idempotency-key`",
        "inference, `/v1/wallets/topup`, `/v1/wallets/move`",
        "1 to 255 printable characters. The same key again gives the first answer, paid for once.",
    ),
    (
        "`x-ainfera-session-id`, `x-claude-code-session-id`",
        INFERENCE,
        (
            "Which session the call belongs to, for caps on it; ours goes before Claude Code's,"
            " here and below. 1 to 128 printable ASCII characters; any other value is as if it"
            " were not sent."
        ),
    ),
    (
        "`x-ainfera-agent-id`, `x-claude-code-agent-id`",
        INFERENCE,
        "Which agent of the session asks; left out by the one at the top.",
    ),
    (
        "`x-ainfera-parent-agent-id`, `x-claude-code-parent-agent-id`",
        INFERENCE,
        "Which agent of the session started that one.",
    ),
    (
        "`anthropic-*`",
        "`/v1/messages`, `/v1/messages/count_tokens`",
        "Go to Anthropic as they came when a model of theirs answers; nowhere else.",
    ),
    (
        "`anthropic-version`, `x-stainless-*`, `user-agent`",
        "`/v1/models`",
        "Tell whose client asks, and so the form of the list; `?format=` goes before them.",
    ),
    ("`accept`", "`/` and `/concepts`", "Whether a page, Markdown or JSON is wanted."),
    (
        "`forwarded`, `via`, `x-forwarded-for`, `x-forwarded-host`, `x-real-ip`",
        "`/metrics`",
        "A request that came through a proxy is refused.",
    ),
    ("`origin`, `sec-fetch-site`", "`/dashboard`, `/mcp`", "Pages of other sites are refused."),
)

RESPONSE_HEADERS = (
    ("`request-id`, `x-request-id`", EVERYWHERE, "The same id in both; our logs know it."),
    ("`x-ainfera-model`", ANSWERS, "The offer that answered."),
    ("`x-ainfera-provider`", ANSWERS, "Its provider."),
    ("`x-ainfera-inference-id`", ENDINGS, "For `GET /v1/inferences/{inference_id}`."),
    ("`x-ainfera-receipt-id`", ENDINGS, "For `GET /v1/receipts/{receipt_id}`, once it has ended."),
    (
        "`x-ainfera-decision-id`",
        "routed answers, and errors after a decision",
        "For `GET /v1/inferences/{inference_id}/decision`, which takes it too.",
    ),
    ("`x-ainfera-rule-fired`", "routed answers", "The rule that made the decision."),
    (
        "`x-ainfera-cost-usd`",
        "whole answers",
        "What it cost. A stream says so at its end, in a comment that clients skip.",
    ),
    ("`x-ainfera-agent-id`", ANSWERS, "Who paid."),
    ("`x-ainfera-audit-url`", ANSWERS, "The agent's audit chain."),
    (
        "`x-ainfera-content-salt`",
        ENDINGS,
        (
            "With it the hashes on the receipt can be checked against the words. It is kept,"
            " encrypted, where the tenant keeps its words, for as long as they are, and for a day"
            " beside the answer of a call with `idempotency-key`; else only you have it."
        ),
    ),
    (
        "`x-ainfera-token-count`",
        "`/v1/messages/count_tokens`",
        "Who counted: `provider`, or `estimate` where nobody but us could.",
    ),
    ("`x-ainfera-stream-mode`", "streams", "`native`: nothing waits for the end of the answer."),
    ("`x-ainfera-tools-dropped`", ANSWERS, "`false`: a request with tools is never stripped."),
    ("`x-should-retry`", "errors", "`false` where the same request would fail again."),
    ("`retry-after`", "errors", "Seconds after which to try again."),
    ("`www-authenticate`", "401", "`Bearer`."),
    ("`allow`", "405", "What the path takes."),
)


if __name__ == "__main__":
    main()
