"""Lighting and darkening an offer: who may be asked then, what is kept of it, and how soon."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psycopg
import pytest
from click.testing import CliRunner, Result

from ainfera_server import background
from ainfera_server import gateway as gateways
from ainfera_server.audit import signing
from ainfera_server.background import Job
from ainfera_server.catalog import actions, lists, store
from ainfera_server.catalog.offers import Catalog, Offer
from ainfera_server.catalog.store import RecordedChange
from ainfera_server.catalog.venues import Change, Venues
from ainfera_server.cli import main as cli
from ainfera_server.errors import ModelUnavailable
from ainfera_server.gateway import Gateway
from ainfera_server.postgres import tenancy
from tests.conftest import Look
from tests.inference import callers
from tests.promises import proves
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider

CHEAPEST, CHEAPEST_UPSTREAM = "mistral-large-3", "mistral-large-2512"
SECRET = "5a" * 32
SOON_S = 10.0
SIGNER = signing.signer(bytes(32))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return lists.read_price_lists()


@pytest.fixture
def command(
    database: str,
    tmp_path: Path,
    scripted_provider: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Run a command as an operator whose Mistral is the scripted provider."""
    environment: Mapping[str, str] = {
        "AINFERA_DATABASE_URL": database,
        "AINFERA_SECRET": SECRET,
        "AINFERA_DATA_DIR": str(tmp_path),
        "MISTRAL_API_KEY": DEFAULT_KEY,
        "MISTRAL_BASE_URL": scripted_provider.base_url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli.program, ["venues", *arguments])

    return run


def offer_of(catalog: Catalog, slug: str) -> Offer:
    (found,) = (one for one in catalog.offers if one.slug == slug)
    return found


async def changed(gateway: Gateway, *changes: Change) -> tuple[RecordedChange, ...]:
    """Record changes one after the other, as the commands do."""
    for change in changes:
        async with tenancy.public_transaction(gateway.pools.writer) as connection:
            await actions.change_venue(connection, change, signer=SIGNER, now=NOW)
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        return await store.venue_changes(connection)


def test_a_dark_offer_is_not_among_those_that_can_be_asked(catalog: Catalog) -> None:
    venues = Venues(catalog.offers, providers={"mistral"})
    offer = offer_of(catalog, CHEAPEST)
    assert offer in venues
    venues.apply({CHEAPEST: "dark"})
    assert offer not in venues
    assert not venues.is_lit(offer)
    assert venues.shown(offer).status == "inactive"
    venues.apply({})
    assert offer in venues


def test_an_offer_that_its_list_holds_back_can_be_lit_and_is_dark_until_then(
    catalog: Catalog,
) -> None:
    held_back = replace(offer_of(catalog, CHEAPEST), status="inactive", status_reason="not tried")
    venues = Venues([held_back], providers={"mistral"})
    assert list(venues) == []
    venues.apply({CHEAPEST: "lit"})
    assert list(venues) == [held_back]
    assert venues.shown(held_back).status == "active"
    assert list(Venues([held_back])) == [], "a lit offer without a key is no candidate either"


def test_what_has_no_price_or_no_name_cannot_be_lit_by_any_record(catalog: Catalog) -> None:
    held_back = replace(offer_of(catalog, CHEAPEST), status="inactive")
    for offer in (replace(held_back, prices=None), replace(held_back, upstream_name=None)):
        venues = Venues([offer], providers={"mistral"})
        venues.apply({CHEAPEST: "lit"})
        assert list(venues) == []


@proves("a-dark-offer-is-never-asked")
async def test_a_darkened_offer_is_neither_chosen_nor_to_be_had_by_its_name(
    gateway: Gateway, scripted_provider: ScriptedProvider
) -> None:
    caller = await callers.signed_up(gateway)
    await changed(gateway, Change(offer=CHEAPEST, state="dark", report=None))
    await gateways.refresh_venues(gateway)

    await caller.asks(gateway)
    with pytest.raises(ModelUnavailable):
        await caller.asks(gateway, model=CHEAPEST)

    assert CHEAPEST_UPSTREAM not in {one.model for one in scripted_provider.requests}
    await changed(gateway, Change(offer=CHEAPEST, state="lit", report="{}"))
    await gateways.refresh_venues(gateway)
    await caller.asks(gateway)
    assert scripted_provider.requests[-1].model == CHEAPEST_UPSTREAM


