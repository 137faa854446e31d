"""The tools that a caller of this dialect offers, and how free the model is to use them.

What is set aside before a call has to cover the most that its answer may cost. Tools that the
vendor runs by itself are paid for apart, so they are refused; those that the caller runs are not,
and go to the vendor as they are when nobody else knows them.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from ainfera_server.conversation import JsonText, Tool, ToolChoice
from ainfera_server.dialects import strict_json
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.dialects.openai_responses import asked_wire as wire
from ainfera_server.dialects.openai_responses import tool_names
from ainfera_server.errors import Invalid, Malformed

NO_PARAMETERS = JsonText(b'{"type":"object","properties":{}}')
"""A tool that says nothing about its parameters takes none."""

RUN_BY_THE_CALLER = frozenset(
    {
        *("custom", "local_shell", "apply_patch", "tool_search"),
        *("computer", "computer_use_preview"),
    }
)
"""OpenAI's models know these, and the caller does the work; a search of tools costs tokens alone.

https://developers.openai.com/api/docs/guides/tools
"""
SEARCHES = frozenset({"web_search", "web_search_2025_08_26"})
OFFLINE_SEARCH = "tools.web_search"
"""What is noted of a search that stays away from the web. Codex offers one with every request."""

LOCAL = "local"


def tools(said: tuple[Raw, ...], left: LeftBehind, *, place: str = "tools") -> Iterator[Tool]:
    """The functions, those of namespaces among them.

    Raises Malformed, and Invalid for what a provider would charge for apart.
    """
    for position, raw in enumerate(said):
        here = f"{place}.{position}"
        match strict_json.read(raw, wire.Typed, place=here).type:
            case "function":
                yield from _function(raw, here, None, left)
            case "namespace":
                yield from _namespace(raw, here, left)
            case kind if kind in RUN_BY_THE_CALLER or _is_local_shell(kind, raw, here):
                left.note_part(here)
            case kind if kind in SEARCHES and _is_offline(raw, here):
                left.note_field(OFFLINE_SEARCH)
            case kind:
                raise Invalid(
                    f"`{here}` is a tool of the provider's own, {kind!r}, and what its use may cost"
                    " is not in this server's price book. Leave it out.",
                    param=f"{here}.type",
                )


def check(said: tuple[Raw, ...], *, place: str) -> None:
    """Look at tools that only OpenAI will read. Raises as `tools` does."""
    for _ in tools(said, LeftBehind(), place=place):
        pass


def tool_choice(said: Raw, left: LeftBehind) -> ToolChoice | None:
    """How free the model is. Whoever demands a tool that only OpenAI knows demands OpenAI."""
    text, place = bytes(said), "tool_choice"
    if text in {b"", b"null"}:
        return None
    if not text.startswith(b"{"):
        return _mode(strict_json.read(said, str, place=place))
    match strict_json.read(said, wire.Typed, place=place).type:
        case "function":
            named = strict_json.read(said, wire.NamedChoice, place=place)
            return ToolChoice(mode="named", name=named.name)
        case "allowed_tools":
            left.note_field("tool_choice.allowed_tools")
            return ToolChoice(mode=strict_json.read(said, wire.AllowedTools, place=place).mode)
        case _:
            left.note_part(place)
            return None


def _mode(word: str) -> ToolChoice:
    match word:
        case "auto" | "none" | "required":
            return ToolChoice(mode=word)
        case _:
            sentence = "`tool_choice` is `auto`, `none`, `required` or names a tool."
            raise Malformed(sentence, param="tool_choice")


def _namespace(raw: Raw, place: str, left: LeftBehind) -> Iterator[Tool]:
    """The functions of a namespace; what it says of itself has no place among single functions."""
    said = strict_json.read(raw, wire.GivenNamespace, place=place)
    if said.description:
        left.note_field("tools.namespace.description")
    for position, inner in enumerate(said.tools):
        here = f"{place}.tools.{position}"
        if strict_json.read(inner, wire.Typed, place=here).type == "function":
            yield from _function(inner, here, said.name, left)
        else:
            left.note_part(here)


def _function(raw: Raw, place: str, namespace: str | None, left: LeftBehind) -> Iterator[Tool]:
    said = strict_json.read(raw, wire.GivenFunction, place=place)
    parameters = bytes(said.parameters)
    if not said.name:
        raise Invalid(f"`{place}.name` may not be empty.", param=f"{place}.name")
    if parameters in {b"", b"null"}:
        parameters = NO_PARAMETERS
    if not parameters.startswith(b"{"):
        place = f"{place}.parameters"
        raise Invalid(f"`{place}` is a JSON Schema, an object.", param=place)
    if not tool_names.can_be_joined(namespace, said.name):
        left.note_part(place)
        return
    for name, value in msgspec.json.decode(raw, type=dict[str, Raw]).items():
        if name not in wire.FUNCTION_FIELDS and bytes(value) not in {b"null", b"false"}:
            left.note_field(f"tools.{name}")
    yield Tool(
        name=tool_names.joined(namespace, said.name),
        description=said.description,
        parameters=JsonText(parameters),
    )


def _is_local_shell(kind: str, raw: Raw, place: str) -> bool:
    """Whether a shell is the caller's own; without an environment the vendor lends a machine."""
    if kind != "shell":
        return False
    environment = strict_json.read(raw, wire.GivenShell, place=place).environment
    return environment is not None and environment.type == LOCAL


def _is_offline(raw: Raw, place: str) -> bool:
    return strict_json.read(raw, wire.GivenSearch, place=place).external_web_access is False
