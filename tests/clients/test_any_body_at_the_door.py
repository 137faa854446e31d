"""Whatever somebody posts to the Messages API is answered or refused, and nothing breaks."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.clients.questions import CLAUDE, GPT
from tests.dialects.anthropic_messages import any_body
from tests.promises import proves
from tests.running_server import RunningServer

BODIES = 500
SEED = 7
CALLERS = 16
MODELS = (CLAUDE, GPT, "ainfera-inference", "nobody-knows-it", "nor-this")
COUNTED = 50
"""So many of them are counted too."""


@proves("bad-input-changes-nothing", "errors-speak-the-callers-dialect")
def test_five_hundred_bodies_are_answered_or_refused_in_anthropics_words(
    server: RunningServer,
) -> None:
    headers = {**server.agent.headers, "content-type": "application/json"}
    bodies = tuple(any_body.bodies(BODIES, models=MODELS, seed=SEED))
    with (
        httpx.Client(base_url=server.url, headers=headers, timeout=60) as client,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        posted = [("/v1/messages", body) for body in bodies]
        posted += [("/v1/messages/count_tokens", body) for body in bodies[:COUNTED]]
        answers = list(pool.map(lambda one: client.post(one[0], content=one[1]), posted))
    for answer, (_, body) in zip(answers, posted, strict=True):
        require_anthropics(answer, body)
    seen = {answer.status_code for answer in answers}
    assert {200, 400, 422} <= seen
    assert not {500, 502, 503} & seen


def require_anthropics(answer: httpx.Response, body: bytes) -> None:
    assert answer.status_code < 500, (body, answer.text)
    if answer.status_code >= 400:
        told = answer.json()
        assert told["type"] == "error", (body, told)
        assert told["request_id"] == answer.headers["request-id"]