async def test_a_change_reaches_a_server_that_runs_by_its_clock(gateway: Gateway) -> None:
    offer = next(one for one in gateway.catalog.offers if one.slug == CHEAPEST)
    is_dark = asyncio.Event()

    async def refreshes(of: Gateway) -> None:
        await gateways.refresh_venues(of)
        if not of.venues.is_lit(offer):
            is_dark.set()

    job = Job(name="venues", every_s=0.01, carry_out=refreshes)
    running = asyncio.create_task(background.run(gateway, (job,)))
    await changed(gateway, Change(offer=CHEAPEST, state="dark", report=None))
    async with asyncio.timeout(SOON_S):
        await is_dark.wait()
    running.cancel()


async def test_every_change_is_kept_chained_and_signed(gateway: Gateway) -> None:
    changes = await changed(
        gateway,
        Change(offer=CHEAPEST, state="dark", report=None),
        Change(offer="gpt-5-5", state="lit", report='{"ok":true}'),
        Change(offer=CHEAPEST, state="lit", report="{}"),
    )
    keys = {SIGNER.key_id: SIGNER.public_key_pem}
    assert [one.number for one in changes] == [1, 2, 3]
    assert actions.first_broken_change(changes, keys) is None
    other = signing.signer(bytes(31) + b"1")
    for broken, number in (
        ((changes[1], changes[2]), 1),
        ((changes[0], changes[2]), 2),
        ((changes[0], replace(changes[1], state="dark"), changes[2]), 2),
        ((changes[0], replace(changes[1], report="{}"), changes[2]), 2),
        ((*changes[:2], replace(changes[2], signature=changes[1].signature)), 3),
        ((*changes[:2], replace(changes[2], key_id=other.key_id)), 3),
    ):
        assert actions.first_broken_change(broken, keys) == number


async def test_a_change_is_made_by_who_writes_for_the_server_and_never_edited(
    gateway: Gateway, look: Look
) -> None:
    change = Change(offer=CHEAPEST, state="dark", report=None)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenancy.public_transaction(gateway.pools.app) as connection:
            await actions.change_venue(connection, change, signer=SIGNER, now=NOW)
    await changed(gateway, change)
    for statement in ("update venue_changes set state = 'lit'", "delete from venue_changes"):
        with pytest.raises(psycopg.Error, match="append-only"):
            look(statement)


def test_a_smoke_call_tells_how_fast_and_how_dear_a_venue_is(
    command: Command, scripted_provider: ScriptedProvider
) -> None:
    done = command("smoke", "mistral", "--model", CHEAPEST)
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"], report["offer"]) == (0, True, CHEAPEST)
    assert [one["name"] for one in report["calls"]] == ["cold", "warm"]
    for one in report["calls"]:
        assert one["total_ms"] >= one["first_words_ms"] >= 0
        assert (one["finish_reason"], one["served_model"]) == ("stop", CHEAPEST_UPSTREAM)
    assert len(scripted_provider.requests) == 2
    assert DEFAULT_KEY not in done.output


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_smoke_call_that_fails_is_a_report_too(
    command: Command, scripted_provider: ScriptedProvider, status: int
) -> None:
    scripted_provider.fails(status=status, message=f"The key {DEFAULT_KEY} will not do.")
    done = command("smoke", "mistral", "--model", CHEAPEST)
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"], report["calls"]) == (1, False, [])
    assert report["failure"]["upstream_status"] == status
    assert DEFAULT_KEY not in done.output


