"""The command that checks what the server promises, on the database as it stands."""

from typing import TYPE_CHECKING

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.selfcheck.verdicts import Verdict


@click.command()
@options.data_dir
@click.option(
    "--deep",
    is_flag=True,
    help="Check every hash and every signature, not only the last ones of each chain.",
)
@options.as_json
def selfcheck(data_dir: str | None, *, deep: bool, as_json: bool) -> None:
    """Check every promise that the database can show, one line for each; nothing is written.

    It may run at any time, beside the server or without it. Exit code 4 when a promise does not
    hold.
    """
    import time

    from ainfera_server.cli import selfcheck_database
    from ainfera_server.cli.failures import NOT_VERIFIED, Failure
    from ainfera_server.selfcheck import checks
    from ainfera_server.selfcheck.checks import Asked

    broken: list[str] = []
    with selfcheck_database.found(options.settings(data_dir=data_dir)) as dsn:
        for verdict in checks.check(dsn, Asked(deep=deep, clock=time.time)):
            click.echo(_as_json(verdict) if as_json else _as_text(verdict))
            if not verdict.holds:
                broken.append(verdict.promise)
    if broken:
        raise Failure(
            f"What the server promises does not hold: {', '.join(broken)}. The guide to running a"
            f" server says what to do about each line.",
            exit_code=NOT_VERIFIED,
        )


def _as_text(verdict: "Verdict") -> str:
    """One line, and one more for each thing that is wrong."""
    figures = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in verdict.figures.items())
    state = "holds " if verdict.holds else "BROKEN"
    return "\n".join(
        (f"{verdict.promise:<13} {state}  {figures}", *(f"  {one}" for one in verdict.faults))
    )


def _as_json(verdict: "Verdict") -> str:
    import orjson

    written = {
        "promise": verdict.promise,
        "holds": verdict.holds,
        "figures": verdict.figures,
        "faults": verdict.faults,
    }
    return orjson.dumps(written).decode()
