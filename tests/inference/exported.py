"""What a gateway exports of an agent, checked as a stranger would, who has only the keys."""

from collections.abc import Awaitable

from fastapi.responses import Response, StreamingResponse

from ainfera_server.accounts.api_keys import KeyId
from ainfera_server.accounts.callers import Principal
from ainfera_server.api import exports
from ainfera_server.audit.evidence import verifying
from ainfera_server.audit.evidence.findings import Report
from ainfera_server.audit.evidence.trust import Keys
from ainfera_server.audit.public_log import log as public_log
from ainfera_server.audit.public_log import notes, sequencer
from ainfera_server.gateway import Gateway
from tests.inference.callers import Caller


async def report(gateway: Gateway, caller: Caller) -> Report:
    """Publish the log, export the agent's chain with its receipts, and check the file."""
    origin = public_log.origin(gateway.public_url)
    await sequencer.publish(gateway.pools.writer, origin=origin, signer=gateway.log_signer)
    keys = Keys(
        pems={gateway.signer.key_id: gateway.signer.public_key_pem},
        log_keys=(notes.log_key(origin, gateway.log_signer).text,),
    )
    return verifying.verify(
        await chain(gateway, caller), brought=keys, log=await _body(exports.export_log(gateway))
    )


async def chain(gateway: Gateway, caller: Caller) -> bytes:
    """The file of the agent's chain."""
    principal = Principal(key_id=KeyId("0" * 16), scope="owner", payer=caller.payer)
    agent_id = str(caller.payer.agent_id)
    return await _body(exports.export_chain(gateway, principal, agent_id, "receipts"))


async def _body(answering: Awaitable[Response]) -> bytes:
    answer = await answering
    assert isinstance(answer, StreamingResponse), "a file comes as a stream"
    body = b""
    async for chunk in answer.body_iterator:
        assert isinstance(chunk, bytes), "pages are written as bytes"
        body += chunk
    return body
