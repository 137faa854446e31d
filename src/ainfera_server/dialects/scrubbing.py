"""Keeping what looks like a credential, or like the name of our account, out of what is told."""

import re

_SECRET = re.compile(
    r"(?i:bearer\s+[\w.~+/*-]+=*)"
    r"|\b(?:sk|pk|rk|gsk|xai|key|fw|tgp|ainfera)[-_](?=[\w*.-]*[\d*])[\w*.-]{6,}"
    r"|\bAIza[\w*-]{6,}"
    # OpenAI names our organization and project when their limits are reached.
    r"|\b(?:org|proj)[-_][A-Za-z0-9]{16,}"
    r"|\b[A-Za-z0-9]{32,}\b"
    r"|[\w-]{40,}"
)
_REMOVED = "[removed]"


def holds_a_secret(text: str) -> bool:
    """Whether something in the text looks like what only we may know."""
    return _SECRET.search(text) is not None


def without_secrets(text: str, *, characters_max: int) -> str:
    """The beginning of the text, less whatever looks like a secret in it.

    It is cut after that: half a key no longer looks like one. Four times as much is looked at.
    """
    return _SECRET.sub(_REMOVED, text[: 4 * characters_max])[:characters_max]
