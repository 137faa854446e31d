"""What curl does with the lines of our pages, for machines that have no curl.

`on_path` puts it behind what the machine has, so that the real one goes first.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
TIMEOUT_S = 60


def on_path(folder: Path) -> str:
    """A PATH on which there is a curl, whatever the machine has."""
    folder.mkdir(exist_ok=True)
    script = folder / "curl"
    root = Path(__file__).resolve().parents[1]
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "from tests import curl\ncurl.main(sys.argv[1:])\n"
    )
    script.chmod(0o755)
    return f"{SYSTEM_PATH}:{folder}"


def main(arguments: Sequence[str]) -> None:
    """Ask as the arguments say, and write what comes as it comes."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-s", action="store_true", help="no progress, of which there is none")
    parser.add_argument("-N", action="store_true", help="no buffer, of which there is none")
    parser.add_argument("-L", action="store_true", dest="follows")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="body")
    parser.add_argument("url")
    asked = parser.parse_args(arguments)
    named = (header.partition(":") for header in asked.headers)
    with httpx.stream(
        "GET" if asked.body is None else "POST",
        asked.url,
        headers=[(name.strip(), value.strip()) for name, _, value in named],
        content=asked.body,
        follow_redirects=asked.follows,
        timeout=TIMEOUT_S,
    ) as answer:
        for chunk in answer.iter_bytes():
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
