"""Tools that a conversation gives and takes on its way, and which of them the model has at its end.

A tool whose loading is deferred is not shown to the model until a block refers to it. Clients with
many tools, Claude Code among them, have the model search for those that it needs.
https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool
"""

from collections.abc import Iterable, Iterator

from msgspec import Raw

from ainfera_server.dialects import strict_json
from ainfera_server.dialects.anthropic_messages import asked_wire
from ainfera_server.errors import Invalid

REPEATED_BYTES_MAX = 10_000
"""What is set aside for a block that nobody else understands covers so many tokens."""


class ToolChanges:
    """What the blocks of a conversation say about tools, in their order.

    `defined` are the definitions that stand in the conversation, each with its place.
    """

    def __init__(self) -> None:
        self.defined: list[tuple[str, Raw]] = []
        self._is_there: dict[str, bool] = {}
        self._referred: list[tuple[str, str]] = []

    def refer(self, name: str, place: str) -> None:
        """From here on the model has a tool of the list."""
        self._is_there[name] = True
        self._referred.append((place, name))

    def change(self, raw: Raw, place: str) -> None:
        """Read a block that adds a tool or takes one away. Raises Malformed."""
        said = strict_json.read(raw, asked_wire.ToolChange, place=place)
        tool = said.tool
        if said.type == asked_wire.TOOL_REMOVAL:
            if tool.name is not None:
                self._is_there[tool.name] = False
        elif bytes(tool.definition):
            here = f"{place}.tool.definition"
            self.defined.append((here, tool.definition))
            name = strict_json.read(tool.definition, asked_wire.ToolKind, place=here).name
            if name is not None:
                self._is_there[name] = True
        elif tool.name is not None:
            self.refer(tool.name, place)

    def has(self, kind: asked_wire.ToolKind) -> bool:
        """Whether the model has a tool at the end of the conversation."""
        return self._is_there.get(kind.name or "", kind.defer_loading is not True)

    def repeats(self, listed: Iterable[Raw]) -> Iterator[str]:
        """The places where a definition is read that was read before: the body holds it once.

        Raises Invalid for a long one, for which nothing that is set aside would be enough.
        """
        lengths: dict[str, int] = {}
        read: set[str] = set()
        for raw in (*listed, *(definition for _, definition in self.defined)):
            kind = strict_json.read(raw, asked_wire.ToolKind)
            name = kind.name or ""
            lengths[name] = max(len(bytes(raw)), lengths.get(name, 0))
            if kind.defer_loading is not True:
                read.add(name)
        for place, name in self._referred:
            if name in read and lengths[name] > REPEATED_BYTES_MAX:
                raise Invalid(
                    f"`{place}` refers again to the tool {name!r}, whose definition is longer than"
                    f" {REPEATED_BYTES_MAX} bytes. Refer to it once.",
                    param=place,
                )
            if name in read:
                yield place
            elif name in lengths:
                read.add(name)
