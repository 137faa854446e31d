"""A start from its first check to its end: each thing that is started is stopped, last one first."""

import asyncio
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

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
from ainfera_server.cli.first_start import Demo
from ainfera_server.cli.model_beside import ModelBeside
from ainfera_server.cli.stop_signals import StopSignals
from ainfera_server.cli.supervisor import Workers
from ainfera_server.cli.welcome import Welcome
from ainfera_server.postgres import migrate
from ainfera_server.settings import Settings


class ToldToStop(Exception):
    """Somebody stopped the server before it was ready."""


def run(environment: Mapping[str, str], *, with_demo: bool) -> None:
    """Serve until told to stop. Raises BadSetting, Failure and StoreUnavailable."""
    began_s = time.monotonic()
    settings = environment_settings.from_environment(environment)
    settings = replace(settings, data_dir=settings.data_dir.absolute())
    signals = StopSignals()
    with ExitStack() as stack:
        # What can be wrong is found out before anything runs.
        listening = stack.enter_context(listener.opened(settings))
        data_folder.prepare(settings.data_dir)
        data_folder.keys(settings)
        try:
            _serve(stack, settings, environment, signals, listening, began_s, with_demo=with_demo)
        except ToldToStop:
            pass
    _say("stopped")


def _serve(
    stack: ExitStack,
    settings: Settings,
    environment: Mapping[str, str],
    signals: StopSignals,
    listening: socket.socket,
    began_s: float,
    *,
    with_demo: bool,
) -> None:
    beside = stack.enter_context(model_beside.started(settings))
    found = stack.enter_context(database.running(settings))
    _go_on(signals)
    migrate.upgrade(found.dsn)
    asyncio.run(database.open_and(settings, found.dsn, first_start.prepare))
    _go_on(signals)
    model = beside.outcome()
    workers = stack.enter_context(
        Workers(
            listening,
            count=settings.workers,
            environment=_for_workers(environment, settings, found, model),
            signals=signals,
            drain_timeout_s=settings.drain_timeout_s,
        )
    )
    workers.wait_until_ready()
    _go_on(signals)
    demo = None
    if with_demo:
        demo = asyncio.run(database.open_and(settings, found.dsn, first_start.demo))
    with data_folder.noted(settings.data_dir, listener.url(settings)):
        welcome.show(_welcome(settings, found, model, demo, time.monotonic() - began_s))
        workers.watch()
    _say(
        f"stopping; answers that run may take up to {settings.drain_timeout_s} s, and a second "
        f"Ctrl-C ends them"
    )


def _go_on(signals: StopSignals) -> None:
    if signals.is_asked:
        raise ToldToStop


def _for_workers(
    environment: Mapping[str, str], settings: Settings, found: Database, model: ModelBeside
) -> Mapping[str, str]:
    """What the workers are told: what we were told, and what we have started."""
    told = {
        **environment,
        "AINFERA_DATA_DIR": str(settings.data_dir),
        "AINFERA_DATABASE_URL": found.dsn,
    }
    return told if model.url is None else {**told, "AINFERA_LOCAL_MODEL_URL": model.url}


def _welcome(
    settings: Settings, found: Database, model: ModelBeside, demo: Demo | None, took_s: float
) -> Welcome:
    return Welcome(
        url=listener.url(settings),
        public_url=settings.public_url,
        took_s=took_s,
        database=(
            "the one of AINFERA_DATABASE_URL"
            if found.embedded_version is None
            else f"PostgreSQL {found.embedded_version}, embedded: for one machine, without TLS"
        ),
        data_folder=settings.data_dir,
        local_model=model.words,
        providers=tuple(settings.provider_keys),
        demo=demo,
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"ainfera-server: {sentence}\n")
