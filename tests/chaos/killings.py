"""One kill: a gateway lives to its deadly point, another process recovers, the books are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ainfera_server.inference import recover
from tests.chaos import asking, spenders
from tests.chaos.asking import Heard, Question
from tests.chaos.lanes import Lane
from tests.chaos.orders import Life, Order
from tests.chaos.scenarios import Scenario
from tests.chaos.spenders import Spender

ASKED = "before the question"
STATE = """
select
    (select credits_posted - debits_posted from accounts
        where agent_id = $1 and kind = 'wallet') as balance,
    (select debits_pending from accounts where agent_id = $1 and kind = 'wallet') as held,
    (select coalesce(sum(amount_posted), 0)::bigint from transfers
        where agent_id = $1 and kind = 'inference') as cost,
    (select count(*) from transfers
        where agent_id = $1 and kind = 'inference' and state = 'posted') as posted,
    (select count(*) from transfers where agent_id = $1 and state = 'pending') as open,
    (select count(*) from inferences where agent_id = $1) as inferences,
    (select count(*) from inferences where agent_id = $1 and status = 'running') as running,
    (select count(*) from routing_outcomes
        where agent_id = $1 and outcome_status is null) as undecided,
    (select array_agg(receipt_id::text) from receipts where agent_id = $1) as receipts,
    (select array_agg(inference_id::text) from inferences where agent_id = $1) as inference_ids,
    (select count(*) from audit_events
        where agent_id = $1 and event_type = 'inference.expired') as expired,
    (select count(*) from audit_events
        where agent_id = $1 and event_type like 'inference.rejected_%') as refusals
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What became of one life; `point` is where it ended, None when it lived to its end."""

    scenario: str
    deadly: int | None
    point: str | None
    was_unheard: bool
    faults: tuple[str, ...]


async def points_of(lane: Lane, scenario: Scenario) -> tuple[str, ...]:
    """The points of a whole life, by having one that nobody ends."""
    life, _ = await _life(lane, scenario, await _spender(lane, scenario), "dry run", None)
    assert life.signal == life.exit_code == 0, f"{scenario.name}: {life}"
    return _points(life)


async def kill(
    lane: Lane, scenario: Scenario, deadly: int | None, *, loses_commits: bool = False
) -> Killed:
    """End a gateway at a point, have another process recover, and look at everything."""
    spender = await _spender(lane, scenario)
    words = f"{scenario.name} {deadly} {spender.payer.agent_id.hex}"
    life, questions = await _life(
        lane, scenario, spender, words, deadly, loses_commits=loses_commits
    )
    before = await _state(lane, spender)
    await lane.lets_time_pass()
    await recover.expired_holds(lane.gateway)
    await recover.expired_answers(lane.gateway)
    after = await _state(lane, spender)
    heard = _heard(life, len(questions))
    faults = [*_faults(scenario, life, heard, before, after, _asked(lane, words))]
    if scenario.name == "idempotent":
        faults += await _faults_asking_again(lane, spender, questions[0], heard)
    is_dead = life.signal != 0
    return Killed(
        scenario=scenario.name,
        deadly=deadly,
        point=_points(life)[-1] if is_dead else None,
        was_unheard=after["posted"] > 0 and not any(one.is_whole for one in heard),
        faults=tuple(faults),
    )


async def _spender(lane: Lane, scenario: Scenario) -> Spender:
    return await spenders.signed_up(lane.gateway, money=scenario.money)


async def _life(
    lane: Lane,
    scenario: Scenario,
    spender: Spender,
    words: str,
    deadly: int | None,
    *,
    loses_commits: bool = False,
) -> tuple[Life, tuple[Question, ...]]:
    """Have a gateway live, and wait until the database knows that it is gone."""
    questions = scenario.questions(spender.api_key, words)
    if scenario.recovers:
        await _leave_a_hold(lane, questions)
    provider = lane.failing if scenario.first_offer_fails else lane.answering
    life = await lane.forks.lives(
        Order(
            provider_url=provider.root_url,
            questions=() if scenario.recovers else questions,
            at_once=scenario.at_once,
            recovers=scenario.recovers,
            deadly=deadly,
            loses_commits=loses_commits,
        )
    )
    await lane.forgets(note.number for note in life.notes if note.kind == "connected")
    return life, questions


async def _leave_a_hold(lane: Lane, questions: tuple[Question, ...]) -> None:
    """Have a gateway die with money set aside, and let its time pass."""
    dead = await lane.forks.lives(
        Order(provider_url=lane.answering.root_url, questions=questions, deadly=ASKED)
    )
    await lane.forgets(note.number for note in dead.notes if note.kind == "connected")
    await lane.lets_time_pass()


def _points(life: Life) -> tuple[str, ...]:
    return tuple(note.text for note in life.notes if note.kind == "point")


def _heard(life: Life, questions: int) -> list[Heard]:
    """Every byte that the caller got, question by question."""
    heard = [Heard() for _ in range(questions)]
    for note in life.notes:
        one = heard[note.asked] if heard else Heard()
        match note.kind:
            case "begun":
                one.status, one.headers = note.number, note.headers
            case "body":
                one.body += note.body
            case "end":
                one.body += note.body
                one.is_whole = True
            case "point" | "connected" | "recovered":
                pass
    return heard


def _asked(lane: Lane, words: str) -> int:
    """How often providers were asked in this life."""
    marked = words.encode()
    received = (*lane.answering.requests, *lane.failing.requests)
    count = sum(marked in one.body for one in received)
    lane.answering.requests.clear()
    lane.failing.requests.clear()
    return count


async def _state(lane: Lane, spender: Spender) -> dict[str, Any]:
    row = await lane.superuser.fetchrow(STATE, spender.payer.agent_id)
    assert row is not None, "the query returns one row"
    return dict(row)


def _faults(
    scenario: Scenario,
    life: Life,
    heard: Sequence[Heard],
    before: dict[str, Any],
    after: dict[str, Any],
    asked: int,
) -> Iterator[str]:
    """Whatever is not as it must be, after another process has recovered."""
    if life.signal not in {0, 9} or life.exit_code != 0:
        yield f"the gateway ended by itself: signal {life.signal}, exit code {life.exit_code}"
    if after["open"] or after["held"] or after["running"] or after["undecided"]:
        yield f"something is still open after recovery: {after}"
    if after["balance"] != scenario.money - after["cost"]:
        yield f"the wallet is not what was put in less what was posted: {after}"
    if after["posted"] > min(scenario.payments, asked):
        yield f"{asked} questions were asked, and {after['posted']} answers paid for"
    if after["expired"] > scenario.payments:
        yield f"a hold was released {after['expired']} times"
    for one in heard:
        yield from _faults_of_answer(scenario, one, before)
    for note in life.notes:
        if note.kind == "recovered" and before["open"]:
            yield "a gateway said that it had recovered, and a hold was still open"


def _faults_of_answer(scenario: Scenario, heard: Heard, kept: dict[str, Any]) -> Iterator[str]:
    """Whatever a caller was told and the database, as it was at the kill, does not know."""
    if heard.status is None:
        return
    headers = heard.headers or {}
    if not scenario.is_answered:
        if heard.status == 200:
            yield "a call that has to be refused was answered"
        if kept["refusals"] != 1 or kept["posted"]:
            yield f"a refusal that the caller heard of is not recorded: {kept}"
        if heard.is_whole and not any(one.encode() in heard.body for one in kept["receipts"] or ()):
            yield f"a refusal has no receipt that its caller was told of: {heard.body!r}, {kept}"
        return
    if heard.status != 200:
        if heard.status != asking.TOO_BUSY:
            yield f"a good call got {heard.status}: {heard.body!r}"
        return
    if headers["x-ainfera-inference-id"] not in (kept["inference_ids"] or ()):
        yield f"an answer began whose inference is not there: {kept}"
    is_paid = headers["x-ainfera-receipt-id"] in (kept["receipts"] or ())
    if (heard.is_answer or b"ainfera receipt=" in heard.body) and not (is_paid and kept["posted"]):
        yield f"an answer was whole and its payment is not there: {kept}"


async def _faults_asking_again(
    lane: Lane, spender: Spender, question: Question, heard: Sequence[Heard]
) -> list[str]:
    """The same key once more, to another process: the kept answer, or the first that is paid."""
    was_paid = (await _state(lane, spender))["posted"] == 1
    again = await asking.heard_again(lane.gateway, question)
    after = await _state(lane, spender)
    found: list[str] = []
    if again.status != 200 or not again.is_whole or after["posted"] != 1 or after["open"]:
        found.append(f"asked again with its key: {again}, {after}")
    is_replayed = (again.headers or {}).get("idempotent-replayed") == "true"
    if is_replayed != was_paid or was_paid != (_asked(lane, question.words) == 0):
        found.append(f"asked again with its key: paid before {was_paid}, {again.headers}")
    found += [
        f"the answer kept for a key is another: {one.body!r}, {again.body!r}"
        for one in heard
        if was_paid and not again.body.startswith(one.body)
    ]
    return found
