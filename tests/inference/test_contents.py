"""Words are in the database for whoever wants it, sealed, for their time, and then nowhere."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest

from ainfera_server.audit import receipts
from ainfera_server.contents import keeping
from ainfera_server.contents import store as contents_store
from ainfera_server.contents.keeping import ContentPlace, KeyPlace, Retention
from ainfera_server.errors import AllRoutedModelsFailed
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import InferenceId
from ainfera_server.inference import contents, recover
from ainfera_server.inference.call import StreamedAnswer
from tests.conftest import Look
from tests.inference import books_of, callers, word_keepers
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

ASKED = "canary-in-the-prompt"
TOLD = "canary-in-the-answer"
MESSAGES: Any = [{"role": "user", "content": f"Say {ASKED}."}]
TIME_IS_OVER = (
    "update contents set expires_at = now() - interval '1 second';"
    "update idempotency_keys set expires_at = now() - interval '1 second'"
)
WORDS_IN = "select 1 from TABLE t where t::text ~ 'WORDS' limit 1"
WORDS = "insert into price_books (version, body) values ('version', 'WORDS')"
EARLY_IS_OVER = (
    "update contents set expires_at = now() - interval '1 second' from agents"
    " where agents.agent_id = contents.agent_id and handle = 'early'"
)
EVERY_TABLE = (
    "select relname as name from pg_class where relkind in ('r', 'p')"
    " and relnamespace = 'public'::regnamespace"
)


def spellings(word: str) -> list[str]:
    """A word as a column of text, of bytes or of base64 would show it, wherever it begins."""
    octets = word.encode()
    return [
        word,
        octets.hex(),
        *(base64.b64encode(b"." * skipped + octets)[4:-4].decode() for skipped in range(3)),
    ]


def tables_with(look: Look, *words: str) -> list[str]:
    """The tables in which one of the words is to be read, in any column."""
    wanted = "|".join(spelling for word in words for spelling in spellings(word))
    return [
        table["name"]
        for table in look(EVERY_TABLE)
        if look(WORDS_IN.replace("TABLE", table["name"]).replace("WORDS", wanted))
    ]


def test_a_word_would_be_found_in_every_spelling(
    look: Look, administer_here: Callable[[str], None]
) -> None:
    """The search below finds something when there is something."""
    shown = [base64.b64encode(b"{" * n + ASKED.encode() + b"}" * 4).decode() for n in range(3)]
    for words in (ASKED, ASKED.encode().hex(), *shown):
        administer_here(WORDS.replace("WORDS", f"before {words} after"))
        assert tables_with(look, TOLD, ASKED) == ["price_books"]
        administer_here("delete from price_books")
    assert tables_with(look, TOLD, ASKED) == []


@proves("nothing-is-kept-unasked")
@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "not kept"])
async def test_no_word_is_ever_to_be_read_in_the_database_and_after_its_time_nothing_is_left(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
    *,
    is_kept: bool,
) -> None:
    caller = await (word_keepers.keeping_caller if is_kept else callers.signed_up)(gateway)
    scripted_provider.answers(TOLD)
    for path in callers.PATHS:
        await caller.asks(gateway, path=path, messages=MESSAGES, key="once")
        await caller.asks(gateway, path=path, messages=MESSAGES)
    for path in callers.PATHS[1:]:
        stream = await caller.listens(gateway, path=path, messages=MESSAGES, key="streamed")
        assert TOLD.encode() in await callers.read_to_its_end(stream)
    scripted_provider.fails(status=500, message=f"{TOLD} {ASKED}")
    with pytest.raises(AllRoutedModelsFailed):
        await caller.asks(gateway, messages=MESSAGES)

    assert tables_with(look, ASKED, TOLD) == []
    assert len(look("select * from contents")) == (8 if is_kept else 0)
    assert len(look("select * from idempotency_keys where state = 'answered'")) == 5

    administer_here(TIME_IS_OVER)
    await contents.expired(gateway)
    await recover.expired_answers(gateway)

    assert look("select * from contents union all select * from contents") == []
    assert look("select * from idempotency_keys") == []
    assert tables_with(look, ASKED, TOLD) == []
    assert books_of.violations(look) == []
    assert await books_of.chain_problems(gateway, caller.payer.agent_id) == []


@proves("kept-words-match-the-receipt")
@pytest.mark.parametrize("key", ["once", None], ids=["with a key", "without"])
@pytest.mark.parametrize("how", ["it broke", "its caller left"])
async def test_of_a_stream_that_broke_off_what_was_sent_is_kept_and_matches_its_hash(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, how: str, key: str | None
) -> None:
    caller = await word_keepers.keeping_caller(gateway)
    if how == "it broke":
        scripted_provider.breaks_mid_stream(after_chunks=4)
        answer = await caller.listens(gateway, messages=MESSAGES, key=key)
        heard = await callers.read_to_its_end(answer)
    else:
        scripted_provider.stalls_mid_stream(after_chunks=4)
        answer = await caller.listens(gateway, messages=MESSAGES, key=key)
        heard = await first_words(answer)
        await answer.close()

    kept = await word_keepers.kept_of(gateway, caller, look)

    assert kept.answer == heard
    assert kept.salt.hex() == answer.headers["x-ainfera-content-salt"]
    (receipt,) = look(
        "select body::json ->> 'response_hash' as told, body::json ->> 'prompt_hash' as asked"
        " from receipts"
    )
    assert receipts.content_hash(kept.salt, kept.answer) == receipt["told"]
    assert receipts.content_hash(kept.salt, kept.request) == receipt["asked"]


async def test_a_call_that_was_answered_by_nobody_leaves_no_words(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await word_keepers.keeping_caller(gateway)
    scripted_provider.fails(status=500)
    with pytest.raises(AllRoutedModelsFailed):
        await caller.asks(gateway, messages=MESSAGES)
    assert look("select * from contents") == []


@proves("no-free-or-double-charge")
@pytest.mark.parametrize("what", ["key", "choice"])
async def test_an_answer_on_its_way_while_its_tenant_deletes_everything_is_paid_and_not_kept(
    gateway: Gateway, other_gateway: Gateway, look: Look, what: str
) -> None:
    """Another process may believe for some seconds that the words are still wanted."""
    believed = await word_keepers.keeping_caller(gateway)
    if what == "key":
        await word_keepers.forget_everything(other_gateway, believed)
    else:
        await word_keepers.choose(other_gateway, believed, Retention(store_content=False))

    await believed.asks(gateway, messages=MESSAGES)

    assert look("select * from contents") == []
    assert books_of.counts(look)["paid"] == 1
    assert books_of.violations(look) == []
    if what == "key":
        await (await word_keepers.looked_up(gateway, believed)).asks(gateway, messages=MESSAGES)
        assert len(look("select * from contents")) == 1


@proves("no-free-or-double-charge")
async def test_what_is_too_much_at_once_is_left_out_and_every_answer_is_paid(
    gateway: Gateway, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents_store, "BATCH_BYTES_MAX", 1)
    caller = await word_keepers.keeping_caller(gateway)
    await asyncio.gather(*(caller.asks(gateway, messages=MESSAGES) for _ in range(4)))

    kept = look("select left_out, sealed_request from contents")
    assert kept == [{"left_out": "too_much_at_once", "sealed_request": None}] * 4
    assert books_of.counts(look)["paid"] == 4
    assert books_of.violations(look) == []


async def test_many_processes_delete_what_has_outlived_its_time_and_nothing_else(
    gateway: Gateway,
    other_gateway: Gateway,
    look: Look,
    administer_here: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contents_store, "STEP_ROWS", 3)
    early, late, gone = [
        await word_keepers.keeping_caller(gateway, handle=name)
        for name in ("early", "late", "gone")
    ]
    for caller in (early, late, gone):
        await asyncio.gather(*(caller.asks(gateway, messages=MESSAGES) for _ in range(10)))
    administer_here(EARLY_IS_OVER)
    await word_keepers.forget_everything(gateway, gone)

    await asyncio.gather(*map(contents.expired, [gateway, other_gateway] * 4))

    left = look("select tenant_id, count(*) as n from contents group by tenant_id")
    assert left == [{"tenant_id": late.payer.tenant_id, "n": 10}]


async def test_a_deleted_key_leaves_no_trace_once_its_contents_are_gone(
    gateway: Gateway, look: Look, administer_here: Callable[[str], None]
) -> None:
    caller = await word_keepers.keeping_caller(gateway)
    await caller.asks(gateway, messages=MESSAGES)
    await word_keepers.forget_everything(gateway, caller)
    await contents.expired(gateway)
    assert len(look("select * from content_keys where deleted_at is not null")) == 1

    administer_here("update content_keys set deleted_at = deleted_at - interval '61 minutes'")
    await contents.expired(gateway)

    assert len(look("select * from content_keys where deleted_at is not null")) == 0
    assert len(look("select * from content_keys")) == 1


@proves("deleted-content-cannot-be-read")
async def test_a_copy_of_the_contents_opens_with_nothing_that_is_left_after_the_key_is_gone(
    gateway: Gateway, look: Look
) -> None:
    caller = await word_keepers.keeping_caller(gateway)
    await caller.asks(gateway, messages=MESSAGES)
    (copied,) = look("select inference_id, key_id, sealed_request from contents")
    await word_keepers.forget_everything(gateway, caller)

    place = ContentPlace(
        tenant_id=caller.payer.tenant_id, inference_id=InferenceId(copied["inference_id"])
    )
    left = look("select key_id, sealed_key from content_keys where sealed_key is not null")
    assert copied["key_id"] not in {row["key_id"] for row in left}
    for row in left:
        key = keeping.opened_key(
            row["sealed_key"],
            server_key=gateway.keyring.sealing_key,
            place=KeyPlace(tenant_id=caller.payer.tenant_id, key_id=row["key_id"]),
        )
        sealed = keeping.SealedContent(request=copied["sealed_request"], answer=b"", salt=b"")
        with pytest.raises(ValueError, match="not sealed"):
            keeping.unseal(sealed, key=key, place=place)


async def first_words(answer: StreamedAnswer) -> bytes:
    heard = b""
    async for chunk in answer.chunks:
        heard += chunk
        if b" scripted" in heard:
            break
    return heard
