"""The tree follows the log, whoever dies while it does, and never takes back what was signed."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest

from ainfera_server.audit import signing
from ainfera_server.audit.public_log import log, log_store, merkle, notes, sequencer, tiles
from ainfera_server.audit.public_log.log_store import LogIsBroken
from ainfera_server.audit.public_log.notes import Checkpoint
from ainfera_server.audit.public_log.tiles import ENTRIES
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection, Pools, Row
from tests.audit.public_log import logs
from tests.promises import proves

STEPS_MAX = 30
SIZES = (1, 2, 253, 1, 256, 700, 3, 512, 60, 17, 899, 255)


def read(note: str) -> Checkpoint:
    return notes.read_checkpoint(note.encode(), verifier_keys=(logs.VERIFIER_KEY,)).checkpoint


async def test_the_tree_is_that_of_the_log_and_its_root_is_signed(pools: Pools) -> None:
    await logs.add_events(pools, 700)
    signed = await logs.publish(pools)
    assert signed is not None
    entries = await logs.entries(pools)
    assert read(signed.note) == Checkpoint(origin=logs.ORIGIN, size=700, root=logs.root(entries))
    contents = await logs.contents(pools, 700)
    bundles = [data for tile, data in contents.items() if tile.level == ENTRIES]
    assert [one for data in bundles for one in tiles.split_entries(data)] == entries
    leaves = [data for tile, data in contents.items() if tile.level == 0]
    assert b"".join(leaves) == b"".join(merkle.leaf_hash(one) for one in entries)


async def test_without_anything_new_nothing_is_signed(pools: Pools) -> None:
    assert await logs.publish(pools) is None
    await logs.add_events(pools, 3)
    assert await logs.publish(pools) is not None
    assert await logs.publish(pools) is None
    assert [one.size for one in await logs.checkpoints(pools)] == [3]


async def test_many_events_are_taken_in_turns_until_none_waits(pools: Pools) -> None:
    await logs.add_events(pools, 1_000)
    signed = await logs.publish(pools, entries_max=300)
    assert signed is not None
    assert [one.size for one in await logs.checkpoints(pools)] == [300, 600, 900, 1_000]


@proves("log-is-rebuilt")
async def test_what_is_made_again_from_the_log_is_the_same_to_the_byte(
    pools: Pools, administer_here: Callable[[str], None]
) -> None:
    for count, entries_max in zip(SIZES, reversed(SIZES), strict=True):
        await logs.add_events(pools, count)
        await logs.publish(pools, entries_max=entries_max + 100)
    made = (await logs.checkpoints(pools))[-1]
    contents = await logs.contents(pools, made.size)
    administer_here("truncate log_pieces, log_checkpoints, log_cosignatures")
    again = await logs.publish(pools)
    assert again == made
    assert await logs.contents(pools, made.size) == contents


@proves("log-only-grows")
async def test_processes_that_do_it_at_once_make_one_log(pools: Pools) -> None:
    is_over = asyncio.Event()

    async def process() -> None:
        while not is_over.is_set():
            await logs.publish(pools, entries_max=40)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(process())
        for count in SIZES:
            await logs.add_events(pools, count % 61)
        is_over.set()
    await logs.publish(pools)
    entries = await logs.entries(pools)
    signed = await logs.checkpoints(pools)
    assert signed[-1].size == len(entries)
    for one in signed:
        assert read(one.note).root == logs.root(entries[: one.size])


async def test_whoever_finds_another_at_work_leaves_it_alone(pools: Pools) -> None:
    await logs.add_events(pools, 3)
    async with pools_module.transaction(pools.writer) as connection:
        assert await log_store.locked_tree(connection) is not None
        assert await logs.publish(pools) is None


async def test_a_process_that_dies_between_any_two_steps_leaves_no_trace(pools: Pools) -> None:
    await logs.add_events(pools, 300)
    await logs.publish(pools)
    before = await logs.contents(pools, 300)
    await logs.add_events(pools, 300)
    steps = 0
    while await dies_after(pools, steps):
        assert [one.size for one in await logs.checkpoints(pools)] == [300]
        assert await logs.contents(pools, 300) == before
        steps += 1
        assert steps < STEPS_MAX
    assert steps > 5
    entries = await logs.entries(pools)
    assert read((await logs.checkpoints(pools))[-1].note).root == logs.root(entries)


class Killed(Exception):
    """The process died."""


class Mortal:
    """A connection whose process dies after some steps, and takes it along."""

    def __init__(self, connection: Connection, steps: int) -> None:
        self._connection = connection
        self._steps = steps

    async def execute(self, query: str, /, *args: object) -> str:
        self.step()
        return await self._connection.execute(query, *args)

    async def executemany(self, command: str, args: Iterable[Sequence[object]], /) -> None:
        self.step()
        await self._connection.executemany(command, args)

    async def fetch(self, query: str, /, *args: object) -> list[Row]:
        self.step()
        return await self._connection.fetch(query, *args)

    async def fetchrow(self, query: str, /, *args: object) -> Row | None:
        self.step()
        return await self._connection.fetchrow(query, *args)

    async def fetchval(self, query: str, /, *args: object) -> Any:
        self.step()
        return await self._connection.fetchval(query, *args)

    def transaction(self) -> AbstractAsyncContextManager[object]:
        return self._connection.transaction()

    def is_closed(self) -> bool:
        return self._connection.is_closed()

    def terminate(self) -> None:
        self._connection.terminate()

    def step(self) -> None:
        if self._steps == 0:
            raise Killed
        self._steps -= 1


async def dies_after(pools: Pools, steps: int) -> bool:
    """Take a turn in a process that dies after some steps, if it takes as many with the commit."""
    try:
        async with pools_module.transaction(pools.writer) as connection:
            mortal = Mortal(connection, steps)
            await sequencer.turn(mortal, origin=logs.ORIGIN, signer=logs.SIGNER)
            mortal.step()
    except Killed:
        return True
    return False


async def require_broken(pools: Pools, words: str, **named: Any) -> None:
    """The log is not continued, and what was signed before is still there."""
    before = await logs.checkpoints(pools)
    with pytest.raises(LogIsBroken, match=words):
        await logs.publish(pools, **named)
    assert await logs.checkpoints(pools) == before


@proves("log-only-grows")
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("update audit_log_heads set height = 50", "90 entries were signed, and the log has 50"),
        ("delete from audit_log where height = 95", "entry 95 of the log is missing"),
        ("update log_pieces set data = sha256(data) || substr(data, 33)", "not the tree of 90"),
        (
            "delete from log_pieces where level = 0 and start = 0",
            "a piece of the tile '0/000.p/90' is missing",
        ),
        ("delete from log_pieces where level = 0 and start = 45", "'0/000.p/90' is shorter"),
        ("update log_checkpoints set note = replace(note, E'\\n90\\n', E'\\n9\\n')", "not ours"),
        ("update log_checkpoints set size = 91 where size = 90", "another's"),
    ],
)
async def test_a_log_that_somebody_changed_is_not_signed_any_more(
    pools: Pools, administer_here: Callable[[str], None], harm: str, words: str
) -> None:
    await logs.add_events(pools, 45)
    await logs.publish(pools)
    await logs.add_events(pools, 45)
    await logs.publish(pools)
    await logs.add_events(pools, 9)
    administer_here(f"set session_replication_role = replica; {harm}")
    await require_broken(pools, words)


async def test_a_server_with_another_secret_does_not_sign_for_the_log(pools: Pools) -> None:
    await logs.add_events(pools, 1)
    await logs.publish(pools)
    await logs.add_events(pools, 1)
    await require_broken(pools, "start it with the secret", signer=signing.signer(b"x" * 32))


async def test_a_log_keeps_its_name_when_the_server_moves(pools: Pools) -> None:
    await logs.add_events(pools, 1)
    await logs.publish(pools)
    await logs.add_events(pools, 1)
    signed = await logs.publish(pools, origin="elsewhere.example/log")
    assert signed is not None
    assert read(signed.note).origin == logs.ORIGIN


@pytest.mark.parametrize(
    "change",
    [
        "update log_trees set origin = 'other.example/log'",
        "update log_trees set origin = null, verifier_key = null",
    ],
)
async def test_the_database_itself_keeps_the_name_of_a_log(pools: Pools, change: str) -> None:
    await logs.add_events(pools, 1)
    await logs.publish(pools)
    with pytest.raises(asyncpg.RaiseError, match="keeps its name"):
        async with pools_module.transaction(pools.writer) as connection:
            await connection.execute(change)


async def test_nobody_may_change_what_was_published(pools: Pools) -> None:
    changes = ("delete from {}", "update {} set log = 1", "truncate {}")
    tables = ("log_pieces", "log_checkpoints", "log_cosignatures")
    for pool, table, change in itertools.product((pools.app, pools.writer), tables, changes):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with pools_module.transaction(pool) as connection:
                await connection.execute(change.format(table))


async def test_proofs_from_tiles_hold_for_every_kind_of_place(pools: Pools) -> None:
    size = 0
    for count in (1, 1, 253, 1, 1, 743):
        await logs.add_events(pools, count)
        await logs.publish(pools, entries_max=300)
        size += count
        await require_proofs(pools, {1, size // 2 + 1, size, size + 1}, size=size)


async def require_proofs(pools: Pools, heights: set[int], *, size: int) -> None:
    """The events of these heights are proved, but for those that are not covered yet."""
    entries = await logs.entries(pools)
    async with tenancy.public_transaction(pools.app) as connection:
        proofs = await log_store.proofs(connection, heights)
    assert set(proofs) == heights
    for height, proof in proofs.items():
        assert (proof is None) == (height > size)
        if proof is not None:
            assert (proof.log_index, proof.tree_size) == (height - 1, size)
            log.check_inclusion(proof, entries[height - 1], verifier_keys=(logs.VERIFIER_KEY,))


@proves("log-only-grows")
async def test_any_two_sizes_are_proved_to_be_one_log(pools: Pools) -> None:
    await logs.add_events(pools, 600)
    await logs.publish(pools, entries_max=77)
    hashes = [merkle.leaf_hash(one) for one in await logs.entries(pools)]
    async with tenancy.public_transaction(pools.app) as connection:
        for old_size, new_size in itertools.combinations((1, 2, 76, 77, 256, 257, 512, 600), 2):
            proof = await log_store.consistency_proof(
                connection, old_size=old_size, new_size=new_size
            )
            assert proof == merkle.consistency_proof(hashes[:new_size], old_size=old_size)


async def test_before_the_first_checkpoint_there_is_no_proof(pools: Pools) -> None:
    await logs.add_events(pools, 1)
    async with tenancy.public_transaction(pools.app) as connection:
        assert await log_store.proofs(connection, (1,)) == {1: None}
        assert await log_store.identity(connection) is None
