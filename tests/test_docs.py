"""The documentation says what the code says, all of it, and what it shows can be had."""

import ast
import re
import tomllib
from collections.abc import Iterator

import click
import orjson
import pytest

from ainfera_server import settings
from ainfera_server.api import control
from ainfera_server.api.route import InferenceRoute, UnbuiltRoute
from ainfera_server.audit.events import EventType
from ainfera_server.cli import main as cli
from ainfera_server.errors import AinferaError
from docs import generate
from tests.promises import proves
from tests.tidy import tree
from tests.tidy.tree import Text

TEXTS = tree.texts()
PAGES = {str(one.path): one for one in TEXTS if one.path.suffix == ".md"}
REFERENCE = {one.path.name: one.content for one in PAGES.values() if "reference" in one.path.parts}
SOURCES = [one for one in TEXTS if one.path.parts[0] == "src" and one.path.suffix == ".py"]

VARIABLE = re.compile(r"\b(?:AINFERA_[A-Z_]+[A-Z])\b")
OF_CLIENTS = {"AINFERA_API_KEY", "AINFERA_AGENT_ID", "AINFERA_BASE_URL"}
"""What the variables of a client are called; the server reads none of them."""

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

PROVED_ELSEWHERE = {
    "README.md": {"sh": "tests/cli/test_quickstart.py"},
    "docs/quickstart.md": dict.fromkeys(("sh", "python"), "tests/cli/test_quickstart.py"),
    "docs/guides/clients.md": dict.fromkeys(("bash", "python"), "tests/clients/test_guide.py"),
    "docs/guides/operating.md": {"sh": "tests/cli/test_quickstart.py"},
    "docs/guides/verifying.md": {"python": "tests/test_guide_verifying.py"},
    "docs/guides/prices.md": {"sh": "tests/catalog/test_price_lists.py"},
}
"""Which test runs the blocks of a language on a page, or their script; data is read here."""


@proves("documentation-is-complete")
def test_the_reference_is_what_the_code_says_today() -> None:
    assert generate.pages() == REFERENCE, "run `just docs`"


@proves("documentation-is-complete")
def test_every_operation_of_the_api_is_in_the_reference() -> None:
    paths = control.described().state.document["paths"]
    missing = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if f"| `{method.upper()} {path}` |" not in REFERENCE["routes.md"]
    ]
    assert missing == []


@proves("documentation-is-complete")
def test_every_variable_that_the_code_names_is_a_setting_and_in_the_reference() -> None:
    named = {variable for text in strings() for variable in VARIABLE.findall(text)}
    assert named - OF_CLIENTS == {one.name for one in settings.SETTINGS}
    of_providers = {
        f"{slug.upper()}_{what}"
        for slug in settings.PROVIDER_SLUGS
        for what in ("API_KEY", "BASE_URL")
    }
    for variable in (named - OF_CLIENTS) | of_providers:
        assert f"`{variable}`" in REFERENCE["settings.md"]


def test_no_page_names_a_variable_that_nothing_reads() -> None:
    named = {variable for page in PAGES.values() for variable in VARIABLE.findall(page.content)}
    assert named - OF_CLIENTS <= {one.name for one in settings.SETTINGS}


@proves("documentation-is-complete")
def test_every_error_kind_and_event_is_in_the_reference() -> None:
    for kind in kinds(AinferaError):
        assert f"`{kind}`" in REFERENCE["errors.md"]
    for event in EventType:
        assert f"`{event.value}`" in REFERENCE["events.md"]


@proves("documentation-is-complete")
def test_every_command_is_in_the_reference() -> None:
    for name in names_of_commands(cli.program, "ainfera-server"):
        assert f"## `{name}" in REFERENCE["commands.md"]


@proves("documentation-is-complete")
def test_every_header_of_ours_is_in_the_reference() -> None:
    sent = {text for text in strings() if re.fullmatch(r"x-ainfera-[a-z-]+", text)}
    assert sent == set(re.findall(r"`(x-ainfera-[a-z-]+)`", REFERENCE["headers.md"]))
    assert sent


def test_a_route_says_who_may_ask_and_one_that_is_not_served_what_to_do_instead() -> None:
    routes = (
        InferenceRoute(path="/v1/ask", summary="Ask.", required=()),
        UnbuiltRoute(method="GET", path="/v1/later", sentence="Ask /v1/ask."),
    )
    assert generate.routes_table(routes).splitlines()[2:] == ["| `POST /v1/ask` | key | Ask. |"]
    assert generate.unbuilt_table(routes).splitlines()[2:] == ["| `GET /v1/later` | Ask /v1/ask. |"]


def test_every_command_and_option_is_described_however_deep() -> None:
    @click.command(help="Make a key.")
    @click.argument("owner")
    @click.option("--name", "-n", envvar="AINFERA_NAME", help="How to call it.")
    @click.option("--kind", default="plain", show_default=True, help="Of what kind.")
    def create(owner: str, name: str, kind: str) -> None:
        click.echo(owner + name + kind)

    top = click.Group(commands={"keys": click.Group(commands={"create": create})})
    assert list(generate.commands(top, "ainfera-server")) == [
        "## `ainfera-server keys create OWNER`",
        "Make a key.",
        (
            "| option | variable | meaning |\n| --- | --- | --- |\n"
            "| `--name, -n` | `AINFERA_NAME` | How to call it. |\n"
            "| `--kind` |  | Of what kind. Without it: `plain`. |"
        ),
    ]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_every_link_within_the_project_leads_somewhere(page: Text) -> None:
    for target, anchor in LINK.findall(page.content):
        path = (tree.ROOT / page.path).parent / target if target else tree.ROOT / page.path
        assert path.exists(), f"{page.path} links to {target}"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{target}{anchor}"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_what_a_page_shows_to_be_run_is_run_and_data_can_be_read(page: Text) -> None:
    is_for_users = page.path.name == "README.md" and len(page.path.parts) == 1
    if (not is_for_users and page.path.parts[:1] != ("docs",)) or "decisions" in page.path.parts:
        return
    for language, code in BLOCK.findall(page.content):
        match language:
            case "json":
                assert orjson.loads(code)
            case "toml":
                assert tomllib.loads(code)
            case _:
                proof = PROVED_ELSEWHERE[str(page.path)][language]
                names = {page.path.name, *re.findall(r"scripts/(\w+)\.py", code)}
                text = (tree.ROOT / proof).read_text(encoding="utf-8")
                assert any(name in text for name in names), f"{proof} runs nothing of {page.path}"


def strings() -> Iterator[str]:
    """Every text in the code of the package, with what it says of itself."""
    for module in tree.modules(tuple(SOURCES)):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def kinds(branch: type[AinferaError]) -> Iterator[str]:
    """Every kind that an error can have, also those of branches."""
    for one in branch.__subclasses__():
        yield one.kind
        yield from kinds(one)


def names_of_commands(group: click.Group, name: str) -> Iterator[str]:
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from names_of_commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}"


def anchors(markdown: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