def test_a_smoke_call_of_a_stream_that_breaks_off_is_a_failure(
    command: Command, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.ends_without_terminator()
    done = command("smoke", "mistral", "--model", CHEAPEST)
    assert (done.exit_code, json.loads(done.stdout)["failure"]["kind"]) == (1, "incomplete")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("groq",), "no_key"),
        (("nobody",), "unknown_provider"),
        (("mistral", "--model", "gpt-0"), "unknown_model"),
    ],
)
def test_a_smoke_call_that_cannot_be_made_says_why_as_a_report(
    command: Command, arguments: tuple[str, ...], kind: str
) -> None:
    done = command("smoke", *arguments)
    assert (done.exit_code, json.loads(done.stdout)["failure"]["kind"]) == (2, kind)


def test_a_venue_is_lit_with_its_report_and_darkened_without_one(
    command: Command, look: Look, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text(command("smoke", "mistral", "--model", CHEAPEST).stdout)
    dark = command("deactivate", CHEAPEST, "--json")
    assert (dark.exit_code, json.loads(dark.stdout)["state"]) == (0, "dark")
    lit = command("activate", CHEAPEST, "--report", str(report), "--json")
    assert (lit.exit_code, json.loads(lit.stdout)["state"]) == (0, "lit")
    listed = command("history", "--json")
    assert listed.exit_code == 0
    assert [json.loads(line)["state"] for line in listed.stdout.splitlines()] == ["dark", "lit"]
    (first, last) = look("select report from venue_changes order by number")
    assert (first["report"], last["report"]) == (None, report.read_text())
    assert look("select * from transfers") == look("select * from inferences") == []


def test_a_report_that_proves_nothing_lights_nothing(
    command: Command, look: Look, tmp_path: Path
) -> None:
    good = json.loads(command("smoke", "mistral", "--model", CHEAPEST).stdout)
    old = (datetime.fromisoformat(good["checked_at"]) - timedelta(days=8)).isoformat()
    report = tmp_path / "report.json"
    for text in (
        "no report at all",
        "[]",
        json.dumps({**good, "ok": False}),
        json.dumps({**good, "offer": "gpt-5-5"}),
        json.dumps({**good, "checked_at": old}),
        json.dumps({**good, "checked_at": "yesterday"}),
    ):
        report.write_text(text)
        assert command("activate", CHEAPEST, "--report", str(report)).exit_code != 0
    assert look("select * from venue_changes") == []


def test_an_offer_that_nobody_lists_cannot_be_changed(command: Command, look: Look) -> None:
    assert command("deactivate", "gpt-0").exit_code != 0
    assert look("select * from venue_changes") == []


def test_how_providers_do_is_shown_without_their_keys(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.fails(status=401, model=CHEAPEST_UPSTREAM)
    server.post(
        "/v1/chat/completions",
        {"model": "ainfera-inference", "messages": callers.MESSAGES, "max_tokens": 16},
    )
    answer = server.get("/v1/providers")
    listed = {one["slug"]: one for one in json_of(answer)}
    mistral = listed["mistral"]
    assert (mistral["status"], mistral["keys"]) == ("down", {"count": 1, "healthy": 0})
    assert mistral["last_errors"] == ["credential_refused"]
    (offer,) = (one for one in mistral["offer_conditions"] if one["slug"] == CHEAPEST)
    assert (offer["breaker"], offer["failure_share"]) == ("open", 1.0)
    assert datetime.fromisoformat(offer["cooling_until"]).tzinfo is not None
    assert (listed["groq"]["status"], listed["groq"]["keys"]["count"]) == ("no_key", 0)
    assert any(one["latency_ms_p50"] is not None for one in listed["openai"]["offer_conditions"])
    metrics = server.get("/metrics").text
    assert f'ainfera_offer_breaker{{offer="{CHEAPEST}"}} 1.0' in metrics
    assert 'ainfera_provider_keys{provider="mistral",state="set_aside"} 1.0' in metrics
    assert DEFAULT_KEY not in answer.text + metrics
