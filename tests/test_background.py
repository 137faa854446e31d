"""Jobs on a clock: they go on whatever happens, and end when they are told to."""

import asyncio
from dataclasses import replace

import pytest

from ainfera_server import background
from ainfera_server.background import Job
from ainfera_server.gateway import Gateway

WAIT_S_MAX = 10
AT_ONCE_S = 0.0
NEVER_AGAIN_S = 3600.0


class Counted:
    """A job that counts, fails as often as it is told, and says when it was done often enough."""

    def __init__(self, *, fails: int = 0, enough: int = 1) -> None:
        self.times = 0
        self.is_enough = asyncio.Event()
        self._fails = fails
        self._enough = enough

    async def __call__(self, _gateway: Gateway) -> None:
        self.times += 1
        if self.times >= self._enough:
            self.is_enough.set()
        if self.times <= self._fails:
            raise ConnectionError("told to fail")


async def carried_out(gateway: Gateway, jobs: tuple[Job, ...], *until: asyncio.Event) -> None:
    """Run jobs until these events have come, then stop them."""
    running = asyncio.create_task(background.run(gateway, jobs))
    async with asyncio.timeout(WAIT_S_MAX):
        for event in until:
            await event.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_job_that_fails_is_logged_and_tried_again(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    job = Counted(fails=2, enough=3)
    await carried_out(
        gateway, (Job(name="shaky", every_s=AT_ONCE_S, carry_out=job),), job.is_enough
    )
    failures = [one for one in caplog.records if one.getMessage() == "background_job_failed"]
    assert [vars(one)["job"] for one in failures] == ["shaky", "shaky"]


async def test_a_job_that_hangs_does_not_hold_up_the_others(gateway: Gateway) -> None:
    async def hang(_: Gateway) -> None:
        await asyncio.Event().wait()

    job = Counted(enough=2)
    jobs = (
        Job(name="hangs", every_s=AT_ONCE_S, carry_out=hang),
        Job(name="goes on", every_s=AT_ONCE_S, carry_out=job),
    )
    await carried_out(gateway, jobs, job.is_enough)


async def test_every_job_is_done_at_the_start_and_then_on_its_clock(gateway: Gateway) -> None:
    rare, often = Counted(), Counted(enough=3)
    jobs = (
        Job(name="rare", every_s=NEVER_AGAIN_S, carry_out=rare),
        Job(name="often", every_s=AT_ONCE_S, carry_out=often),
    )
    await carried_out(gateway, jobs, rare.is_enough, often.is_enough)
    assert rare.times == 1


async def test_the_jobs_of_a_server_do_their_work_on_a_fresh_database(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    done = {job.name: asyncio.Event() for job in background.JOBS}

    def noted(job: Job) -> Job:
        async def carry_out(gateway: Gateway) -> None:
            await job.carry_out(gateway)
            done[job.name].set()

        return replace(job, carry_out=carry_out)

    await carried_out(gateway, tuple(map(noted, background.JOBS)), *done.values())
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
