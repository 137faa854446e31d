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
        callback=not_empty,
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
        callback=not_empty,
        show_default=True,
        help="Which agent: its id, or its address without the host, `owner/agent`.",
    )(command)


def not_empty(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse an option with nothing in it: often it is a variable of a script that is not set.

    An empty variable of the environment counts as none, as everywhere.
    """
    assert parameter.name is not None, "click names every parameter"
    source = context.get_parameter_source(parameter.name)
    if source is click.core.ParameterSource.COMMANDLINE and not (value or "").strip():
        from ainfera_server.cli.failures import WRONG_USAGE, Failure

        raise Failure(f"{parameter.opts[0]} is empty: give it a value.", exit_code=WRONG_USAGE)
    return value


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
