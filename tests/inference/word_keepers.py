"""Callers whose tenant wants its words kept, and what is kept of them."""

from dataclasses import replace

from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.minting import Minting
from ainfera_server.audit.recorder import Recorder
from ainfera_server.contents import actions, keeping
from ainfera_server.contents import store as contents_store
from ainfera_server.contents.keeping import Content, ContentPlace, KeyPlace, Retention
from ainfera_server.contents.store import KeptContent
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import InferenceId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from tests.conftest import Look
from tests.inference import callers
from tests.inference.callers import Caller


async def keeping_caller(gateway: Gateway, handle: str = "first-agent") -> Caller:
    """An agent whose tenant wants its words kept."""
    caller = await callers.signed_up(gateway, handle)
    await choose(gateway, caller, Retention(store_content=True))
    return await looked_up(gateway, caller)


async def choose(gateway: Gateway, caller: Caller, wanted: Retention) -> None:
    """Have the tenant choose."""
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await actions.change_retention(
            connection, minting(gateway), tenant_id=tenant_id, wanted=wanted
        )


async def looked_up(gateway: Gateway, caller: Caller) -> Caller:
    """The caller as a door knows it from now on."""
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        payer = await accounts_store.payer(connection, caller.payer.agent_id)
    assert payer is not None
    return replace(caller, payer=payer)


async def forget_everything(gateway: Gateway, caller: Caller) -> None:
    """Delete all that is kept of the tenant."""
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await actions.forget_everything(connection, minting(gateway), tenant_id=tenant_id)


def minting(gateway: Gateway) -> Minting:
    """What an action is given, at this moment."""
    return Minting(
        recorder=Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer),
        random=gateway.random,
        pepper=gateway.keyring.api_key_pepper,
        sealing_key=gateway.keyring.sealing_key,
        card_alg="ES256",
        signup_grant=UsdMicros(0),
    )


async def kept_of(gateway: Gateway, caller: Caller, look: Look) -> Content:
    """What is kept of the only inference that anything is kept of, in clear."""
    (row,) = look("select inference_id from contents")
    inference_id = InferenceId(row["inference_id"])
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        kept = await contents_store.content(connection, inference_id)
    assert isinstance(kept, KeptContent)
    assert not isinstance(kept.content, str), "it was not left out"
    key = keeping.opened_key(
        kept.sealed_key,
        server_key=gateway.keyring.sealing_key,
        place=KeyPlace(tenant_id=tenant_id, key_id=kept.key_id),
    )
    place = ContentPlace(tenant_id=tenant_id, inference_id=inference_id)
    return keeping.unseal(kept.content, key=key, place=place)
