"""Claude Code as Anthropic publishes it, run against a server of ours without any other network."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ainfera_server.conversation import ToolCall
from tests.clients.published.npm import Tool
from tests.clients.published.scenario import Scenario, require
from tests.clients.published.stand import Stand
from tests.clients.questions import CLAUDE, GPT
from tests.running_server import RunningServer
from tests.scripted_provider import DEFAULT_TEXT

PACKAGE = "@anthropic-ai/claude-code"
COMMAND = "claude"
RUN_S_MAX = 120.0
ROUTED = "ainfera-inference"
COUNT = "/v1/messages/count_tokens"
FREELY = "--dangerously-skip-permissions"
SHELL = ToolCall(
    call_id="toolu_shell",
    name="Bash",
    arguments='{"command": "echo pong-$((40+2))", "description": "Say pong"}',
)
SEARCH = ToolCall(
    call_id="toolu_search", name="ToolSearch", arguments='{"query": "select:WebFetch"}'
)
ALONE: Mapping[str, str] = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "8000",
    "IS_SANDBOX": "1",
}
"""Nothing but what it is asked, few retries, and no more output than a newcomer can pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run printed, and how it ended."""

    exit_code: int
    output: str
    complaints: str

    @property
    def everything(self) -> str:
        """All that a person would have seen."""
        return f"exit code {self.exit_code}: {self.output} {self.complaints}".strip()


def run(
    tool: Tool, stand: Stand, server: RunningServer, prompt: str, *options: str, **more: str
) -> Ran:
    """Ask once, as `claude -p` does."""
    home = stand.home()
    told = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_AUTH_TOKEN": server.agent.api_key,
        **ALONE,
        **more,
    }
    done = subprocess.run(
        (str(tool.command), "-p", prompt, *options),
        env=told,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
    )
    return Ran(exit_code=done.returncode, output=done.stdout.strip(), complaints=done.stderr)


def _says_a_word(model: str) -> Scenario:
    def runs(tool: Tool, stand: Stand) -> str:
        ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", model)
        require(ran.exit_code == 0 and ran.output == DEFAULT_TEXT, ran.everything)
        return f"answered in one turn, {len(stand.provider.requests[-1].body)} bytes upstream"

    return Scenario(name=f"plain turn, {model}", runs=runs)


def _uses_a_tool(model: str) -> Scenario:
    def runs(tool: Tool, stand: Stand) -> str:
        stand.provider.answers("", tool_calls=(SHELL,), times=1)
        ran = run(tool, stand, stand.newcomer(), "Run it.", "--model", model, FREELY)
        require(ran.exit_code == 0 and ran.output == DEFAULT_TEXT, ran.everything)
        last = stand.provider.requests[-1].body
        require(b"pong-42" in last, "what the shell said did not reach the model")
        return f"the shell's answer reached the model, {len(stand.provider.requests)} turns"

    return Scenario(name=f"tool turn, {model}", runs=runs)


def _searches_tools(model: str) -> Scenario:
    def runs(tool: Tool, stand: Stand) -> str:
        stand.provider.answers("", tool_calls=(SEARCH,), times=1)
        on = {"ENABLE_TOOL_SEARCH": "true"}
        ran = run(tool, stand, stand.newcomer(), "Find it.", "--model", model, FREELY, **on)
        require(ran.exit_code == 0 and ran.output == DEFAULT_TEXT, ran.everything)
        models = [one.model for one in stand.provider.requests]
        require(len(set(models)) == 1, f"the model changed on the way: {models}")
        asked: Any = stand.provider.requests[-1].json
        require("WebFetch" in json.dumps(asked["tools"]), "the tool that was found is missing")
        return f"the tool that was found can be called, {len(models)} turns"

    return Scenario(name=f"search for tools, {model}", runs=runs)


def _counts_tokens(model: str) -> Scenario:
    def runs(tool: Tool, stand: Stand) -> str:
        stand.provider.sends(b'{"input_tokens": 777}')
        before = stand.answered(COUNT)
        ran = run(tool, stand, stand.newcomer(), "/context", "--model", model)
        require(ran.exit_code == 0 and "Tokens:" in ran.output, ran.everything)
        counted = stand.answered(COUNT) - before
        require(counted, "nothing was counted here")
        asked = [one for one in stand.provider.requests if one.path == COUNT]
        return f"{counted} counts, {len(asked)} of them by the provider"

    return Scenario(name=f"counting tokens, {model}", runs=runs)


def _is_refused_for_money(tool: Tool, stand: Stand) -> str:
    much = {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64000"}
    ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", CLAUDE, **much)
    is_shown = ran.output.startswith("API Error: 402 The wallet") and "5.000000" in ran.output
    require(ran.exit_code == 1 and is_shown, ran.everything)
    require(stand.provider.requests == [], "the provider was asked")
    return ran.output


def _breaks(model: str) -> Scenario:
    """Whatever arrived before the break may be shown; it is never taken for a whole answer."""

    def runs(tool: Tool, stand: Stand) -> str:
        stand.provider.breaks_mid_stream(after_chunks=4)
        ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", model)
        require(ran.exit_code != 0, f"a broken answer was taken for a whole one: {ran.output}")
        return ran.output.replace("\n", " ")

    return Scenario(name=f"broken stream, {model}", runs=runs)


def _is_overloaded(model: str) -> Scenario:
    def runs(tool: Tool, stand: Stand) -> str:
        stand.provider.fails(status=529, message="Overloaded", times=1)
        ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", model)
        require(ran.exit_code == 0 and ran.output == DEFAULT_TEXT, ran.everything)
        return f"tried again by itself, {len(stand.provider.requests)} requests upstream"

    return Scenario(name=f"overloaded once, {model}", runs=runs)


def _prompt_is_too_long(tool: Tool, stand: Stand) -> str:
    words = "prompt is too long: 210000 tokens > 200000 maximum"
    stand.provider.fails(status=400, message=words)
    ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", CLAUDE)
    require("Prompt is too long" in ran.output, ran.everything)
    return ran.output.partition(" · ")[0]


def _discovers_models(tool: Tool, stand: Stand) -> str:
    on = {
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "",
    }
    before = stand.answered("/v1/models")
    ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", CLAUDE, **on)
    require(ran.exit_code == 0, ran.everything)
    require(stand.answered("/v1/models") > before, "the list of models was not asked for")
    return "asked for the list of models"


def _says_what_a_request_is_for(tool: Tool, stand: Stand) -> str:
    """Hints are for us: not one of them reaches the vendor."""
    hints = {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}
    ran = run(tool, stand, stand.newcomer(), "Say ping.", "--model", CLAUDE, **hints)
    require(ran.exit_code == 0, ran.everything)
    sent = [name for name in stand.provider.requests[-1].headers if name.startswith("x-claude")]
    require(not sent, f"the provider was told {sent}")
    return "answered, and the hints stayed here"


SCENARIOS = (
    *(_says_a_word(model) for model in (CLAUDE, GPT, ROUTED)),
    *(_uses_a_tool(model) for model in (CLAUDE, GPT, ROUTED)),
    *(_searches_tools(model) for model in (CLAUDE, GPT, ROUTED)),
    *(_counts_tokens(model) for model in (CLAUDE, ROUTED)),
    Scenario(name="refusal for money", runs=_is_refused_for_money),
    *(_breaks(model) for model in (CLAUDE, GPT)),
    *(_is_overloaded(model) for model in (CLAUDE, GPT)),
    Scenario(name="prompt too long", runs=_prompt_is_too_long),
    Scenario(name="model discovery", runs=_discovers_models),
    Scenario(name="hint headers", runs=_says_what_a_request_is_for),
)
