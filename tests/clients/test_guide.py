"""Every example of the guide to clients runs, and what it says of headers and errors holds."""

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from ainfera_server.api import agent_tree
from tests.clients.questions import CLAUDE, MISTRAL, only_request
from tests.clients.test_refusals import REFUSALS, Refusal
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

GUIDE = Path(__file__).parents[2].joinpath("docs", "guides", "clients.md").read_text("utf-8")
BASH = "/bin/bash"
ADDRESS = "http://127.0.0.1:8080"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
SECTIONS = re.split(r"^## ", GUIDE, flags=re.MULTILINE)[1:]
EXAMPLES = [
    pytest.param(block["language"], block["code"], id=f"{section.split(chr(10))[0]}-{number}")
    for section in SECTIONS
    for number, block in enumerate(BLOCK.finditer(section), start=1)
]
"""Each with its section's title as its name."""

WITH_A_ROW = [
    one for one in REFUSALS if one.in_openai[1] not in {"invalid_request", "malformed_request"}
]
"""A mistake in the request needs no row: its sentence says what it is."""


@pytest.fixture(autouse=True)
def environment(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the guide tells its reader to have."""
    monkeypatch.setenv("AINFERA_API_KEY", server.agent.api_key)
    monkeypatch.setenv("AINFERA_AGENT_ID", server.agent.agent_id)


@proves("vendor-clients-work")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # A short example leaves its client open.
@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_every_example_runs_and_shows_the_answer(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    language: str,
    code: str,
) -> None:
    example = tmp_path / f"example.{language}"
    example.write_text(code.replace(ADDRESS, server.url))
    if language == "python":
        runpy.run_path(str(example))
    else:
        subprocess.run((BASH, "-eu", example), check=True, timeout=30)

    said = capfd.readouterr().out
    if "no_candidate_clears_floor" in said:
        assert f"{CLAUDE} below_quality_floor" in said
        assert scripted_provider.requests == []
    elif "export" in code:
        assert said == ""
    else:
        assert words_of(said) == DEFAULT_TEXT
        assert only_request(scripted_provider)


def test_claude_code_reaches_claude_with_what_the_guide_exports(
    server: RunningServer, scripted_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its SDK reads the same variables as it does."""
    exports = next(one.values[1] for one in EXAMPLES if "export" in str(one.values[1]))
    shown = subprocess.run(
        (BASH, "-euc", f"{str(exports).replace(ADDRESS, server.url)}\nenv"),
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    set_by_it = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, set_by_it[name])

    with anthropic.Anthropic() as client:
        for name in ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"):
            client.messages.create(
                model=set_by_it[name],
                max_tokens=64,
                messages=[{"role": "user", "content": "Say hello."}],
            )
    assert [one.model for one in scripted_provider.requests] == [CLAUDE, "claude-haiku-4-5"]


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_the_guide_names_every_header_of_ours_and_no_other(
    server: RunningServer,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    body: dict[str, Any] = {"model": "ainfera-inference", "stream": streams}
    body["messages"] = [{"role": "user", "content": "Say hello."}]

    answer = httpx.post(f"{server.url}/v1/inference", json=body, headers=server.agent.headers)

    (section,) = (one for one in SECTIONS if one.startswith("What comes back"))
    named = set(re.findall(r"`(x-ainfera-[a-z-]+)`", section))
    sent = {name for name in answer.headers if name.startswith("x-ainfera-")}
    assert named - sent == ({"x-ainfera-cost-usd"} if streams else {"x-ainfera-stream-mode"})
    assert sent <= named
    assert answer.headers["x-ainfera-model"] == MISTRAL


def test_the_guide_names_every_header_that_tells_of_a_tree() -> None:
    (section,) = (one for one in SECTIONS if one.startswith("Trees of agents"))
    named = set(re.findall(r"`(x-[a-z-]+)`", section))
    assert named == {*agent_tree.SESSION, *agent_tree.NODE, *agent_tree.PARENT}


@pytest.mark.parametrize("refusal", WITH_A_ROW, ids=lambda one: one.name)
def test_the_guides_table_of_errors_says_what_the_clients_raise(refusal: Refusal) -> None:
    """What each refusal is in each client, is proved beside the refusals; here, that it is told."""
    in_openai, code = refusal.in_openai
    in_anthropic, kind = refusal.in_anthropic
    in_ainfera, status = refusal.in_ainfera
    row = next(line for line in GUIDE.splitlines() if f"`{code}`" in line and line[0] == "|")
    _, _, openais, anthropics, ours, _, _ = (cell.strip() for cell in row.split("|"))
    assert openais.endswith(f"`{in_openai.__name__}` `{code}`")
    assert anthropics.endswith(f"`{in_anthropic.__name__}` `{kind}`")
    assert ours == f"{status} `{in_ainfera.__name__}`"


def words_of(said: str) -> str:
    """The answer in what an example printed, in whichever form it came."""
    deltas = re.findall(r'"delta":\{[^}]*"content":"([^"]*)"', said)
    if deltas:
        return "".join(deltas)
    assert DEFAULT_TEXT in said
    return DEFAULT_TEXT
