"""Witnesses see every checkpoint in its turn, and what they sign is kept only when it is theirs."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ainfera_server.audit.public_log import log_store, notes, witnesses
from ainfera_server.audit.public_log.log_store import Stored
from ainfera_server.audit.public_log.notes import COSIGNATURE, NotACheckpoint, SignedCheckpoint
from ainfera_server.audit.public_log.witnesses import NoSuchCheckpoint, Witness
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from ainfera_server.providers import transport
from ainfera_server.providers.transport import Transport
from tests.audit.public_log import cosigning, logs
from tests.audit.public_log.cosigning import FollowingWitness, Signing
from tests.promises import proves

WITNESS = Signing(name="witness.example/w1", seed=b"w" * 32)
OTHER = Signing(name="witness.example/w2", seed=b"o" * 32)
KEYS = (logs.VERIFIER_KEY, WITNESS.verifier_key, OTHER.verifier_key)
USELESS_ANSWERS = (
    (403, b""),
    (404, b""),
    (409, b"words\n"),
    (409, b"007\n"),
    (409, b"99999\n"),
    (422, b""),
    (500, b"broken"),
    (302, b""),
    (200, b""),
    (200, b"\xff"),
    (200, b"\xe2\x80\x94 witness.example/w1 AAAAAAAA\n"),
    (200, OTHER.cosignature("ainfera.example/log\n3\n", time_s=1).line.encode()),
    (200, WITNESS.cosignature("another/log\n3\nAA==\n", time_s=1).line.encode()),
    (200, b"x" * 200_000),
)
AT_ONCE_S = 0.0
AN_HOUR_S = 3600.0


@pytest_asyncio.fixture
async def caller() -> AsyncIterator[Transport]:
    """What calls go through."""
    async with transport.opened() as opened:
        yield opened


def following() -> FollowingWitness:
    return FollowingWitness(log_key=logs.VERIFIER_KEY, signing=WITNESS)


async def grown(pools: Pools, count: int) -> Stored:
    await logs.add_events(pools, count)
    signed = await logs.publish(pools)
    assert signed is not None
    return signed


async def served(pools: Pools, size: int) -> SignedCheckpoint:
    """The checkpoint of a size, as everybody gets it."""
    async with tenancy.public_transaction(pools.app) as connection:
        stored = await log_store.checkpoint(connection, size)
        assert stored is not None
        note = await log_store.cosigned_note(connection, stored)
    return notes.read_checkpoint(note, verifier_keys=KEYS)


async def cosigned_by(pools: Pools, size: int) -> list[str]:
    return [one.witness for one in (await served(pools, size)).cosignatures]


@proves("witnesses-are-heard")
async def test_a_witness_follows_from_nothing_and_then_from_what_it_saw(
    pools: Pools, caller: Transport
) -> None:
    witness = following()
    with cosigning.serving(witness) as configured:
        for count in (1, 300, 7):
            signed = await grown(pools, count)
            await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
            (cosignature,) = (await served(pools, signed.size)).cosignatures
            assert (cosignature.witness, cosignature.time_s) == (WITNESS.name, cosigning.NOW_S)
    assert [one.split(b"\n")[0] for one in witness.asked] == [b"old 0", b"old 1", b"old 301"]
    async with tenancy.public_transaction(pools.app) as connection:
        newest = await log_store.newest_cosigned_checkpoint(connection)
    assert newest is not None
    assert newest.size == 308


async def test_a_witness_is_asked_once_about_a_checkpoint_and_not_too_often(
    pools: Pools, caller: Transport
) -> None:
    witness = following()
    with cosigning.serving(witness) as configured:
        await witnesses.ask(pools.writer, caller, configured, every_s=AN_HOUR_S)
        assert witness.asked == []
        await grown(pools, 3)
        for every_s in (AN_HOUR_S, AT_ONCE_S):
            await witnesses.ask(pools.writer, caller, configured, every_s=every_s)
        await grown(pools, 3)
        await witnesses.ask(pools.writer, caller, configured, every_s=AN_HOUR_S)
    assert len(witness.asked) == 1


async def test_a_witness_that_forgot_is_told_again_from_where_it_is(
    pools: Pools, caller: Transport
) -> None:
    witness = following()
    with cosigning.serving(witness) as configured:
        await grown(pools, 3)
        await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
        early = witness.seen
        await grown(pools, 4)
        await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
        witness.seen = early
        signed = await grown(pools, 5)
        await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
    asked = [one.split(b"\n")[0] for one in witness.asked]
    assert asked == [b"old 0", b"old 3", b"old 7", b"old 3"]
    assert await cosigned_by(pools, signed.size) == [WITNESS.name]


async def test_an_answer_that_was_lost_is_asked_for_again(pools: Pools, caller: Transport) -> None:
    witness = following()
    signed = await grown(pools, 3)
    with cosigning.serving(witness) as configured:
        witness.seen = notes.read_checkpoint(
            signed.note.encode(), verifier_keys=(logs.VERIFIER_KEY,)
        ).checkpoint
        await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
    assert [one.split(b"\n")[0] for one in witness.asked] == [b"old 0", b"old 3"]
    assert await cosigned_by(pools, 3) == [WITNESS.name]


async def test_whatever_else_a_witness_answers_is_logged_and_nothing_is_kept(
    pools: Pools, caller: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    witness = following()
    signed = await grown(pools, 3)
    with cosigning.serving(witness) as configured:
        for answer in USELESS_ANSWERS:
            witness.answers = [answer]
            caplog.clear()
            await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
            assert witness.answers == []
            assert await cosigned_by(pools, signed.size) == []
            assert [one.getMessage() for one in caplog.records] == ["witness_did_not_cosign"]
        assert len(witness.asked) == len(USELESS_ANSWERS)
        await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
    assert await cosigned_by(pools, signed.size) == [WITNESS.name]


async def test_a_witness_that_cannot_be_reached_holds_nothing_up(
    pools: Pools, caller: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    with cosigning.serving(following()) as configured:
        pass
    await grown(pools, 3)
    await witnesses.ask(pools.writer, caller, configured, every_s=AT_ONCE_S)
    (record,) = caplog.records
    assert "cannot be reached" in vars(record)["reason"]


async def accepted(pools: Pools, note: bytes, *signers: Signing) -> list[str]:
    known = [Witness(key=one.key, url="http://127.0.0.1/unused") for one in signers]
    async with pools_module.transaction(pools.writer) as connection:
        kept = await witnesses.accept(connection, note, known)
    return [one.witness for one in kept]


def with_lines(signed: Stored, *signers: Signing) -> bytes:
    text = notes.read_note(signed.note.encode()).text
    lines = [one.cosignature(text, time_s=cosigning.NOW_S).line for one in signers]
    return (signed.note + "".join(lines)).encode()


@proves("witnesses-are-heard")
async def test_a_cosignature_that_is_brought_is_kept_for_a_witness_that_is_known(
    pools: Pools,
) -> None:
    first = await grown(pools, 3)
    await grown(pools, 3)
    note = with_lines(first, WITNESS, OTHER)
    assert await accepted(pools, note, WITNESS) == [WITNESS.name]
    assert await cosigned_by(pools, 3) == [WITNESS.name]
    assert await accepted(pools, note, WITNESS, OTHER) == [WITNESS.name, OTHER.name]
    assert await cosigned_by(pools, 3) == sorted(await cosigned_by(pools, 3))
    assert set(await cosigned_by(pools, 3)) == {WITNESS.name, OTHER.name}
    assert await cosigned_by(pools, 6) == []


@proves("witnesses-are-heard")
async def test_a_strangers_or_a_wrong_cosignature_is_refused(pools: Pools) -> None:
    first = await grown(pools, 3)
    for note in (
        first.note.encode(),
        with_lines(first, OTHER),
        with_lines(first, WITNESS)[:-5],
        with_lines(first, WITNESS).replace(b"\n3\n", b"\n 3\n"),
        first.note.encode() + WITNESS.cosignature("other\n", time_s=1).line.encode(),
        b"",
    ):
        with pytest.raises(NotACheckpoint):
            await accepted(pools, note, WITNESS)
    assert await cosigned_by(pools, 3) == []


async def test_a_checkpoint_that_we_did_not_sign_is_refused(pools: Pools) -> None:
    first = await grown(pools, 3)
    checkpoint = notes.read_text(notes.read_note(first.note.encode()).text)
    for text in (
        checkpoint.text.replace("\n3\n", "\n4\n"),
        checkpoint.text.replace("ainfera", "another"),
    ):
        line = WITNESS.cosignature(text, time_s=1)
        note = notes.Note(text=text, signatures=(line,)).octets
        with pytest.raises(NoSuchCheckpoint):
            await accepted(pools, note, WITNESS)


def test_witnesses_are_read_from_settings_with_their_keys() -> None:
    (witness,) = witnesses.configured([(WITNESS.verifier_key, "https://witness.example/")])
    assert witness.key.kind == COSIGNATURE
    assert witness.key.text == WITNESS.verifier_key
