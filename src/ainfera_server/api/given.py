"""What each answer is given: the gateway, who calls, and the tools that actions ask for."""

import os
from typing import Annotated

from fastapi import Depends, Request

from ainfera_server.accounts.callers import Principal
from ainfera_server.accounts.minting import Minting
from ainfera_server.audit.recorder import Recorder
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import Cell, TenantId


async def _gateway(request: Request) -> Gateway:
    return request.app.state.gateway


async def _caller(request: Request) -> Principal:
    """Who calls. Only a route that asks for a key has one, so anywhere else this is our bug."""
    return request.state.principal


Opened = Annotated[Gateway, Depends(_gateway)]
Caller = Annotated[Principal, Depends(_caller)]


def recorder(gateway: Gateway) -> Recorder:
    """What an action writes down with, for this moment."""
    return Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer)


def minting(gateway: Gateway) -> Minting:
    """What an action makes identities with, for this moment."""
    return Minting(
        recorder=recorder(gateway),
        random=os.urandom,
        pepper=gateway.keyring.api_key_pepper,
        sealing_key=gateway.keyring.sealing_key,
        card_alg=gateway.settings.card_alg,
        signup_grant=gateway.settings.signup_grant,
    )


def new_tenant_id(gateway: Gateway) -> TenantId:
    """A newcomer's id, in a cell drawn by lot so that tenants spread evenly."""
    return TenantId(gateway.new_id(Cell(os.urandom(1)[0])))
