"""Tools that Anthropic defines: which of them a caller can pay for, and how often they may run.

What is set aside before a call has to cover the most that its answer may cost. Anthropic runs some
tools by itself, reads the prompt again after each, and charges for some of them apart.
"""

import re
from collections.abc import Iterable

from msgspec import Raw

from ainfera_server.dialects import ranges, strict_json
from ainfera_server.dialects.anthropic_messages import asked_wire
from ainfera_server.errors import Invalid

RUN_BY_THE_CALLER = re.compile(
    r"(bash|text_editor|memory|computer|computer_toolset|browser_toolset)_\d{8}"
)
"""Anthropic knows their schemas and leaves the work to the caller: they cost tokens alone.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
"""
SEARCHES = re.compile(r"web_search_\d{8}")
SEARCHES_WITHOUT_CODE = "web_search_20250305"
"""Later versions let code call them unless they are told otherwise, and code runs without bound."""
DIRECT = ("direct",)


def web_searches_max(defined: Iterable[tuple[str, Raw]]) -> int:
    """How often Anthropic may search the web, with these tools, each given with its place.

    Raises Invalid for a tool whose cost cannot be bounded.
    """
    return sum(_searches(raw, place) for place, raw in defined)


def is_run_by_the_vendor(kind: asked_wire.ToolKind) -> bool:
    """Whether nobody but Anthropic can run it, so that no other provider may be asked instead."""
    return kind.type is not None and SEARCHES.fullmatch(kind.type) is not None


def _searches(raw: Raw, place: str) -> int:
    kind = strict_json.read(raw, asked_wire.ToolKind, place=place)
    if kind.is_the_callers or RUN_BY_THE_CALLER.fullmatch(kind.type or ""):
        return 0
    if not is_run_by_the_vendor(kind):
        raise Invalid(
            f"`{place}` is a tool of the provider's own, {kind.type!r}, and what its use may cost"
            " is not in this server's price book. Leave it out.",
            param=f"{place}.type",
        )
    tool = strict_json.read(raw, asked_wire.SearchTool, place=place)
    _require_direct_calls(tool, place)
    if tool.max_uses is None:
        raise Invalid(
            f"`{place}.max_uses` is missing: the provider charges for every search of the web, and"
            " without a limit no money can be set aside for them. Say how many there may be.",
            param=f"{place}.max_uses",
        )
    ranges.check_limit(f"{place}.max_uses", tool.max_uses)
    return tool.max_uses


def _require_direct_calls(tool: asked_wire.SearchTool, place: str) -> None:
    """Code that searches makes the model read its prompt any number of times."""
    callers = tool.allowed_callers
    is_direct_by_default = callers is None and tool.type == SEARCHES_WITHOUT_CODE
    if callers != DIRECT and not is_direct_by_default:
        raise Invalid(
            f'`{place}.allowed_callers` has to be ["direct"]: when code may search, what the answer'
            " costs has no bound, so no money can be set aside for it.",
            param=f"{place}.allowed_callers",
        )
