"""What runs on a clock in every process, beside the answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ainfera_server.gateway import Gateway
from ainfera_server.inference import recover

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do again and again; several processes may do it at once."""

    name: str
    every_s: float
    carry_out: Callable[[Gateway], Awaitable[object]]


JOBS: tuple[Job, ...] = (
    Job(name="expired_holds", every_s=15.0, carry_out=recover.expired_holds),
    Job(name="expired_answers", every_s=300.0, carry_out=recover.expired_answers),
)


async def run(gateway: Gateway, jobs: tuple[Job, ...] = JOBS) -> None:
    """Carry out every job at once and then on its clock, until cancelled.

    A job that was begun is cancelled where it stands: what it writes is in transactions.
    """
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_repeated(gateway, job), name=job.name)


async def _repeated(gateway: Gateway, job: Job) -> None:
    """One failure must not end a job, let alone the others."""
    while True:
        try:
            await job.carry_out(gateway)
        except Exception:
            log.exception("background_job_failed", extra={"job": job.name})
        await asyncio.sleep(job.every_s)
