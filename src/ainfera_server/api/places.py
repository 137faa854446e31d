"""Finding what a path and a method mean, in the one list of routes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Routed(Protocol):
    """A line of the list."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...


RouteT = TypeVar("RouteT", bound=Routed)

_PLACEHOLDER = re.compile(r"\{(?P<name>[a-z_]+)(?P<is_path>:path)?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Generic[RouteT]):
    """A path as it is written in the list, and what each method does there."""

    template: str
    pattern: re.Pattern[str]
    routes: Mapping[str, RouteT]

    @property
    def allowed(self) -> str:
        """The methods, as the `allow` header names them; whoever may GET may ask for its head."""
        methods = {*self.routes, "HEAD"} if "GET" in self.routes else set(self.routes)
        return ", ".join(sorted(methods))


class Places(Generic[RouteT]):
    """Paths without a placeholder come first, then the others in the order of the list."""

    def __init__(self, routes: Iterable[RouteT]) -> None:
        by_path: dict[str, dict[str, RouteT]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            assert route.method not in methods, f"{route.method} {route.path} is listed once"
            methods[route.method] = route
        every = [_place(path, methods) for path, methods in by_path.items()]
        self._fixed = {place.template: place for place in every if "{" not in place.template}
        self._others = tuple(place for place in every if "{" in place.template)

    def find(self, path: str) -> Place[RouteT] | None:
        """The place that a path names; None when there is no such path."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        return next((place for place in self._others if place.pattern.fullmatch(path)), None)


def _place(path: str, routes: Mapping[str, RouteT]) -> Place[RouteT]:
    pieces: list[str] = []
    end = 0
    for placeholder in _PLACEHOLDER.finditer(path):
        pieces += [re.escape(path[end : placeholder.start()])]
        pieces += [".+" if placeholder["is_path"] else "[^/]+"]
        end = placeholder.end()
    pattern = "".join([*pieces, re.escape(path[end:])])
    return Place(template=path, pattern=re.compile(pattern, re.DOTALL), routes=routes)
