"""A request as Claude Code writes it: long, with fields and headers that no published schema has.

The shape was measured: the order of the fields, the attribution block that opens the system prompt,
a message of role system inside the conversation, a tool that was loaded when it was needed, and
one that is there only to keep such loading on.
"""

import json
from collections.abc import Mapping
from typing import Any

from tests.clients.questions import SCHEMA

PATH = "/v1/messages?beta=true"
BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "mid-conversation-tool-changes-2026-07-01,advanced-tool-use-2025-11-20,effort-2025-11-24"
)
TOOL_NAMES = (
    *("Agent", "Bash", "Edit", "Glob", "Grep", "NotebookEdit"),
    *("Read", "Skill", "TodoWrite", "WebFetch", "WebSearch", "Write"),
)
CACHED = {"cache_control": {"type": "ephemeral"}}
PLACEHOLDER: dict[str, Any] = {
    "name": "DeferredToolPlaceholder",
    "description": "Keeps loading on; never call this tool.",
    "input_schema": {"type": "object", "properties": {}},
    "defer_loading": True,
}
USER_ID = json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": "s" * 36})


def headers(api_key: str) -> Mapping[str, str]:
    """Both credentials, as a helper program makes it send them, and everything else it says."""
    return {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "claude-cli/2.1.329 (external, sdk-cli)",
        "authorization": f"Bearer {api_key}",
        "x-api-key": api_key,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": BETAS,
        "anthropic-dangerous-direct-browser-access": "true",
        "x-app": "cli",
        "x-claude-code-session-id": "0199c0de-0000-7000-8000-000000000000",
        "x-stainless-retry-count": "0",
        "x-stainless-timeout": "600",
    }


def body(model: str) -> bytes:
    """The body, in the bytes in which JavaScript writes it."""
    asked: dict[str, Any] = {
        "model": model,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>\nToday.\n</system-reminder>\n"},
                    {"type": "text", "text": "Say ping in “Köln” \u2028 1.0", **CACHED},
                ],
            },
            {"role": "system", "content": "The user opened `src/main.py`."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Easy.", "signature": "c2lnbmVk+/=="},
                    {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"n": 1.0}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [
                            {"type": "text", "text": "ping"},
                            {"type": "tool_reference", "tool_name": "WebSearch"},
                        ],
                        **CACHED,
                    }
                ],
            },
            {"role": "system", "content": [{"type": "text", "text": "Go on.", **CACHED}]},
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329; cch=00000;"},
            {"type": "text", "text": "You are an agent.", **CACHED},
            {"type": "text", "text": "Rules of the house.\n" * 2000, **CACHED},
        ],
        "tools": [*(tool(name) for name in TOOL_NAMES), PLACEHOLDER],
        "metadata": {"user_id": USER_ID},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "stream": True,
    }
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()


def tool(name: str) -> dict[str, Any]:
    """One of its tools; one is not loaded until it is asked for."""
    described = {"name": name, "description": f"{name} does it.\n" * 40, "input_schema": SCHEMA}
    return {**described, "defer_loading": True} if name == "WebSearch" else described
