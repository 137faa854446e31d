"""What is remembered of callers, and for how long."""

from ainfera_server.accounts import short_memory
from ainfera_server.accounts.short_memory import LIFETIME_S, ShortMemory


def memory_of(*keys: str) -> ShortMemory[str, str]:
    memory = ShortMemory[str, str]()
    for key in keys:
        memory.remember(key, key.upper(), asked_at_s=0.0, generation=0)
    return memory


def test_what_was_looked_up_is_remembered_for_five_seconds_from_the_question() -> None:
    memory = memory_of("a")
    assert memory.recall("a", now_s=LIFETIME_S - 0.001) == "A"
    assert memory.recall("a", now_s=LIFETIME_S) is None
    assert memory.recall("b", now_s=0.0) is None


def test_what_is_forgotten_is_gone_and_the_rest_stays() -> None:
    memory = memory_of("a", "b")
    memory.forget(lambda value: value == "A")
    assert memory.recall("a", now_s=0.0) is None
    assert memory.recall("b", now_s=0.0) == "B"


def test_an_answer_that_was_under_way_while_something_was_forgotten_is_not_kept() -> None:
    memory = memory_of()
    asked_in = memory.generation
    memory.forget(lambda _: True)
    memory.remember("a", "A", asked_at_s=0.0, generation=asked_in)
    assert memory.recall("a", now_s=0.0) is None


def test_a_full_memory_drops_what_it_learnt_first() -> None:
    memory = memory_of(*(str(number) for number in range(short_memory.ENTRIES_MAX)))
    memory.remember("0", "again", asked_at_s=0.0, generation=0)
    memory.remember("one more", "new", asked_at_s=0.0, generation=0)
    assert memory.recall("0", now_s=0.0) == "again"
    assert memory.recall("1", now_s=0.0) is None
    assert memory.recall("one more", now_s=0.0) == "new"
