"""What a start prints: where everything is, and lines to paste."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ainfera_server.cli.first_start import Demo
from ainfera_server.cli.options import DEMO_AGENT
from ainfera_server.routing import targets

MODEL = targets.CANONICAL
MESSAGES = '[{"role": "user", "content": "Name three colours."}]'
LATER_KEY = "$AINFERA_API_KEY"
LAST_LINE = "Ctrl-C stops it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What there is to tell; `demo` is None when nobody asked for it."""

    url: str
    public_url: str | None
    took_s: float
    database: str
    data_folder: Path
    local_model: str
    providers: tuple[str, ...]
    demo: Demo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Lines to paste as they are, and what they do."""

    title: str
    lines: tuple[str, ...]


def show(welcome: Welcome) -> None:
    """Print it: with colours on a terminal, as plain lines anywhere else."""
    if sys.stdout.isatty():
        _show_on_terminal(welcome)
    else:
        sys.stdout.write("\n".join(plain(welcome)) + "\n")
        sys.stdout.flush()


def plain(welcome: Welcome) -> Iterator[str]:
    """The lines without any colour."""
    yield headline(welcome)
    yield ""
    rows = table(welcome)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        yield f"  {name.ljust(width)}  {value}"
    for section in sections(welcome):
        yield ""
        yield f"# {section.title}"
        yield from section.lines
    yield ""
    yield LAST_LINE


def headline(welcome: Welcome) -> str:
    """That it runs."""
    version = metadata.version("ainfera-server")
    return f"Ainfera {version} is ready, after {welcome.took_s:.1f} s."


def table(welcome: Welcome) -> tuple[tuple[str, str], ...]:
    """Where everything is."""
    url = welcome.url
    rows = [
        ("Server", url),
        ("Dashboard", f"{url}/dashboard"),
        ("OpenAI clients", f"{url}/v1"),
        ("Anthropic clients", url),
        ("API", f"{url}/openapi.json"),
        ("Health", f"{url}/health"),
        ("Data folder", str(welcome.data_folder)),
        ("Database", welcome.database),
        ("Local model", welcome.local_model),
        ("Providers", _providers(welcome)),
    ]
    if welcome.public_url is not None:
        rows.insert(1, ("Public address", welcome.public_url))
    demo = welcome.demo
    if demo is not None:
        rows += [
            ("Demo agent", f"{DEMO_AGENT}, {demo.agent_id}"),
            ("Its audit trail", f"{url}/v1/audit/{demo.agent_id}/verify"),
            ("Its API key", _key_row(demo)),
        ]
    return tuple(rows)


def sections(welcome: Welcome) -> Iterator[Section]:
    """The lines to paste."""
    if welcome.demo is None:
        return
    key = welcome.demo.api_key or LATER_KEY
    url = welcome.url
    asked = f'"model": "{MODEL}", "max_tokens": 40, "messages": {MESSAGES}'
    yield Section(
        title="A first answer; the demo agent's floor is 0, so the local model may give it",
        lines=(curl(url, key, f"{{{asked}}}"),),
    )
    yield Section(
        title="The same with a floor of 0.50: refused unless a provider's model clears it, and why",
        lines=(curl(url, key, f'{{{asked}, "routing_hint": {{"min_quality": 0.50}}}}'),),
    )
    yield Section(title="OpenAI SDK; needs: pip install openai", lines=_openai(url, key))
    yield Section(title="Anthropic SDK; needs: pip install anthropic", lines=_anthropic(url, key))
    yield Section(
        title="Claude Code; its prompts are too long for the local model: set a provider's key",
        lines=(
            f"export ANTHROPIC_BASE_URL={url}",
            f'export ANTHROPIC_AUTH_TOKEN="{key}"',
            f"export ANTHROPIC_MODEL={MODEL}",
            "claude",
        ),
    )


def curl(url: str, key: str, body: str) -> str:
    """One chat completion, as one line for a shell."""
    return (
        f'curl -s {url}/v1/chat/completions -H "authorization: Bearer {key}" '
        f"-H 'content-type: application/json' -d '{body}'"
    )


def python(*lines: str) -> tuple[str, ...]:
    """Lines for Python, to be pasted into the same shell as all the others."""
    return ("python3 - <<'EOF'", *lines, "EOF")


def _openai(url: str, key: str) -> tuple[str, ...]:
    asked = f'model="{MODEL}", max_tokens=40, messages={MESSAGES}'
    return python(
        *_imports(key),
        "from openai import OpenAI",
        f'client = OpenAI(base_url="{url}/v1", api_key={_in_python(key)})',
        f"answer = client.chat.completions.create({asked})",
        "print(answer.choices[0].message.content)",
    )


def _anthropic(url: str, key: str) -> tuple[str, ...]:
    asked = f'model="{MODEL}", max_tokens=40, messages={MESSAGES}'
    return python(
        *_imports(key),
        "from anthropic import Anthropic",
        f'client = Anthropic(base_url="{url}", auth_token={_in_python(key)})',
        f"answer = client.messages.create({asked})",
        "print(answer.content[0].text)",
    )


def _imports(key: str) -> tuple[str, ...]:
    return ("import os",) if key == LATER_KEY else ()


def _in_python(key: str) -> str:
    return f'os.environ["{LATER_KEY[1:]}"]' if key == LATER_KEY else f'"{key}"'


def _providers(welcome: Welcome) -> str:
    names = ", ".join(welcome.providers) or "none"
    return f"{names}; each takes part once its key is set, such as OPENAI_API_KEY"


def _key_row(demo: Demo) -> str:
    if demo.api_key is not None:
        return f"{demo.api_key}  (shown this once; it is not stored)"
    return "printed at the first start; `ainfera-server keys create` makes another"


def _show_on_terminal(welcome: Welcome) -> None:
    """No line is wrapped or shortened: a key with a line break in it opens nothing."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(headline(welcome), style="bold green"))
    console.print()
    rows = table(welcome)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.print(Text.assemble((f"  {name.ljust(width)}  ", "dim"), value))
    for section in sections(welcome):
        console.print()
        console.print(Text(f"# {section.title}", style="bold"))
        for line in section.lines:
            console.print(Text(line))
    console.print()
    console.print(LAST_LINE)
