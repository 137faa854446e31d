"""The options that commands share; an option goes before the variable of the same meaning."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from ainfera_server.settings import Settings

CommandT = TypeVar("CommandT", bound=Callable[..., object])


def data_dir(command: CommandT) -> CommandT:
    """Add `--data-dir`."""
    return click.option(
        "--data-dir",
        envvar="AINFERA_DATA_DIR",
        metavar="FOLDER",
        help="The folder for the embedded database and the server's secret.",
    )(command)


def as_json(command: CommandT) -> CommandT:
    """Add `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Write JSON, one object on a line."
    )(command)


def agent(command: CommandT) -> CommandT:
    """Add `--agent`."""
    return click.option(
        "--agent",
        default=DEMO_AGENT,
        show_default=True,
        help="Which agent: its id, or its address without the host, `owner/agent`.",
    )(command)


DEMO_AGENT = "demo/demo-agent"
"""The agent that the first start signs up."""


def settings(**given: str | None) -> "Settings":
    """Read the settings, with what the command line says in place of the variables."""
    from ainfera_server import settings as environment_settings

    return environment_settings.from_environment(environment(**given))


def environment(**given: str | None) -> Mapping[str, str]:
    """The environment as the command line changes it, for this process and those it starts."""
    said = {f"AINFERA_{name.upper()}": text for name, text in given.items() if text is not None}
    return {**os.environ, **said}
