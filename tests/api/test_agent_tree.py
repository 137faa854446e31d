"""Where a call stands in a tree of agents is read from headers, and odd ones are as if not sent."""

import pytest
from starlette.datastructures import Headers

from ainfera_server.api import agent_tree


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, (None, None, None)),
        ({"x-ainfera-agent-id": "alone"}, (None, None, None)),
        ({"x-claude-code-session-id": "theirs"}, ("theirs", None, None)),
        (
            {"x-claude-code-session-id": "theirs", "x-ainfera-session-id": "ours"},
            ("ours", None, None),
        ),
        (
            {
                "x-ainfera-session-id": "s",
                "x-claude-code-agent-id": "n",
                "x-claude-code-parent-agent-id": "p",
            },
            ("s", "n", "p"),
        ),
        ({"x-ainfera-session-id": "s", "x-ainfera-parent-agent-id": "p"}, ("s", None, None)),
        (
            {
                "x-ainfera-session-id": "s",
                "x-ainfera-agent-id": "n",
                "x-ainfera-parent-agent-id": "n",
            },
            ("s", "n", None),
        ),
        ({"x-ainfera-session-id": "x" * 129}, (None, None, None)),
        (
            {"x-ainfera-session-id": "\xfc", "x-claude-code-session-id": " spaced out "},
            ("spaced out", None, None),
        ),
        ({"x-ainfera-session-id": "s", "x-ainfera-agent-id": "\x7f"}, ("s", None, None)),
    ],
)
def test_ids_of_a_tree_are_read_in_both_spellings_and_malformed_ones_ignored(
    sent: dict[str, str], kept: tuple[str | None, str | None, str | None]
) -> None:
    branch = agent_tree.branch(Headers(sent))
    found = (None,) * 3 if branch is None else (branch.session, branch.node, branch.parent)
    assert found == kept
