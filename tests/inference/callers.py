"""An agent that calls a gateway without HTTP, in the test's own loop, and what became of its call.

What a door does is done here by hand, so that a test may leave at any moment.
"""

from dataclasses import dataclass

import orjson

from ainfera_server.accounts import actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.minting import Minting
from ainfera_server.accounts.signup import Signup
from ainfera_server.accounts.store import Payer
from ainfera_server.api import inference as door
from ainfera_server.audit.recorder import Recorder
from ainfera_server.conversation import Json
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import Cell, TenantId
from ainfera_server.inference import idempotency, run
from ainfera_server.inference.call import Call, StreamedAnswer, WholeAnswer
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.routing import task_type
from ainfera_server.wallet.policy import SpendPolicy

CELL = Cell(7)
RESPONSES = "/v1/responses"
PATHS = tuple(path for path in door.ROUTES if path != RESPONSES)
"""Those that are asked with `messages`; the other has tests of its own, beside its clients."""
CHAT = "/v1/chat/completions"
MESSAGES: Json = [{"role": "user", "content": "Say hello."}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An agent with its wallet."""

    payer: Payer

    def call(
        self, gateway: Gateway, *, path: str = CHAT, key: str | None = None, **asked: Json
    ) -> Call:
        """What the door makes of a request."""
        speaks = door.ROUTES[path]
        body = {"model": "ainfera-inference", "messages": MESSAGES, "max_tokens": 16, **asked}
        return Call(
            payer=self.payer,
            request=speaks.decode_request(orjson.dumps(body)),
            speaks=speaks,
            task_type=task_type.resolved_or_default(None),
            request_id="req_test",
            audit_url="http://127.0.0.1/audit",
            created_at=gateway.now(),
            received_at_s=gateway.monotonic(),
            idempotency_scope=None
            if key is None
            else idempotency.scope(
                tenant_id=self.payer.tenant_id, agent_id=self.payer.agent_id, route=path, key=key
            ),
        )

    async def asks(
        self, gateway: Gateway, *, path: str = CHAT, key: str | None = None, **asked: Json
    ) -> WholeAnswer:
        """Call, and have the whole answer."""
        answer = await run.run(gateway, self.call(gateway, path=path, key=key, **asked))
        assert isinstance(answer, WholeAnswer), "a stream was not asked for"
        return answer

    async def listens(
        self, gateway: Gateway, *, path: str = CHAT, key: str | None = None, **asked: Json
    ) -> StreamedAnswer:
        """Call, and have a stream that has begun."""
        answer = await run.run(
            gateway, self.call(gateway, path=path, key=key, stream=True, **asked)
        )
        assert isinstance(answer, StreamedAnswer), "a stream was asked for"
        return answer

    async def answers(
        self, gateway: Gateway, *, path: str = CHAT, key: str | None = None, **asked: Json
    ) -> bytes:
        """Call, and have all bytes of the answer, however it comes."""
        answer = await run.run(gateway, self.call(gateway, path=path, key=key, **asked))
        return answer.body if isinstance(answer, WholeAnswer) else await read_to_its_end(answer)


async def signed_up(
    gateway: Gateway,
    handle: str = "first-agent",
    *,
    money: int = 5_000_000,
    per_call_cap: int | None = None,
    daily_cap: int | None = None,
) -> Caller:
    """A newcomer with so many micro-dollars in the wallet."""
    minting = Minting(
        recorder=Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer),
        random=gateway.random,
        pepper=gateway.keyring.api_key_pepper,
        sealing_key=gateway.keyring.sealing_key,
        card_alg="ES256",
        signup_grant=UsdMicros(money),
    )
    limits = SpendPolicy(
        per_call_cap=None if per_call_cap is None else UsdMicros(per_call_cap),
        daily_cap=None if daily_cap is None else UsdMicros(daily_cap),
    )
    tenant_id = TenantId(gateway.new_id(CELL))
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        new = await actions.signup(
            connection,
            minting,
            Signup(agent_handle=handle, spend_policy=limits),
            tenant_id=tenant_id,
        )
        payer = await accounts_store.payer(connection, new.agent.agent_id)
    assert payer is not None, "who signed up can pay"
    return Caller(payer=payer)


async def read_to_its_end(answer: StreamedAnswer) -> bytes:
    """Take a stream as it comes, and close it as a door does."""
    try:
        return b"".join([chunk async for chunk in answer.chunks])
    finally:
        await answer.close()
