"""A server to whose agent everything has happened, its log published, and the files of evidence."""

import asyncio
from collections.abc import Mapping

import httpx

from ainfera_server.audit.public_log import log as public_log
from ainfera_server.audit.public_log import sequencer
from ainfera_server.postgres import pool as pools
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

QUESTION = {"role": "user", "content": "Grüße, ☃ and \U0001f600."}
ASKED = {"model": "ainfera-inference", "messages": [QUESTION], "max_tokens": 50}
PINNED = ASKED | {"model": "gpt-5-mini"}
NEVER = ASKED | {"routing_hint": {"budget_cap_usd": 0.0000001}}
"""No offer is so cheap."""

DEAR = PINNED | {"model": "gpt-5-5", "max_tokens": 10_000_000}
"""More than anybody has."""

FIRST_UPSTREAM = "mistral-large-2512"
"""What the first choice is called by its provider."""

RECEIPTS = 7


def live(server: RunningServer, provider: ScriptedProvider, dsn: str) -> None:
    """Answers pinned, routed and by the second choice, two refusals and two failures."""
    answers = [
        server.post("/v1/chat/completions", PINNED | {"stream": True}),
        server.post("/v1/inference", ASKED),
        server.post("/v1/inference", NEVER),
        server.post("/v1/inference", DEAR),
    ]
    provider.fails(status=500, model=FIRST_UPSTREAM, times=3)
    answers.append(server.post("/v1/messages", ASKED))
    provider.fails(status=503)
    answers += [server.post("/v1/inference", ASKED), server.post("/v1/inference", PINNED)]
    assert [one.status_code for one in answers] == [200, 200, 422, 402, 200, 503, 502]
    publish(server, dsn)


def publish(server: RunningServer, dsn: str) -> None:
    """Do what the clock does: put everything into the tree of the log, and sign it."""

    async def work() -> None:
        gateway = server.gateway
        async with pools.opened(dsn) as opened:
            origin = public_log.origin(gateway.public_url)
            await sequencer.publish(opened.writer, origin=origin, signer=gateway.log_signer)

    asyncio.run(work())


def keys(server: RunningServer) -> bytes:
    """The document of keys, as everybody reads it."""
    return httpx.get(f"{server.url}/.well-known/ainfera-public-key.json").content


def export(server: RunningServer, include: str = "?include=receipts") -> bytes:
    """The chain of the agent as a file."""
    answer = server.get(f"/v1/audit/{server.agent.agent_id}/export{include}")
    assert answer.status_code == 200, answer.text
    return answer.content


def log_export(server: RunningServer) -> bytes:
    """The whole log as a file."""
    return httpx.get(f"{server.url}/v1/log/export").content


def files(server: RunningServer, receipt_ids: Mapping[str, str]) -> Mapping[str, bytes]:
    """All files of evidence there are, by name; receipts by the names that were given to them."""
    found = {"chain": export(server), "bare chain": export(server, ""), "log": log_export(server)}
    for name, receipt_id in receipt_ids.items():
        found[name] = server.get(f"/v1/receipts/{receipt_id}").content
    return found
