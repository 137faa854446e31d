"""What a line of the list of routes says."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from fastapi.responses import Response

Opens = Literal["key", "owner", "public"]
"""What a route asks for before anything else happens: any key, one of an owner's, or none."""

METHODS_WITH_A_BODY = frozenset({"PATCH", "POST", "PUT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A control route: FastAPI calls `answer`, after the key was asked for and the body read.

    `takes_prompts` says that its body may be as long as an inference's.
    """

    method: str
    path: str
    answer: Callable[..., Awaitable[Response]]
    opens: Opens
    tag: str
    status: int = 200
    takes_prompts: bool = False

    @property
    def takes_body(self) -> bool:
        """Whether a body is read at all."""
        return self.method in METHODS_WITH_A_BODY

    @property
    def summary(self) -> str:
        """The first sentence that the function says of itself."""
        return (inspect.getdoc(self.answer) or "").split("\n\n")[0].replace("\n", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRoute:
    """A route that never sees FastAPI; `required` names what a body must have."""

    path: str
    summary: str
    required: tuple[str, ...]
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbuiltRoute:
    """A route that the API names and this version does not serve; `sentence` says what instead."""

    method: str
    path: str
    sentence: str


AnyRoute = Route | InferenceRoute | UnbuiltRoute
