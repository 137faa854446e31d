"""A stream on its way to the caller: relayed as it came or told anew, counted beside, then billed.

The end of the answer is sent only once the bill is durable. A stream that breaks ends in an error
of the caller's dialect, never in a clean end; a caller who leaves pays for what was generated.
"""

import logging
from collections.abc import AsyncGenerator
from dataclasses import replace

from ainfera_server import money, sse
from ainfera_server.audit.receipts import Attempt
from ainfera_server.catalog import token_counts
from ainfera_server.conversation import Ended, Started, StreamEvent, Usage
from ainfera_server.dialects.sides import StreamEncoder
from ainfera_server.errors import AinferaError, Internal, ProviderFailed, ServerError
from ainfera_server.gateway import Gateway
from ainfera_server.inference import bill, contents, covering, idempotency, record
from ainfera_server.inference import job as jobs
from ainfera_server.inference.ask import OpenStream, Question, Step
from ainfera_server.inference.bill import Delivered
from ainfera_server.inference.call import StoredAnswer, StreamedAnswer
from ainfera_server.inference.entries import Settlement
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.inference.metering import Tally

log = logging.getLogger(__name__)


def streamed(
    gateway: Gateway,
    job: Job,
    held: HeldOffer,
    asked: Question,
    stream: OpenStream,
    attempts: tuple[Attempt, ...],
) -> StreamedAnswer:
    """A stream that has begun, as the caller's answer. Closing it bills what was delivered."""
    on_the_way = _OnTheWay(gateway, job, held, asked, attempts)
    chunks = _chunks(on_the_way, stream)

    async def close() -> None:
        # A generator that never ran has no `finally`, so what it would do is done here. The
        # provider hears first that nobody listens, however long the database takes.
        await chunks.aclose()
        try:
            await stream.close()
        finally:
            await on_the_way.left()

    return StreamedAnswer(
        headers=jobs.headers(job, held.offer, None),
        chunks=chunks,
        heartbeat=on_the_way.heartbeat,
        close=close,
    )


async def _chunks(on_the_way: "_OnTheWay", stream: OpenStream) -> AsyncGenerator[bytes]:
    """The caller's bytes, one chunk for each of the provider's events."""
    try:
        async for step in stream.steps():
            chunk = on_the_way.told(step)
            if on_the_way.tally.ended is not None:
                yield await on_the_way.finished(chunk)
                return
            if chunk:
                on_the_way.sends(chunk)
                yield chunk
    except AinferaError as problem:
        reason = problem.reason if isinstance(problem, ProviderFailed) else problem.code
        yield await on_the_way.broken(problem, reason)
    except Exception:  # tidy: the caller hears of a mistake of ours in the dialect
        log.exception("a stream broke off by a mistake of ours")
        yield await on_the_way.broken(Internal("The answer broke off."), "internal_error")


