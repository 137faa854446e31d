"""What is asked: in which dialect, who is to answer, and how the answer comes."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from ainfera_server.routing import targets

TEXT = (
    "Summarise the change below for a release note. Keep the names of the functions, say what a"
    " caller has to do differently, and leave out anything that is only internal. "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A route, and the fields by which the router chooses a provider of one dialect or another."""

    name: str
    path: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an answer comes: in one piece if it has no texts, or as a stream of so many."""

    name: str
    callers: tuple[int, ...]
    texts: int = 0
    gap_ms: int = 0


WAYS = (
    Way(name="chat completions", path="/v1/chat/completions", fields={}),
    Way(
        name="messages",
        path="/v1/messages",
        # Only a provider that speaks messages clears this floor; the cheapest one does not.
        fields={"routing_hint": {"min_quality": 0.93}},
    ),
    Way(name="messages, translated", path="/v1/messages", fields={}),
)
PLAIN = Manner(name="plain", callers=(1, 16, 64))
STREAMED = Manner(name="streamed", callers=(1, 16, 64), texts=64)
PACED = Manner(name="paced", callers=(32,), texts=32, gap_ms=20)
"""All its streams begin in the same moment, so their first texts show what a burst costs."""
MANNERS = (PLAIN, STREAMED, PACED)


def body(way: Way, manner: Manner) -> bytes:
    """A question of about 700 bytes; the pace in it is for the provider, whoever passes it on."""
    system = f"You are a careful assistant. {TEXT}"
    prompt = {"role": "user", "content": f"{_pace(manner)}{TEXT * 2}"}
    asked: dict[str, object] = {
        "model": targets.CANONICAL,
        "max_tokens": 512,
        "temperature": 0.2,
        "stream": manner.texts > 0,
        **way.fields,
    }
    if way.path.endswith("/messages"):
        return orjson.dumps({**asked, "system": system, "messages": [prompt]})
    return orjson.dumps({**asked, "messages": [{"role": "system", "content": system}, prompt]})


def _pace(manner: Manner) -> str:
    return f"[[texts={manner.texts} gap_ms={manner.gap_ms}]] " if manner.texts else ""
