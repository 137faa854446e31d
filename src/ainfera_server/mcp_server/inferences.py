"""The tool that asks a model: the same inference as through the native API, billed the same way."""

import asyncio
from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue

from ainfera_server.conversation import Request
from ainfera_server.dialects.native import server as native
from ainfera_server.errors import Invalid
from ainfera_server.gateway import Gateway
from ainfera_server.inference import run
from ainfera_server.inference.call import Answer, Call, WholeAnswer
from ainfera_server.mcp_server.agents import AGENT_ID
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.mcp_server.tool import Arguments, Result
from ainfera_server.routing import task_type
from ainfera_server.routing.task_type import ResolvedTaskType, UnknownTaskType

ROUTED = "ainfera-inference"


class Question(Arguments):
    """What to ask, and of whom."""

    messages: list[dict[str, JsonValue]] = Field(
        min_length=1,
        description="The conversation, each message with `role` and `content`.",
    )
    model: str = Field(
        default=ROUTED,
        description=f"{ROUTED} lets Ainfera choose the cheapest model that is good enough; any"
        " other name asks that very model.",
    )
    max_tokens: int | None = Field(
        default=None, description="The longest answer to pay for; it bounds what is held."
    )
    temperature: float | None = None
    task_type: str | None = Field(
        default=None, description="The kind of work, such as code, chat or extraction."
    )
    routing_hint: dict[str, JsonValue] | None = Field(
        default=None, description="Limits for the choice, such as `min_quality` or `budget`."
    )
    agent_id: Annotated[UUID | None, AGENT_ID] = None


class AnswerGiven(Result):
    """An answer, who gave it and what it cost."""

    inference_id: str
    receipt_id: str | None
    agent_id: str
    content: str
    content_blocks: list[dict[str, JsonValue]] | None
    model_used: str
    provider: str
    finish_reason: str
    finish_reason_native: str | None
    input_tokens: int
    output_tokens: int
    cost_usd: str | None


async def infer(ask: Asking, asked: Question) -> AnswerGiven:
    """Ask a model. Raises whatever an inference raises; then nothing was spent."""
    gateway = ask.gateway
    received_at_s = gateway.monotonic()
    request = native.decode_request(asked.model_dump_json(exclude_none=True).encode())
    payer = await gateway.callers.payer(ask.caller, request.wishes.agent_id)
    call = Call(
        payer=payer,
        request=request,
        speaks=native,
        task_type=_task_type(request),
        request_id=ask.request_id,
        audit_url=f"{gateway.public_url}/v1/audit/{payer.agent_id}",
        created_at=gateway.now(),
        received_at_s=received_at_s,
    )
    answer = await _answered(gateway, call)
    assert isinstance(answer, WholeAnswer), "a tool never asks for a stream"
    return AnswerGiven.model_validate_json(answer.body)


async def _answered(gateway: Gateway, call: Call) -> Answer:
    """Run the inference in a task of its own.

    When the client leaves, the SDK cancels again and again until nothing awaits any more. The
    inference is cancelled once and may then give its hold back in peace.
    """
    running = asyncio.create_task(run.run(gateway, call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.cancel()
        await gateway.finish(asyncio.wait({running}))
        raise


def _task_type(request: Request) -> ResolvedTaskType:
    try:
        return task_type.resolved_or_refused(request.wishes.task_type)
    except UnknownTaskType as problem:
        raise Invalid(f"{problem}.", param="task_type") from problem
