"""Starts the local model beside everything else, because it takes as long as all of it."""

import contextlib
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ainfera_server.cli.failures import Failure
from ainfera_server.providers import local_model
from ainfera_server.providers.local_model import LocalModel, LocalModelFailed, LocalModelMissing
from ainfera_server.settings import Settings

LOG = "local-model.log"


class RunningModel:
    """The model of ours, as the supervisor watches it; without it others may answer."""

    name = "the local model"
    is_needed = False

    def __init__(self, model: LocalModel, log: Path) -> None:
        self._model = model
        self._log = log

    @property
    def url(self) -> str:
        """Where it is, now and after it was started again: the workers were told so once."""
        return self._model.base_url

    def fileno(self) -> int:
        """What can be read from once it has died."""
        return self._model.lifeline.fileno()

    def has_died(self) -> bool:
        """Yes: it never says anything there."""
        return True

    def start_again(self) -> None:
        """Have it run once more on its port. Raises Failure."""
        port = urlsplit(self.url).port
        assert port is not None, "the model announced its port"
        self.stop()
        try:
            self._model = local_model.start(self._log, port=port)
        except (LocalModelMissing, LocalModelFailed) as problem:
            raise Failure(str(problem)) from problem

    def stop(self) -> None:
        """End it; doing it twice does no harm."""
        self._model.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBeside:
    """A local model, or in words why there is none; `url` is None then.

    `running` is None when there is none, or it is not ours.
    """

    url: str | None
    words: str
    running: RunningModel | None = None


class Starting:
    """A model on its way; None when one runs already."""

    def __init__(self, settings: Settings, future: "Future[RunningModel] | None") -> None:
        self._settings = settings
        self._future = future

    def outcome(self) -> ModelBeside:
        """Wait until it answers. Without it the server goes on: others may answer."""
        if self._future is None:
            url = self._settings.local_model_url
            return ModelBeside(url=url, words=f"the one at {url}")
        try:
            model = self._future.result()
        except (LocalModelMissing, LocalModelFailed) as problem:
            return ModelBeside(url=None, words=f"none. {problem}")
        words = f"{local_model.MODEL}, on this machine"
        return ModelBeside(url=model.url, words=words, running=model)


@contextlib.contextmanager
def started(settings: Settings) -> Generator[Starting]:
    """Start the model when none is named, and stop it with the block."""
    if settings.local_model_url is not None:
        yield Starting(settings, None)
        return
    with ThreadPoolExecutor(max_workers=1) as beside:
        future = beside.submit(_start, settings.data_dir / LOG)
        try:
            yield Starting(settings, future)
        finally:
            if future.exception() is None:
                future.result().stop()


def _start(log: Path) -> RunningModel:
    return RunningModel(local_model.start(log), log)
