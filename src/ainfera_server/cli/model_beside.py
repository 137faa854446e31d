"""Starts the local model beside everything else, because it takes as long as all of it."""

import contextlib
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ainfera_server.providers import local_model
from ainfera_server.providers.local_model import LocalModel, LocalModelFailed, LocalModelMissing
from ainfera_server.settings import Settings

LOG = "local-model.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBeside:
    """A local model, or in words why there is none; `url` is None then."""

    url: str | None
    words: str


class Starting:
    """A model on its way; None when one runs already."""

    def __init__(self, settings: Settings, future: "Future[LocalModel] | None") -> None:
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
        return ModelBeside(url=model.base_url, words=f"{local_model.MODEL}, on this machine")


@contextlib.contextmanager
def started(settings: Settings) -> Generator[Starting]:
    """Start the model when none is named, and stop it with the block."""
    if settings.local_model_url is not None:
        yield Starting(settings, None)
        return
    with ThreadPoolExecutor(max_workers=1) as beside:
        future = beside.submit(local_model.start, settings.data_dir / LOG)
        try:
            yield Starting(settings, future)
        finally:
            if future.exception() is None:
                future.result().stop()