class _OnTheWay:
    """One stream's state: what was said so far, and how to say more."""

    def __init__(
        self,
        gateway: Gateway,
        job: Job,
        held: HeldOffer,
        asked: Question,
        attempts: tuple[Attempt, ...],
    ) -> None:
        self._gateway = gateway
        self._job = job
        self._held = held
        self._asked = asked
        self._attempts = attempts
        self._speaks = job.gathered.call.speaks
        self._encoder = self._new_encoder()
        self._kept = bytearray()
        self._unread = b""
        self._has_key = job.gathered.call.idempotency_scope is not None
        self._keeps = self._has_key or contents.is_wanted(job)
        self._is_billed = False
        self.tally = Tally(job.salt)

    def told(self, step: Step) -> bytes:
        """A step for the caller, counted."""
        for event in step.events:
            self.tally.read(event)
        if self._asked.is_relayed:
            return step.relayed
        return b"".join(self._encoder.encode(self._counted(event)) for event in step.events)

    def sends(self, chunk: bytes) -> None:
        """Note bytes that the caller gets next: they are hashed, and kept where that is wanted."""
        self.tally.sent(chunk)
        if self._keeps:
            self._kept += chunk

    def heartbeat(self) -> bytes:
        """A sign of life for a caller to whom nothing else is said.

        None comes while the end waits for its bill: that end is hashed already.
        """
        if self._is_billed:
            return b""
        self.sends(self._speaks.HEARTBEAT)
        return self._speaks.HEARTBEAT

    async def finished(self, last: bytes) -> bytes:
        """Bill the whole answer, then let its last bytes go, the receipt in a comment before."""
        await self._cover()
        metered = self.tally.metered(self._job.gathered.call.request)
        cost = money.usd(bill.cost(self._gateway, self._held, metered).total)
        signed_off = sse.comment(f"ainfera receipt={self._job.receipt_id} cost_usd={cost}") + last
        self.sends(signed_off)
        settlement = self._settlement(None)
        self._is_billed = True
        try:
            settled = await record.settle(self._gateway, settlement)
        except AinferaError as problem:
            return self.worded(problem)
        if not settled.was_open:
            log.warning("a stream was settled before it ended", extra={"cost_usd": cost})
        return signed_off

    async def broken(self, problem: AinferaError, failure: str) -> bytes:
        """Bill what was delivered, if anything was, and end with an error."""
        if isinstance(problem, ProviderFailed):
            now_s = self._gateway.monotonic()
            self._gateway.health.observe_failure(self._held.offer.slug, problem, now_s=now_s)
        last = self.worded(problem)
        self.sends(last)
        await self._bill_part(failure)
        return last

    async def left(self) -> None:
        """The caller has gone: bill what was generated until then, unless it is billed.

        Who asks again with the same key gets what there was, and an error for its end.
        """
        if self._is_billed:
            return
        if self._has_key:
            self._unread = self.worded(Internal("The answer was not read to its end."))
        await self._bill_part("client_left")

    def worded(self, problem: AinferaError) -> bytes:
        """An error inside the stream, in the caller's dialect."""
        request_id = self._job.gathered.call.request_id
        return self._speaks.encode_stream_error(problem, request_id=request_id)

    async def _bill_part(self, failure: str) -> None:
        """Settle what there was. If it cannot be written now, the hold runs out by itself."""
        self._is_billed = True
        try:
            await self._gateway.finish(self._settled_part(failure))
        except ServerError:
            log.exception("a broken stream could not be settled")

    async def _settled_part(self, failure: str) -> None:
        """What cost nothing may be asked again with the same key; what cost is kept for it."""
        if self.tally.has_content:
            await self._cover()
        part = self._part(failure)
        await record.settle(self._gateway, part)
        if part.cost is None:
            await idempotency.release(self._gateway, self._job.gathered.call)

    async def _cover(self) -> None:
        """Set aside what is missing, where the price is above the hold and the owner allows it."""
        metered = self.tally.metered(self._job.gathered.call.request)
        price = bill.priced(self._gateway, self._held, metered).total
        self._held = await covering.covered(self._gateway, self._job, self._held, price)

    def _part(self, failure: str) -> Settlement:
        if self.tally.has_content:
            return self._settlement(failure)
        return bill.released(
            self._gateway, self._job, self._held, failure=failure, attempts=self._attempts
        )

    def _settlement(self, failure: str | None) -> Settlement:
        ended = self.tally.ended
        delivered = Delivered(
            metered=self.tally.metered(self._job.gathered.call.request),
            response_hash=self.tally.content_hash,
            content=bytes(self._kept) if contents.is_wanted(self._job) else None,
            finish_reason=self.tally.finish_reason,
            finish_reason_native=None if ended is None else ended.finish_reason_native,
            failure=failure,
            attempts=self._attempts,
        )
        return bill.posted(self._gateway, self._job, self._held, delivered, self._answer())

    def _answer(self) -> StoredAnswer | None:
        if not self._has_key:
            return None
        headers = {
            **jobs.headers(self._job, self._held.offer, None),
            "content-type": "text/event-stream; charset=utf-8",
        }
        return StoredAnswer(status=200, headers=headers, body=bytes(self._kept) + self._unread)

    def _counted(self, event: StreamEvent) -> StreamEvent:
        """What nobody counted is estimated, so that the caller reads what the bill will say."""
        request = self._job.gathered.call.request
        match event:
            case Started(usage=None):
                estimate = Usage(input_tokens=token_counts.estimated_input_tokens(request))
                return replace(event, usage=estimate)
            case Ended(usage=None):
                return replace(event, usage=self.tally.metered(request).usage)
            case _:
                return event

    def _new_encoder(self) -> StreamEncoder:
        call = self._job.gathered.call
        return call.speaks.stream_encoder(
            call.request, jobs.envelope(self._job, self._held.offer, None)
        )
