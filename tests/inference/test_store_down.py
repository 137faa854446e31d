"""The database stops in the middle of everything: a call is refused rather than made uncounted.

It is a server of this test's own, which is stopped and started while ours runs on.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest

from ainfera_server.postgres import embedded, migrate
from ainfera_server.settings import Settings
from tests import running_server
from tests.inference import callers
from tests.postgres_fixtures import BIN_DIR
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider


class Database:
    """A database that can be stopped and started."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._running = contextlib.ExitStack()
        self.dsn = ""
        self.superuser_dsn = ""

    def starts(self) -> None:
        server = self._running.enter_context(embedded.running(self._data_dir, bin_dir=BIN_DIR))
        self.dsn = server.dsn
        self.superuser_dsn = server.dsn_as(user="postgres", database="ainfera")

    def stops(self) -> None:
        self._running.close()


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database that runs, in a folder whose path leaves room for the socket's name."""
    database = Database(tmp_path_factory.mktemp("d"))
    database.starts()
    migrate.upgrade(database.dsn)
    yield database
    database.stops()


@proves("money-first", "errors-speak-the-callers-dialect")
def test_without_its_database_a_server_refuses_calls_and_recovers_by_itself(
    store: Database, settings: Settings, scripted_provider: ScriptedProvider
) -> None:
    with running_server.serving(store.dsn, settings) as server:
        stranger = replace(server, agent=server.sign_up("not-asked-before"))
        assert [_ask(server, path).status_code for path in callers.PATHS] == [200, 200, 200]
        asked = len(scripted_provider.requests)

        store.stops()
        for caller in (server, stranger):
            refused = {path: _ask(caller, path) for path in callers.PATHS}
            assert [one.status_code for one in refused.values()] == [503, 503, 503]
            native, openai, anthropic = (one.json() for one in refused.values())
            assert native["code"] == "store_unavailable"
            assert openai["error"]["code"] == "store_unavailable"
            assert anthropic["type"] == "error"
            assert anthropic["error"]["type"] in {"api_error", "overloaded_error"}
        assert len(scripted_provider.requests) == asked

        store.starts()
        answers = [_ask(server, path).status_code for path in callers.PATHS]
        assert answers == [200, 200, 200]
        assert _ask(stranger, callers.CHAT).status_code == 200


@proves("money-first", "no-silent-truncation", "no-stuck-hold")
def test_a_stream_whose_bill_cannot_be_written_does_not_end_well(
    store: Database, settings: Settings, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=4)
    with running_server.serving(store.dsn, settings) as server:
        body = {**_body(), "stream": True}
        with httpx.stream(
            "POST",
            server.url + callers.CHAT,
            json=body,
            headers=dict(server.agent.headers),
            timeout=30,
        ) as answer:
            told = answer.iter_text()
            heard = next(told)
            store.stops()
            scripted_provider.releases()
            heard += "".join(told)
        assert "store_unavailable" in heard
        assert "[DONE]" not in heard
        store.starts()
        assert _ask(server, callers.CHAT).status_code == 200
    with psycopg.connect(store.superuser_dsn) as connection:
        (states,) = connection.execute(
            "select array_agg(state order by state) from transfers where kind = 'inference'"
        ).fetchall()
    assert states[0] == ["pending", "posted"], "the hold runs out by itself"


def _body() -> dict[str, object]:
    return {"model": "ainfera-inference", "max_tokens": 16, "messages": callers.MESSAGES}


def _ask(server: RunningServer, path: str) -> httpx.Response:
    return server.post(path, _body())
