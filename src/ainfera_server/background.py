"""What runs on a clock in every process, beside the answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ainfera_server import gateway as gateways
from ainfera_server.audit.public_log import checkpoint_file, log_store, sequencer, witnesses
from ainfera_server.audit.public_log import log as public_log
from ainfera_server.audit.public_log.checkpoint_file import NotACheckpointFile
from ainfera_server.audit.public_log.log_store import LogIsBroken, Stored
from ainfera_server.gateway import Gateway
from ainfera_server.inference import contents, recover
from ainfera_server.postgres import tenancy

BROKEN_LOG_PAUSE_S = 60.0
"""How long to leave a log alone that cannot be continued; somebody has to look at it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do again and again; several processes may do it at once."""

    name: str
    every_s: float
    carry_out: Callable[[Gateway], Awaitable[object]]


async def publish_log(gateway: Gateway) -> None:
    """Bring the public log's tree up to date and sign it, unless another process does.

    A log that does not fit together stays as it was last signed, and is served like that.
    """
    origin = public_log.origin(gateway.public_url)
    try:
        signed = await sequencer.publish(
            gateway.pools.writer, origin=origin, signer=gateway.log_signer
        )
    except LogIsBroken as problem:
        gateway.metrics.log_refusals.inc()
        log.error("public_log_is_broken", extra={"problem": str(problem)})  # noqa: TRY400 (said)
        await asyncio.sleep(BROKEN_LOG_PAUSE_S)
        return
    if signed is not None and gateway.settings.log_checkpoint_file is not None:
        await asyncio.to_thread(_keep_in_file, gateway.settings.log_checkpoint_file, signed)
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        reach = await log_store.reach(connection)
    gateway.metrics.log_size.set(reach.size)
    gateway.metrics.log_waiting.set(reach.height - reach.size)
    gateway.metrics.log_checkpoint_age_s.set(reach.age_s or 0)


async def ask_witnesses(gateway: Gateway) -> None:
    """Have the newest checkpoint cosigned by whoever was not asked lately."""
    async with asyncio.TaskGroup() as group:
        for witness in gateway.witnesses:
            group.create_task(witnesses.ask(gateway.pools.writer, gateway.transport, witness))


async def compare_log_identity(gateway: Gateway) -> None:
    """Say so when the log has another name than this server's address would give it."""
    origin = public_log.origin(gateway.public_url)
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        identity = await log_store.identity(connection)
    if identity is not None and identity.origin != origin:
        extra = {"origin": identity.origin, "of_public_url": origin}
        log.warning("public_log_keeps_its_origin", extra=extra)


def _keep_in_file(path: Path, signed: Stored) -> None:
    """A disk that is full, or a file that is another's, must not stop the log."""
    try:
        checkpoint_file.append(path, signed.note.encode())
    except (OSError, NotACheckpointFile) as problem:
        extra = {"file": str(path), "problem": str(problem)}
        log.warning("checkpoint_not_kept_in_file", extra=extra)


JOBS: tuple[Job, ...] = (
    Job(name="expired_holds", every_s=15.0, carry_out=recover.expired_holds),
    Job(name="expired_answers", every_s=300.0, carry_out=recover.expired_answers),
    Job(name="expired_contents", every_s=300.0, carry_out=contents.expired),
    Job(name="public_log", every_s=1.0, carry_out=publish_log),
    Job(name="log_witnesses", every_s=5.0, carry_out=ask_witnesses),
    Job(name="venues", every_s=2.0, carry_out=gateways.refresh_venues),
    Job(name="log_identity", every_s=3600.0, carry_out=compare_log_identity),
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
