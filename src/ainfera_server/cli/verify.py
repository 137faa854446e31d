"""The command that checks evidence in a file, on a machine without the server or a network."""

import json
import stat
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.audit.evidence.findings import Check, Report
    from ainfera_server.audit.evidence.trust import Keys

READABLE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=READABLE)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FILE|KEY",
    help="Whose signatures count: a PEM file, the server's key document as a file, or the log's"
    " verifier key. Several may be given; without any, the file's own keys are used.",
)
@click.option(
    "--log",
    "log_file",
    type=READABLE,
    metavar="FILE",
    help="An export of the public log, in which a chain is counted, so that nothing is cut off.",
)
@options.as_json
def verify(file: Path, keys: tuple[str, ...], log_file: Path | None, *, as_json: bool) -> None:
    """Check a receipt, the chain of an agent or the whole log, offline.

    FILE is the answer of GET /v1/receipts/{id}, of GET /v1/audit/{agent_id}/export or of
    GET /v1/log/export. One line for each check. Exit code 0 when nothing is wrong in what could be
    checked, 4 when something does not hold, and 2 when the file is none of these.
    """
    from ainfera_server.audit.evidence import trust, verifying
    from ainfera_server.audit.evidence.exhibits import NotAnExhibit
    from ainfera_server.audit.evidence.trust import NotKeys
    from ainfera_server.audit.evidence.verifying import WrongKind

    try:
        brought: Keys = trust.read([_key(one) for one in keys])
        log = None if log_file is None else _read(log_file)
        report = verifying.verify(_read(file), brought=brought, log=log)
    except NotKeys as problem:
        _refuse(f"--key: {problem}.")
    except (NotAnExhibit, WrongKind) as problem:
        _refuse(f"{file}: {problem}.")
    _write(report, as_json=as_json)


def _write(report: "Report", *, as_json: bool) -> None:
    from ainfera_server.cli.failures import NOT_VERIFIED, Failure

    for check in report.checks:
        click.echo(_as_json(check) if as_json else _printable(_as_text(check)))
    fault = report.first_fault
    if fault is not None:
        where = fault.record or fault.name
        sentence = f"{report.subject} does not hold: {where}: {fault.sentence}."
        raise Failure(_printable(sentence), exit_code=NOT_VERIFIED)
    if not as_json:
        click.echo(_printable(_verdict(report)))


def _verdict(report: "Report") -> str:
    if not report.not_made:
        return f"Nothing is wrong with {report.subject}."
    count = len(report.not_made)
    checks = "1 check" if count == 1 else f"{count} checks"
    return (
        f"Nothing is wrong in what could be checked; {checks} could not be made:"
        f" {', '.join(report.not_made)}. This is {report.subject}."
    )


def _as_text(check: "Check") -> str:
    states = {"holds": "holds", "fails": "FAILS", "open": "open "}
    where = "" if check.record is None else f"{check.record}: "
    told = "" if check.sentence is None else f"  {where}{check.sentence}"
    return f"{states[check.state]}  {check.name:<22} {check.count} {check.records}{told}"


def _as_json(check: "Check") -> str:
    return json.dumps(asdict(check), separators=(",", ":"))


def _printable(text: str) -> str:
    """Printable ASCII alone: what stands in a stranger's file could command a terminal."""
    return "".join(
        one if " " <= one <= "~" else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _key(given: str) -> bytes:
    """The content of a file, or the key itself; a verifier key is no path that anybody has."""
    path = Path(given)
    try:
        return _content(path)
    except (OSError, ValueError):
        if "+" in given or "-----BEGIN" in given:
            return given.encode(errors="surrogateescape")
        _refuse(f"--key: {given!r} is neither a file nor a key.")


def _read(path: Path) -> bytes:
    try:
        return _content(path)
    except OSError as problem:
        _refuse(f"{path}: {problem.strerror}.")


def _content(path: Path) -> bytes:
    """What a regular file holds: a pipe or a device may never come to an end. Raises OSError."""
    if not stat.S_ISREG(path.stat().st_mode):
        _refuse(f"{path}: not a regular file.")
    return path.read_bytes()


def _refuse(sentence: str) -> NoReturn:
    from ainfera_server.cli.failures import WRONG_USAGE, Failure

    raise Failure(_printable(sentence), exit_code=WRONG_USAGE)
