"""Whatever somebody sends is understood, or refused as the sender's mistake."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest

from ainfera_server.catalog import token_counts
from ainfera_server.conversation import Request
from ainfera_server.dialects.anthropic_messages import client, counting, server
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.openai_responses import client as ask_responses
from ainfera_server.dialects.sides import Quirks
from ainfera_server.errors import RequestError
from tests.dialects.anthropic_messages import any_body
from tests.promises import proves

Done = TypeVar("Done")

BODIES = 20_000
SEED = 4


@proves("bad-input-changes-nothing")
def test_twenty_thousand_bodies_are_understood_or_refused_with_a_sentence() -> None:
    understood = 0
    for body in any_body.bodies(BODIES, models=("m",), seed=SEED):
        request = told_or_done(lambda body=body: server.decode_request(body))
        if request is not None:
            understood += 1
            require_use(request)
    assert BODIES // 4 < understood < BODIES, "both ways are taken"


def require_use(request: Request) -> None:
    """Counted, sent on as it is and in other words: that goes well or says what does not."""
    assert token_counts.careful_input_tokens(request) >= 0
    assert token_counts.most_input_tokens(request) >= token_counts.estimated_input_tokens(request)
    for write in (client.adapt_request, ask_openai.encode_request, ask_responses.encode_request):
        written = told_or_done(
            lambda write=write: write(request, model="m", max_tokens=9, quirks=Quirks())
        )
        assert written is None or msgspec.json.decode(written)
    told_or_done(lambda: counting.adapt_request(request, model="m"))


def told_or_done(work: Callable[[], Done]) -> Done | None:
    """What comes of it; None when it is refused, in a sentence and as the sender's mistake."""
    try:
        return work()
    except RequestError as problem:
        sentence = problem.sentence
    assert sentence.endswith("."), sentence
    return None


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_gives_the_same_bodies(seed: int) -> None:
    drawn = [tuple(any_body.bodies(50, models=("m",), seed=seed)) for _ in range(2)]
    assert drawn[0] == drawn[1]
