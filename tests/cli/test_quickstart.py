"""What README.md, quickstart.md and operating.md tell their reader to type does what they say."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests import curl
from tests.cli import running_command
from tests.cli.running_command import NO_MODEL, Started
from tests.promises import proves
from tests.scripted_provider import DEFAULT_KEY, DEFAULT_TEXT, ScriptedProvider

ROOT = Path(__file__).parents[2]
README = ROOT.joinpath("README.md").read_text("utf-8")
QUICKSTART = ROOT.joinpath("docs", "quickstart.md").read_text("utf-8")
OPERATING = ROOT.joinpath("docs", "guides", "operating.md").read_text("utf-8")

ADDRESS = "http://127.0.0.1:8080"
THROUGH_UV = "python3 -m pip install uv && python3 -m uv run --all-extras "
TYPED_S_MAX = 60.0


def blocks(page: str, language: str) -> list[str]:
    """What stands on a page to be typed."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def typed(lines: str, started: Started, home: Path) -> str:
    """What lines print in a shell in which the key of the first start is set."""
    programs = Path(running_command.COMMAND[0]).parent
    variables = {
        "PATH": f"{programs}:{curl.on_path(home / 'curl')}",
        "AINFERA_API_KEY": started.api_key,
        "AINFERA_DATA_DIR": str(started.data_dir),
    }
    done = subprocess.run(
        ("/bin/sh", "-eu", "-c", lines.replace(ADDRESS, started.url)),
        env=running_command.environment(home, variables),
        capture_output=True,
        text=True,
        check=True,
        timeout=TYPED_S_MAX,
    )
    return done.stdout


@proves("start-needs-nothing")
def test_the_calls_of_the_first_five_minutes_give_what_the_page_shows(
    demo_server: Started, tmp_path: Path
) -> None:
    answer, refusal, decision, receipt = [
        one for one in blocks(QUICKSTART, "sh") if one.startswith("curl")
    ]
    answered: Any = json.loads(typed(answer, demo_server, tmp_path))
    assert answered["choices"][0]["message"]["content"]
    assert answered["ainfera"]["provider"] == "local"

    refused: Any = json.loads(typed(refusal, demo_server, tmp_path))
    assert refused["error"]["code"] == "no_candidate_clears_floor"
    assert [one["drop_reason"] for one in refused["detail"]["candidates"]] == [
        "below_quality_floor"
    ]

    asked = about(decision, "inferences", refused["detail"]["decision_id"])
    decided: Any = json.loads(typed(asked, demo_server, tmp_path))
    assert decided["decision_rule"] == "no_candidate_clears_floor"
    assert decided["snapshot"]["policy"]["min_quality"] == "0.5"
    assert decided["outcome_status"] == "rejected_floor"

    asked = about(receipt, "receipts", answered["ainfera"]["receipt_id"])
    proof: Any = json.loads(typed(asked, demo_server, tmp_path))
    assert f"{proof['cost_usd']:.6f}" == answered["ainfera"]["cost_usd"]
    assert proof["signature"].startswith("ed25519:")


def about(line: str, what: str, identifier: str) -> str:
    """The line, asking for the reader's own thing."""
    asked, found = re.subn(rf"/v1/{what}/[0-9a-f-]{{36}}", f"/v1/{what}/{identifier}", line)
    assert found == 1
    return asked


def test_the_commands_of_the_first_five_minutes_show_a_wallet_and_a_valid_chain(
    demo_server: Started, tmp_path: Path
) -> None:
    (commands,) = [one for one in blocks(QUICKSTART, "sh") if one.startswith("ainfera-server")]
    shown = typed(commands, demo_server, tmp_path).splitlines()
    assert re.split(r"  +", shown[0]) == [
        "agent",
        "balance usd",
        "held usd",
        "available usd",
        "pool available usd",
    ]
    assert shown[1].startswith("demo/demo-agent")
    assert shown[-1].startswith("True")


def test_the_calls_of_the_readme_give_what_it_shows(demo_server: Started, tmp_path: Path) -> None:
    answer, refusal = [one for one in blocks(README, "sh") if one.startswith("curl")]
    assert json.loads(typed(answer, demo_server, tmp_path))["ainfera"]["provider"] == "local"
    (shown,) = blocks(README, "json")
    refused: Any = json.loads(typed(refusal, demo_server, tmp_path))["detail"]
    for key, value in json.loads(shown)["detail"]["candidates"][0].items():
        assert key == "..." or refused["candidates"][0][key] == value


def test_with_a_providers_key_and_a_database_of_ones_own_the_better_model_answers(
    tmp_path: Path, scripted_provider: ScriptedProvider, database: str
) -> None:
    (line,) = blocks(OPERATING, "sh")
    setting, *command = line.split()
    assert command == ["ainfera-server", "start"]
    variables = {
        setting.partition("=")[0]: database,
        "OPENAI_API_KEY": DEFAULT_KEY,
        "OPENAI_BASE_URL": scripted_provider.base_url,
        **NO_MODEL,
    }
    with running_command.started(tmp_path, variables=variables) as started:
        _, refused_before = [one for one in blocks(README, "sh") if one.startswith("curl")]
        assert DEFAULT_TEXT in typed(refused_before, started, tmp_path)
        (code,) = [one for one in blocks(QUICKSTART, "sh") if "python3 - <<'EOF'" in one]
        assert typed(code, started, tmp_path).strip() == DEFAULT_TEXT
        assert not (started.data_dir / "postgres").exists()


def test_what_the_pages_run_through_uv_is_the_start_or_what_the_continuous_integration_runs() -> (
    None
):
    said = [one for page in (README, QUICKSTART) for one in blocks(page, "sh") if "uv run" in one]
    through_uv = {one.rstrip("\n") for one in said if one.startswith(THROUGH_UV)}
    assert through_uv == {THROUGH_UV + "ainfera-server start", THROUGH_UV + "just check"}
    assert THROUGH_UV + "just check" in ROOT.joinpath(".ci", "run").read_text("utf-8")


def test_claude_code_is_pointed_where_the_start_says(demo_server: Started) -> None:
    (lines,) = [one for one in blocks(QUICKSTART, "sh") if "claude" in one]
    said = lines.replace(ADDRESS, demo_server.url).replace("$AINFERA_API_KEY", demo_server.api_key)
    assert tuple(said.splitlines()) == demo_server.section("Claude Code")


def test_where_there_is_no_curl_ours_does_what_the_pages_need(
    demo_server: Started, tmp_path: Path
) -> None:
    curl.on_path(tmp_path / "curl")
    line = f"{tmp_path}/curl/curl -sN -H 'x-api-key: {demo_server.api_key}' {demo_server.url}"
    assert json.loads(typed(f"{line}/v1/agents", demo_server, tmp_path))
    asked = '{"model": "ainfera-inference", "messages": [{"role": "user", "content": "Hi."}]}'
    headers = "-H 'content-type: application/json'"
    body = typed(f"{line}/v1/chat/completions {headers} -d '{asked}'", demo_server, tmp_path)
    assert json.loads(body)["choices"]
    assert "<title>" in typed(f"{line}/dashboard -L", demo_server, tmp_path)
