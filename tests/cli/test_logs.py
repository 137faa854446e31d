"""What the workers log is a line of JSON, and libraries do not tell of every step."""

import json
import subprocess
import sys

SAID_S_MAX = 30
SAY = """
import logging
from ainfera_server import telemetry
telemetry.set_up_logs()
logging.getLogger("mcp.server.streamable_http").info("Terminating session: None")
logging.getLogger("asyncpg.pool").warning("Failed to restore the pool; retrying")
logging.getLogger("mcp.server.streamable_http").warning("worth a line")
"""


def test_a_line_for_each_request_or_try_of_a_library_is_left_out() -> None:
    done = subprocess.run(
        (sys.executable, "-c", SAY), capture_output=True, text=True, check=True, timeout=SAID_S_MAX
    )
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["event"] == "worth a line"
