"""Several busy gateways, from the outside: started together, heard line by line, ended."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence

import msgspec

from tests.chaos.busy_gateway import Told, Work
from tests.chaos.fork_server import REPOSITORY

START_S_MAX = 120.0
END_S_MAX = 150.0
LINE_BYTES_MAX = 1024 * 1024


class BusyGateways:
    """What all of them told, in the order in which it was heard."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        self.told: list[Told] = []
        self._processes = processes
        self._came = asyncio.Condition()
        self._listening = [asyncio.create_task(self._listen(one)) for one in processes]

    def begin(self) -> None:
        """Let them go, all at the same moment as far as one can."""
        for process in self._processes:
            assert process.stdin is not None, "it was given a pipe"
            process.stdin.write(b"go\n")

    async def answers(self, count: int) -> None:
        """Wait until so many more calls were answered well."""
        wanted = self._answered() + count
        async with asyncio.timeout(END_S_MAX), self._came:
            await self._came.wait_for(lambda: self._answered() >= wanted or self._has_ended())
        assert self._answered() >= wanted, "a gateway has ended; its words are above"

    async def end(self) -> None:
        """Have them finish what they do, and hear the rest."""
        for process in self._processes:
            assert process.stdin is not None, "it was given a pipe"
            process.stdin.close()
        await self.have_ended()

    async def have_ended(self) -> None:
        """Wait until all have ended by themselves."""
        async with asyncio.timeout(END_S_MAX):
            await asyncio.gather(*self._listening)
            codes = [await process.wait() for process in self._processes]
        assert codes == [0] * len(codes), f"a gateway ended badly: {codes}"

    def kill(self) -> None:
        """End those that still run, whatever they do."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "it was given a pipe"
        while line := await process.stdout.readline():
            async with self._came:
                self.told.append(msgspec.json.decode(line, type=Told))
                self._came.notify_all()
        async with self._came:
            self._came.notify_all()

    def _answered(self) -> int:
        return sum(one.is_answer for one in self.told)

    def _has_ended(self) -> bool:
        return any(one.done() for one in self._listening)


@contextlib.asynccontextmanager
async def running(works: Sequence[Work]) -> AsyncGenerator[BusyGateways]:
    """Have one process for each work, ready to begin."""
    processes: list[asyncio.subprocess.Process] = []
    busy: BusyGateways | None = None
    try:
        for work in works:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.busy_gateway",
                cwd=REPOSITORY,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES_MAX,
            )
            processes.append(process)
            assert process.stdin is not None, "it was given a pipe"
            process.stdin.write(msgspec.json.encode(work) + b"\n")
        for process in processes:
            assert process.stdout is not None, "it was given a pipe"
            async with asyncio.timeout(START_S_MAX):
                assert await process.stdout.readline() == b"ready\n", "it did not get ready"
        busy = BusyGateways(processes)
        yield busy
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
        for process in processes:
            await process.wait()
