"""A question through the inference door, as ASGI: what is sent, and every byte that came back."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ainfera_server.api import inference, wording
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway

CHAT = "/v1/chat/completions"
TOO_BUSY = 503
TRIES_MAX = 5
ENDS = (b"data: [DONE]", b"event: message_stop")
"""How a stream that is whole ends, in the dialects that are asked here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a caller sends. `leaves_after` is how many messages it waits for, None to the end."""

    api_key: str
    words: str
    stream: bool = False
    model: str = "ainfera-inference"
    floor: str | None = None
    idempotency_key: str | None = None
    leaves_after: int | None = None
    path: str = CHAT

    @property
    def body(self) -> bytes:
        """The request's body."""
        told: dict[str, object] = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.words}],
            "max_tokens": 16,
        }
        if self.stream:
            told["stream"] = True
        if self.floor is not None:
            told["routing_hint"] = {"min_quality": float(self.floor)}
        return orjson.dumps(told)

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers."""
        named = {
            "host": "127.0.0.1",
            "authorization": f"Bearer {self.api_key}",
            "content-type": "application/json",
        }
        if self.idempotency_key is not None:
            named["idempotency-key"] = self.idempotency_key
        return named


@dataclass(slots=True)  # tidy: filled while an answer comes in
class Heard:
    """What the caller got, however far it came. `status` is None while nothing did."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    is_whole: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether it is a good answer to its end; a stream that broke off ends in an error."""
        kind = (self.headers or {}).get("content-type", "")
        is_stream = kind.startswith("text/event-stream")
        ends_well = not is_stream or any(end in self.body for end in ENDS)
        return self.status == 200 and self.is_whole and ends_well


async def ask(
    gateway: Gateway,
    question: Question,
    hear: Callable[[Mapping[str, Any]], None],
    *,
    crosses: Callable[[str], None] = lambda _: None,
) -> None:
    """Have a question answered; `hear` gets each message of the answer as it is sent.

    What is wrong is worded as the HTTP door words it.
    """
    receive, noted = _caller(question)
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": question.path,
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in question.headers.items()],
        "state": {"request_id": "req_chaos"},
    }

    async def send(message: Any) -> None:
        crosses("before a message to the caller")
        hear(message)
        noted()
        crosses("after a message to the caller")

    try:
        await inference.application(gateway)(scope, receive, send)
    except AinferaError as problem:
        worded = wording.answer(problem, scope)
        headers = [(name.encode(), text.encode()) for name, text in worded.headers.items()]
        await send({"type": "http.response.start", "status": worded.status, "headers": headers})
        await send({"type": "http.response.body", "body": worded.body})


async def heard_again(gateway: Gateway, question: Question) -> Heard:
    """The answer to a question; a gateway that has too much to do is asked once more, and again."""
    heard = Heard()
    for _ in range(TRIES_MAX):
        heard = Heard()
        await ask(gateway, question, functools.partial(hear, heard))
        if heard.status != TOO_BUSY:
            break
    return heard


def _caller(
    question: Question,
) -> tuple[Callable[[], Awaitable[Any]], Callable[[], None]]:
    """Who says the question and then listens, for so long; and what counts its messages."""
    has_left = asyncio.Event()
    spoken: list[bytes] = []
    messages: list[None] = []

    async def receive() -> Mapping[str, object]:
        if not spoken:
            spoken.append(question.body)
            return {"type": "http.request", "body": question.body, "more_body": False}
        await has_left.wait()
        return {"type": "http.disconnect"}

    def noted() -> None:
        messages.append(None)
        if len(messages) == question.leaves_after:
            has_left.set()

    return receive, noted


def hear(heard: Heard, message: Mapping[str, Any]) -> None:
    """Add a message to what was heard."""
    if message["type"] == "http.response.start":
        heard.status = message["status"]
        heard.headers = {name.decode(): text.decode() for name, text in message["headers"]}
        return
    heard.body += message.get("body", b"")
    heard.is_whole = not message.get("more_body", False)
