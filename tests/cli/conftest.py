"""One server that the tests of the terminal share, as the first start leaves it."""

from collections.abc import Iterator

import pytest

from tests.cli import running_command
from tests.cli.running_command import Started


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A first start with everything that the extras bring."""
    with running_command.started(tmp_path_factory.mktemp("demo")) as started:
        yield started
