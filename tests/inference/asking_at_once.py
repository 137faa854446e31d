"""A process with a gateway whose callers all ask with one key, each time its parent says so.

    python -m tests.inference.asking_at_once DSN PROVIDER_URL DATA_DIR
        TENANT_ID AGENT_ID KEY CALLERS

It says that it is there, and then for each line that it reads what became of every caller, one
line each: `refused` and the kind, or `answered`, whether again, and the hash of the answer.
"""

import asyncio
import hashlib
import sys
from pathlib import Path
from uuid import UUID

from ainfera_server import gateway as gateways
from ainfera_server.accounts import store as accounts_store
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.inference import record
from ainfera_server.postgres import tenancy
from ainfera_server.settings import Settings
from tests.inference.callers import Caller

dsn, provider_url, data_dir, tenant_id, agent_id, key, callers = sys.argv[1:]
SETTINGS = Settings(
    data_dir=Path(data_dir),
    provider_keys={"mistral": "sk-of-nobody"},
    provider_base_urls={"mistral": provider_url},
)


async def ask_when_told() -> None:
    """Open the gateway, and have everybody ask for each line."""
    async with gateways.opened(SETTINGS, dsn=dsn, writes=record.writes) as gateway:
        caller = await known(gateway)
        say("there")
        while await asyncio.to_thread(sys.stdin.readline):
            async with asyncio.TaskGroup() as group:
                for _ in range(int(callers)):
                    group.create_task(ask(gateway, caller))


async def known(gateway: Gateway) -> Caller:
    """The agent as it is in the database."""
    async with tenancy.tenant_transaction(
        gateway.pools.app, TenantId(UUID(tenant_id))
    ) as connection:
        payer = await accounts_store.payer(connection, AgentId(UUID(agent_id)))
    assert payer is not None, "the parent has signed it up"
    return Caller(payer=payer)


async def ask(gateway: Gateway, caller: Caller) -> None:
    """Ask once, and say what became of it."""
    try:
        answer = await caller.asks(gateway, key=key)
    except AinferaError as problem:
        say(f"refused {problem.code}")
        return
    how = "again" if "idempotent-replayed" in answer.headers else "first"
    say(f"answered {how} {hashlib.sha256(answer.body).hexdigest()}")


def say(line: str) -> None:
    """Tell the parent."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


asyncio.run(ask_when_told())
