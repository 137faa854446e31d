"""A start from its first check to its end: what is started is stopped, the last thing first."""

import asyncio
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace

from ainfera_server import gateway as gateways
from ainfera_server import settings as environment_settings
from ainfera_server.cli import (
    data_folder,
    database,
    first_start,
    listener,
    model_beside,
    welcome,
)
from ainfera_server.cli.database import Database
from ainfera_server.cli.database_beside import DatabaseBeside
from ainfera_server.cli.first_start import Demo
from ainfera_server.cli.model_beside import ModelBeside
from ainfera_server.cli.stop_signals import StopSignals
from ainfera_server.cli.supervisor import Companion, Workers
from ainfera_server.cli.welcome import Welcome
from ainfera_server.postgres import migrate
from ainfera_server.settings import Settings


class ToldToStop(Exception):
    """Somebody stopped the server before it was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What one start was asked to do; `began_s` is when, of the monotonic clock."""

    settings: Settings
    environment: Mapping[str, str]
    signals: StopSignals
    began_s: float


def run(environment: Mapping[str, str]) -> None:
    """Serve until told to stop. Raises BadSetting, NotAnEndpoint, Failure and StoreUnavailable."""
    began_s = time.monotonic()
    settings = environment_settings.from_environment(environment)
    gateways.endpoints_of(settings)  # The workers ask the same; by then the database would run.
    if settings.secret is not None:
        data_folder.keys(settings)
    _warn_of_unknown(environment)
    settings = replace(settings, data_dir=settings.data_dir.absolute())
    asked = _Start(
        settings=settings,
        environment=environment,
        signals=StopSignals(),
        began_s=began_s,
    )
    with listener.opened(settings) as listening:
        # What can be wrong is found out before anything runs, or is made.
        database.require_named(settings)
        data_folder.prepare(settings.data_dir)
        data_folder.keys(settings)
        with ExitStack() as started, suppress(ToldToStop):
            _serve(asked, listening, started)
    _say("stopped")


def _serve(asked: _Start, listening: socket.socket, started: ExitStack) -> None:
    settings = asked.settings
    beside = started.enter_context(model_beside.started(settings))
    found = started.enter_context(database.running(settings))
    companions: list[Companion] = []
    if found.server is not None:
        companions.append(started.enter_context(closing(DatabaseBeside(found.server))))
    _go_on(asked)
    workers = started.enter_context(
        Workers(
            listening,
            count=settings.workers,
            environment=asked.environment,
            signals=asked.signals,
            drain_timeout_s=settings.drain_timeout_s,
        )
    )
    migrate.upgrade(found.dsn)
    asyncio.run(database.open_and(settings, found.dsn, first_start.prepare))
    model = beside.outcome()
    if model.running is not None:
        companions.append(model.running)
    _go_on(asked)
    workers.begin(_what_runs(settings, found, model))
    workers.wait_until_ready()
    _go_on(asked)
    # Not before: of a start that fails the key would never be seen.
    demo = None
    if settings.demo:
        demo = asyncio.run(database.open_and(settings, found.dsn, first_start.demo))
    with data_folder.noted(settings.data_dir, listener.url(settings)):
        welcome.show(_welcome(asked, found, model, demo))
        workers.watch(companions)
    _say(
        f"stopping; answers that run may take up to {settings.drain_timeout_s} s, and a second "
        f"Ctrl-C ends them"
    )


def _warn_of_unknown(environment: Mapping[str, str]) -> None:
    for name, nearest in environment_settings.unknown(environment).items():
        meant = "" if nearest is None else f"; did you mean {nearest}?"
        _say(f"{name} is no setting and changes nothing{meant}")


def _go_on(asked: _Start) -> None:
    if asked.signals.is_asked:
        raise ToldToStop


def _what_runs(settings: Settings, found: Database, model: ModelBeside) -> Mapping[str, str]:
    """What the workers cannot know from the environment."""
    told = {"AINFERA_DATA_DIR": str(settings.data_dir), "AINFERA_DATABASE_URL": found.dsn}
    return told if model.url is None else {**told, "AINFERA_LOCAL_MODEL_URL": model.url}


def _welcome(asked: _Start, found: Database, model: ModelBeside, demo: Demo | None) -> Welcome:
    settings = asked.settings
    return Welcome(
        url=listener.url(settings),
        public_url=settings.public_url,
        took_s=time.monotonic() - asked.began_s,
        database=(
            "the one of AINFERA_DATABASE_URL"
            if found.server is None
            else f"PostgreSQL {found.server.version}, embedded: for one machine, without TLS"
        ),
        data_folder=settings.data_dir,
        local_model=model.words,
        providers=tuple(settings.provider_keys),
        demo=demo,
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"ainfera-server: {sentence}\n")
