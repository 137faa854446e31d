"""A really running server with a scripted provider behind it, for tools that run beside it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from ainfera_server.postgres import embedded, migrate
from tests import running_server
from tests import scripted_provider as scripted
from tests.providers import vendor_shapes
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The server and the provider behind it; `folder` is for whatever a tool writes."""

    server: RunningServer
    provider: ScriptedProvider
    folder: Path
    numbers: "count[int]"

    def newcomer(self) -> RunningServer:
        """The same server, asked by an agent that nobody has seen yet."""
        agent = self.server.sign_up(f"agent-{next(self.numbers)}")
        return replace(self.server, agent=agent)

    def answered(self, route: str) -> int:
        """How often a route was answered well until now."""
        line = f'ainfera_requests_total{{route="{route}",status_class="2xx"}} '
        shown = self.server.get("/metrics").text.splitlines()
        counts = [float(one.removeprefix(line)) for one in shown if one.startswith(line)]
        return int(sum(counts))

    def home(self) -> Path:
        """An empty folder, as the home of somebody who never used a tool before."""
        home = self.folder / f"home-{next(self.numbers)}"
        home.mkdir()
        return home


@contextmanager
def built(folder: Path) -> Generator[Stand]:
    """Have a stand for as long as the block runs."""
    # The provider behind it counts tokens as Anthropic does, once a scenario says how many.
    vendor_shapes.DIALECTS["/v1/messages/count_tokens"] = "anthropic_messages"
    data_dir = folder / "data"
    data_dir.mkdir()
    with embedded.running(folder / "store") as database, scripted.running() as provider:
        migrate.upgrade(database.dsn)
        settings = running_server.settings(provider, data_dir)
        with running_server.serving(database.dsn, settings) as server:
            yield Stand(server=server, provider=provider, folder=folder, numbers=count(1))
