"""A server that the tests of a file share: for those that leave nothing behind to trip over."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests import running_server, scripted_provider
from tests.running_server import RunningServer


@pytest.fixture(scope="module")
def shared_server(
    new_database: Callable[[str], AbstractContextManager[str]],
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningServer]:
    """A running server with one agent signed up."""
    data_dir = tmp_path_factory.mktemp("shared")
    with scripted_provider.running() as provider, new_database(migrated_template) as dsn:
        settings = running_server.settings(provider, data_dir)
        with running_server.serving(dsn, settings) as running:
            yield running
