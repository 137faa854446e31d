"""A process with a gateway in which one call runs for ever; a test kills it.

    python -m tests.inference.dying_gateway DSN PROVIDER_URL DATA_DIR KEY

It says who pays in one line of JSON, and then asks.
"""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from ainfera_server import gateway as gateways
from ainfera_server.inference import record
from ainfera_server.settings import Settings
from tests.inference import callers

dsn, provider_url, data_dir, key = sys.argv[1:]
SETTINGS = Settings(
    data_dir=Path(data_dir),
    provider_keys={"mistral": "sk-of-nobody"},
    provider_base_urls={"mistral": provider_url},
)


async def ask() -> None:
    """Sign up and ask."""
    async with gateways.opened(SETTINGS, dsn=dsn, writes=record.writes) as gateway:
        caller = await callers.signed_up(gateway, "doomed")
        payer = caller.payer
        accounts = (
            *(payer.wallet_id, payer.pool_id),
            *(payer.provider_cost_id, payer.revenue_id),
        )
        ids = (payer.tenant_id, payer.agent_id, *accounts)
        sys.stdout.write(json.dumps([str(one) for one in ids]) + "\n")
        sys.stdout.flush()
        await caller.asks(replace(gateway, retry_waits_s=()), key=key)


asyncio.run(ask())
