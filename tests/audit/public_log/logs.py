"""Public logs for tests: any number of events, and the tree that a stranger would make of them."""

from ainfera_server.audit import signing
from ainfera_server.audit.public_log import log, log_store, merkle, notes, sequencer
from ainfera_server.audit.public_log.log_store import Stored
from ainfera_server.audit.public_log.tiles import ENTRIES, Tile
from ainfera_server.audit.signing import Signer
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools

ORIGIN = "ainfera.example/log"
SIGNER = signing.signer(b"l" * 32)
VERIFIER_KEY = notes.log_key(ORIGIN, SIGNER).text

ADD_EVENTS = """
with taken as (
    update audit_log_heads set height = height + $1 where log = 0 returning height - $1 as height
)
insert into audit_log (
    log, height, cell, agent_id, seq, event_type, event_hash, previous_hash, created_at
)
select
    0, taken.height + number, 0, gen_random_uuid(), number, 'agent.registered',
    encode(sha256(((taken.height + number)::text)::bytea), 'hex'), null, now()
from taken, generate_series(1, $1::bigint) number
"""
EVERY_EVENT = "select agent_id, seq, event_hash from audit_log order by height"
EVERY_CHECKPOINT = "select size, note from log_checkpoints order by size"


async def add_events(pools: Pools, count: int) -> None:
    """Have some more events in the log, as a batch of the journal would."""
    async with pools_module.transaction(pools.writer) as connection:
        await connection.execute(ADD_EVENTS, count)


async def publish(
    pools: Pools, *, origin: str = ORIGIN, signer: Signer = SIGNER, entries_max: int = 4096
) -> Stored | None:
    """Bring the tree up to date, as the job of a process does."""
    return await sequencer.publish(
        pools.writer, origin=origin, signer=signer, entries_max=entries_max
    )


async def entries(pools: Pools) -> list[bytes]:
    """What the log should hold, made of the events anew."""
    async with tenancy.public_transaction(pools.app) as connection:
        rows = await connection.fetch(EVERY_EVENT)
    return [log.entry(AgentId(row["agent_id"]), row["seq"], row["event_hash"]) for row in rows]


async def checkpoints(pools: Pools) -> list[Stored]:
    """Everything that was ever signed."""
    async with tenancy.public_transaction(pools.app) as connection:
        rows = await connection.fetch(EVERY_CHECKPOINT)
    return [Stored(size=row["size"], note=row["note"]) for row in rows]


async def contents(pools: Pools, size: int) -> dict[Tile, bytes]:
    """Every tile and every bundle of a log of a size."""
    wanted = [Tile(level=ENTRIES, index=index) for index in range(-(-size // 256))]
    for level in range(8):
        hashes = size >> (8 * level)
        wanted += [Tile(level=level, index=index) for index in range(-(-hashes // 256))]
    async with tenancy.public_transaction(pools.app) as connection:
        return dict(await log_store.contents(connection, wanted))


def root(found: list[bytes]) -> bytes:
    """The root over entries."""
    return merkle.root([merkle.leaf_hash(one) for one in found])
