"""What an inference costs the database: one transaction before the call, and one after it."""

import pytest

from ainfera_server.gateway import Gateway
from tests.conftest import Look
from tests.inference import callers
from tests.promises import proves

TABLES = (
    *("accounts", "audit_events", "audit_log", "audit_log_heads", "chain_heads"),
    *("idempotency_keys", "inferences", "ledger_entries", "receipts", "routing_outcomes"),
    *("spending", "transfers"),
)
WRITTEN_BY = " union ".join(f"table_{one}" for one in TABLES).replace(
    "table_", "select xmin::text as transaction from "
)
"""Every transaction that wrote a row which is there; of a row that changed, the last one."""


@proves("two-durable-writes")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("model", ["ainfera-inference", "gpt-5-5"], ids=["routed", "pinned"])
@pytest.mark.parametrize("key", ["once", None], ids=["with a key", "without"])
async def test_everything_that_an_inference_writes_is_written_by_two_transactions(
    gateway: Gateway, look: Look, model: str, key: str | None, *, streams: bool
) -> None:
    caller = await callers.signed_up(gateway)
    before = {row["transaction"] for row in look(WRITTEN_BY)}

    await caller.answers(gateway, model=model, key=key, stream=streams)
    await gateway.wait_for_running()

    written = {row["transaction"] for row in look(WRITTEN_BY)} - before
    assert len(written) == 2
    assert look("select state from transfers where kind = 'inference'") == [{"state": "posted"}]
    assert len(look("select * from receipts")) == 1
