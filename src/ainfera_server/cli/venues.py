"""Commands about venues: try one with its own key, light it, darken it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.catalog.store import RecordedChange
    from ainfera_server.catalog.venues import VenueState
    from ainfera_server.conversation import Json
    from ainfera_server.gateway import Gateway

REPORT_BYTES_MAX = 64 * 1024
REPORT_AGE_DAYS_MAX = 7


@click.group()
def venues() -> None:
    """Venues: where a model is served, and whether it is asked there."""


@venues.command("smoke")
@click.argument("provider")
@click.option("--model", help="An offer or a model of the provider; its cheapest without this.")
def smoke(provider: str, model: str | None) -> None:
    """Call a venue's model twice, cold and warm, and print a report as one JSON object.

    The key comes from the environment. Exit code 1 when a call failed, 2 when none could be made;
    the report says why either way. It costs the two calls, at the provider, and no wallet anything.
    """
    import asyncio

    from ainfera_server import gateway as gateways
    from ainfera_server.catalog import lists
    from ainfera_server.cli import venue_smoke
    from ainfera_server.cli.failures import FAILED, WRONG_USAGE
    from ainfera_server.cli.venue_smoke import NotSmoked
    from ainfera_server.providers.provider import NotAnEndpoint
    from ainfera_server.settings import BadSetting

    try:
        endpoints = gateways.endpoints_of(options.settings())
        venue = venue_smoke.found(
            lists.read_price_lists(), endpoints, provider=provider, model=model
        )
    except NotSmoked as problem:
        _tell(venue_smoke.refusal(problem.kind, str(problem), provider=provider))
        sys.exit(WRONG_USAGE)
    except (BadSetting, NotAnEndpoint) as problem:
        _tell(venue_smoke.refusal("bad_setting", str(problem), provider=provider))
        sys.exit(WRONG_USAGE)
    try:
        report = asyncio.run(venue_smoke.report(venue))
    except Exception as problem:
        kind = type(problem).__name__
        _tell(venue_smoke.refusal("internal_error", f"It broke: {kind}.", provider=provider))
        sys.exit(FAILED)
    _tell(report)
    if not report["ok"]:
        sys.exit(FAILED)


@venues.command("activate")
@click.argument("offer")
@click.option(
    "--report",
    "report",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `venues smoke` printed for this offer, at most a week ago.",
)
@options.data_dir
@options.as_json
def activate(offer: str, report: Path, data_dir: str | None, *, as_json: bool) -> None:
    """Light an offer: running servers ask it within seconds, also where its list holds it back."""
    evidence = _read(report)
    _require_passed(evidence, offer)
    _change(offer, "lit", evidence, data_dir, as_json=as_json)


@venues.command("deactivate")
@click.argument("offer")
@click.option(
    "--report",
    "report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file that says why; it is kept with the change.",
)
@options.data_dir
@options.as_json
def deactivate(offer: str, report: Path | None, data_dir: str | None, *, as_json: bool) -> None:
    """Darken an offer: within seconds it is no candidate and cannot be had by its name."""
    _change(offer, "dark", None if report is None else _read(report), data_dir, as_json=as_json)


@venues.command("history")
@options.data_dir
@options.as_json
def history(data_dir: str | None, *, as_json: bool) -> None:
    """List every change and check that none was edited or taken out; exit code 4 if one was."""
    from ainfera_server.audit import store as audit_store
    from ainfera_server.catalog import actions, store
    from ainfera_server.cli import database, output
    from ainfera_server.cli.failures import NOT_VERIFIED, Failure
    from ainfera_server.postgres import tenancy

    async def work(
        gateway: "Gateway",
    ) -> "tuple[tuple[RecordedChange, ...], Mapping[str, str]]":
        async with tenancy.public_transaction(gateway.pools.app) as connection:
            changes = await store.venue_changes(connection)
            public_keys = await audit_store.public_key_pems(connection)
        return changes, {**public_keys, gateway.signer.key_id: gateway.signer.public_key_pem}

    changes, public_keys = database.use(options.settings(data_dir=data_dir), work)
    output.write([_row(one) for one in changes], as_json=as_json)
    broken = actions.first_broken_change(changes, public_keys)
    if broken is not None:
        raise Failure(
            f"Change {broken} is not as it was signed, or one before it is missing.",
            exit_code=NOT_VERIFIED,
        )


def _change(
    slug: str, state: "VenueState", evidence: str | None, data_dir: str | None, *, as_json: bool
) -> None:
    from ainfera_server.catalog import actions
    from ainfera_server.catalog import venues as catalog_venues
    from ainfera_server.catalog.venues import Change
    from ainfera_server.cli import database, output
    from ainfera_server.cli.failures import REFUSED, WRONG_USAGE, Failure
    from ainfera_server.postgres import tenancy

    async def work(gateway: "Gateway") -> "RecordedChange":
        offer = next((one for one in gateway.catalog.offers if one.slug == slug), None)
        if offer is None:
            raise Failure(f"No price list has an offer {slug!r}.", exit_code=WRONG_USAGE)
        if state == "lit" and not catalog_venues.can_be_lit(offer):
            raise Failure(
                f"{slug!r} has no price, or no name upstream, and nothing is served unpriced:"
                " its price list comes first.",
                exit_code=REFUSED,
            )
        change = Change(offer=slug, state=state, report=evidence)
        async with tenancy.public_transaction(gateway.pools.writer) as connection:
            return await actions.change_venue(
                connection, change, signer=gateway.signer, now=gateway.now()
            )

    changed = database.use(options.settings(data_dir=data_dir), work)
    output.write([_row(changed)], as_json=as_json)


def _require_passed(evidence: str, slug: str) -> None:
    """Evidence is a report of exactly this offer, whose calls went well, and not an old one."""
    from datetime import UTC, datetime, timedelta

    import orjson

    from ainfera_server.cli.failures import REFUSED, WRONG_USAGE, Failure
    from ainfera_server.cli.venue_smoke import FORMAT

    try:
        report = cast("dict[str, object]", orjson.loads(evidence))
        is_one = report["format"] == FORMAT
        checked_at = datetime.fromisoformat(str(report["checked_at"]))
        age = datetime.now(UTC) - checked_at
    except (ValueError, TypeError, KeyError):
        is_one, report, age = False, dict[str, object](), timedelta()
    if not is_one:
        raise Failure(
            "--report is not what `venues smoke` prints when its calls went well.",
            exit_code=WRONG_USAGE,
        )
    if report.get("ok") is not True or report.get("offer") != slug:
        raise Failure(
            f"The report is of {report.get('offer')!r} and does not show that {slug!r} answers.",
            exit_code=REFUSED,
        )
    if not timedelta(minutes=-5) <= age <= timedelta(days=REPORT_AGE_DAYS_MAX):
        raise Failure(
            f"The report is not of the last {REPORT_AGE_DAYS_MAX} days: make a new one.",
            exit_code=REFUSED,
        )


def _read(path: Path) -> str:
    from ainfera_server.cli.failures import WRONG_USAGE, Failure

    with path.open("rb") as file:
        content = file.read(REPORT_BYTES_MAX + 1)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if len(content) > REPORT_BYTES_MAX or "\0" in text:
        raise Failure("--report is not text of at most 64 KB.", exit_code=WRONG_USAGE)
    return text


def _row(change: "RecordedChange") -> Mapping[str, object]:
    return {
        "number": change.number,
        "offer": change.offer,
        "state": change.state,
        "changed_at": change.changed_at.isoformat(timespec="seconds"),
        "has_report": change.report is not None,
        "payload_hash": change.payload_hash,
    }


def _tell(report: "dict[str, Json]") -> None:
    import orjson

    click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
