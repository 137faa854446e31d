"""The kinds of inference whose gateways are killed; each is data for the harness."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.asking import Question

MONEY = 1_000_000
"""In micro-dollars; a call of these holds some hundreds."""

Questions = Callable[[str, str], tuple[Question, ...]]
"""From an agent's key and the words that mark the questions of one life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`first_offer_fails` sends a call on to the next offer; `at_once` asks all questions at once.

    `recovers` gives the gateway nothing to answer but a hold to release, which another left behind.
    `is_answered` False is for calls that are refused. `payments` is how many there may be at most.
    """

    name: str
    questions: Questions
    is_answered: bool = True
    money: int = MONEY
    first_offer_fails: bool = False
    recovers: bool = False
    at_once: bool = False
    payments: int = 1


def _once(**asked: object) -> Questions:
    return lambda key, words: (
        Question(api_key=key, words=words, **asked),  # pyright: ignore[reportArgumentType]
    )


def _twice_with_one_key(key: str, words: str) -> tuple[Question, ...]:
    question = Question(api_key=key, words=words, stream=True, idempotency_key=words)
    return (question, question)


def _crowd(key: str, words: str) -> tuple[Question, ...]:
    return tuple(
        Question(api_key=key, words=words, stream=number % 2 == 1) for number in range(CROWD)
    )


CROWD = 4

SCENARIOS = (
    Scenario(name="plain", questions=_once()),
    Scenario(name="streamed", questions=_once(stream=True)),
    Scenario(name="translated", questions=_once(stream=True, path="/v1/messages")),
    Scenario(name="pinned", questions=_once(model="gpt-5-5")),
    Scenario(name="fallback", questions=_once(), first_offer_fails=True),
    Scenario(name="refused by the wallet", questions=_once(), money=1, is_answered=False),
    Scenario(name="refused by the floor", questions=_once(floor="0.999"), is_answered=False),
    Scenario(name="idempotent", questions=_twice_with_one_key),
    Scenario(name="left by its caller", questions=_once(stream=True, leaves_after=4)),
    Scenario(name="recovering", questions=_once(), recovers=True),
    Scenario(name="several at once", questions=_crowd, at_once=True, payments=CROWD),
)
