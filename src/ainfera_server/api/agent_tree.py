"""Where in a tree of agents a call stands, as the headers of callers that keep such a tree say.

Claude Code sends its own with every request (https://code.claude.com/docs/en/llm-gateway); other
clients say the same under our names, which win. An id that cannot be one is as if it were not sent:
whoever wants to escape a cap could as well send none, so refusing it would protect nobody.
"""

import re

from starlette.datastructures import Headers

from ainfera_server.wallet.caps import Branch

SESSION = ("x-ainfera-session-id", "x-claude-code-session-id")
NODE = ("x-ainfera-agent-id", "x-claude-code-agent-id")
PARENT = ("x-ainfera-parent-agent-id", "x-claude-code-parent-agent-id")

AN_ID = re.compile(r"[\x20-\x7e]{1,128}")


def branch(headers: Headers) -> Branch | None:
    """Read where a call stands; None when it names no session."""
    session = _first(headers, SESSION)
    if session is None:
        return None
    node = _first(headers, NODE)
    parent = _first(headers, PARENT)
    is_above = node is not None and parent != node
    return Branch(session=session, node=node, parent=parent if is_above else None)


def _first(headers: Headers, names: tuple[str, ...]) -> str | None:
    sent = (headers.get(name, "").strip() for name in names)
    return next((one for one in sent if AN_ID.fullmatch(one)), None)
