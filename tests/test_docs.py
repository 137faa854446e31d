"""The reference says what the code says."""

import click

from docs import generate
from tests.promises import proves


@proves("documentation-is-complete")
def test_the_reference_is_what_the_code_says_today() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in generate.REFERENCE.iterdir()}
    assert written == generate.pages(), "run `just docs`"


def test_every_route_of_the_openapi_document_gets_a_row() -> None:
    paths = {"/v1/models": {"get": {"summary": "List models."}}}
    assert "| `GET /v1/models` | List models. |" in generate.routes_table(paths)


def test_every_command_and_option_is_described_however_deep() -> None:
    @click.command(help="Make a key.")
    @click.option("--name", "-n", envvar="AINFERA_NAME", help="How to call it.")
    def create(name: str) -> None:
        click.echo(name)

    top = click.Group(commands={"keys": click.Group(commands={"create": create})})
    assert list(generate.commands(top, "ainfera-server")) == [
        "## `ainfera-server keys create`",
        "Make a key.",
        (
            "| option | variable | meaning |\n| --- | --- | --- |\n"
            "| `--name, -n` | `AINFERA_NAME` | How to call it. |"
        ),
    ]
