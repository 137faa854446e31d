"""The terminal door: `ainfera-server` and its commands; each loads what it needs when it runs."""

import sys

import click

from ainfera_server.cli import (
    agents,
    audit,
    env,
    keys,
    log,
    openapi,
    selfcheck,
    start,
    status,
    venues,
    verify,
    wallet,
)

COMMANDS = (
    start.start,
    status.status,
    env.env,
    agents.agents,
    keys.keys,
    wallet.wallet,
    venues.venues,
    audit.audit,
    log.log,
    selfcheck.selfcheck,
    verify.verify,
    openapi.openapi,
)


@click.group(
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ainfera-server", message="%(prog)s %(version)s")
def program() -> None:
    """One server between agents and models.

    Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 refused by a policy, 4 verification
    failed.
    """


def main() -> None:
    """Run a command; whatever is wrong is one line on standard error, and the exit code."""
    try:
        program(prog_name="ainfera-server")
    except Exception as problem:
        from ainfera_server.cli import failures

        sys.exit(failures.told(problem))
