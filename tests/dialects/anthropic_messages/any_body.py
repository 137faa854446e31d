"""Bodies that somebody could send to the Messages API: good ones, and good ones with mistakes in.

Drawn by a seed, and not by hypothesis, which takes ten times as long for each.
"""

import copy
import json
import random  # noqa: TID251 (seeded, so that a failure is found again)
from collections.abc import Iterator
from typing import Any

MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TEXT: Any = {"type": "text", "text": "Grüße \u2028 \U0001f600", **MARK}
PICTURE: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": ""},
}
BLOCKS: tuple[Any, ...] = (
    TEXT,
    PICTURE,
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
    {"type": "search_result", "source": "s", "title": "t", "content": [TEXT]},
    {"type": "thinking", "thinking": "hm", "signature": "EqQB+/="},
    {"type": "thinking", "thinking": "hm", "signature": "openai_responses.rs_1.gAAA"},
    {"type": "redacted_thinking", "data": "Emw"},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, 2.5, None]}},
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 degrees", "is_error": True},
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [TEXT, PICTURE]},
    {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "tool_reference", "tool_name": "later"}],
    },
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "later"}},
    {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"name": "new"}}},
    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}},
    {"type": "mid_conv_system", "content": "x"},
)
TOOLS: tuple[Any, ...] = (
    {"name": "f", "description": "Does it.", "input_schema": {"type": "object"}, **MARK},
    {"name": "later", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True},
    {"type": "custom", "name": "g", "input_schema": {}, "strict": True},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    {"type": "code_execution_20260521", "name": "code_execution"},
    {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
    {"type": "mcp_toolset", "mcp_server_name": "x"},
)
FIELDS: dict[str, tuple[Any, ...]] = {
    "max_tokens": (1, 64, 64_000),
    "stream": (True, False),
    "system": ("Be brief.", [TEXT, TEXT]),
    "tool_choice": ({"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "later"}),
    "thinking": ({"type": "adaptive", "display": "omitted"}, {"type": "enabled"}),
    "context_management": ({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},),
    "output_config": ({"effort": "xhigh"}, {"format": {"type": "json_schema", "schema": {}}}),
    "metadata": ({"user_id": "u"},),
    "stop_sequences": (["END"], []),
    "temperature": (0, 0.5, 1.0),
    "top_p": (0.9,),
    "top_k": (40,),
    "service_tier": ("auto",),
    "mcp_servers": ([], [{"type": "url", "url": "https://example.com", "name": "x"}]),
    "container": ("c_1",),
    "speed": ("standard", "fast"),
    "task_type": ("code", "nonsense"),
    "routing_hint": ({"min_quality": 0.5}, {"budget_cap_usd": "0.1"}, {"min_quality": "much"}),
    "caps": ({"per_call_cap_usd": 1},),
    "agent_id": ("not-an-id",),
    "unheard_of": ({"a": [1, {"b": None}]},),
}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 2**31, 2**70, -(2**70), float("nan"), float("inf")),
    *("", " ", "text", "\x00", "\ud83d", "\N{RIGHT-TO-LEFT OVERRIDE}", "a" * 300, "tool_reference"),
    *([], {}, [[]], [{}], [None], {"type": None}, {"type": "text"}, {"type": []}, {"": ""}),
)


def bodies(count: int, *, models: tuple[str, ...], seed: int) -> Iterator[bytes]:
    """So many bodies; the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 (as above)
    return (_body(draw, models) for _ in range(count))


def _body(draw: random.Random, models: tuple[str, ...]) -> bytes:
    asked = _good(draw, models)
    for _ in range(draw.choice((0, 0, 1, 1, 2, 4))):
        _spoil(draw, asked)
    written = json.dumps(asked, ensure_ascii=draw.random() < 0.3).encode("utf-8", "surrogatepass")
    return _spoilt_bytes(draw, written) if draw.random() < 0.1 else written


def _good(draw: random.Random, models: tuple[str, ...]) -> dict[str, Any]:
    said = [
        {
            "role": draw.choice(("user", "user", "assistant", "system")),
            "content": draw.choice(("Hi.", draw.choices(BLOCKS, k=draw.randint(1, 4)))),
        }
        for _ in range(draw.randint(1, 4))
    ]
    asked: dict[str, Any] = {"model": draw.choice(models), "messages": said}
    if draw.random() < 0.6:
        asked["tools"] = draw.sample(TOOLS[:3] if draw.random() < 0.7 else TOOLS, k=2)
    for name in draw.sample(tuple(FIELDS), k=draw.randint(0, 5)):
        asked[name] = draw.choice(FIELDS[name])
    return copy.deepcopy(asked)


def _spoil(draw: random.Random, asked: Any) -> None:
    """Change one value somewhere, from the top down to the innermost."""
    at = asked
    while True:
        places = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not places:
            return
        place = draw.choice(places)
        if isinstance(at[place], dict | list) and draw.random() < 0.75:
            at = at[place]
            continue
        match draw.randrange(4):
            case 0:
                del at[place]
            case 1 if isinstance(at, dict):
                at[draw.choice(("type", "content", "extra", "name"))] = _odd(draw)
            case _:
                at[place] = _odd(draw)
        return


def _odd(draw: random.Random) -> Any:
    return copy.deepcopy(draw.choice(ODD))


def _spoilt_bytes(draw: random.Random, written: bytes) -> bytes:
    at = draw.randrange(len(written))
    match draw.randrange(5):
        case 0:
            return written[:at]
        case 1:
            return written[:at] + bytes([draw.randrange(256)]) + written[at + 1 :]
        case 2:
            return written[:at] + b"[" * 400 + written[at:]
        case 3:
            return written[:-1] + b',"model":"twice"}'
        case _:
            return b"\xef\xbb\xbf" + written
