"""Newcomers for tests: whole sign-ups on a real database, with ids and bytes that repeat."""

import hashlib
import itertools
from datetime import UTC, datetime
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.accounts import actions
from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.minting import Minting
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import signing
from ainfera_server.audit.recorder import Recorder
from ainfera_server.identifiers import Cell, TenantId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
SIGNER = signing.signer(b"s" * 32)
PUBLIC_KEYS = {SIGNER.key_id: SIGNER.public_key_pem}
PEPPER = b"p" * 32
GRANT = UsdMicros(5_000_000)

_numbers = itertools.count()


def random(count: int) -> bytes:
    """Bytes that no call before has returned."""
    return hashlib.shake_128(str(next(_numbers)).encode()).digest(count)


def new_id(cell: Cell) -> UUID:
    """A fresh id in a cell."""
    octets = random(identifiers.RANDOM_BYTES)
    return identifiers.new_id(cell=cell, unix_ms=1_700_000_000_000 + next(_numbers), random=octets)


def recorder(now: datetime = NOW) -> Recorder:
    """What every action is given."""
    return Recorder(now=now, new_id=new_id, signer=SIGNER)


def minting(grant: UsdMicros = GRANT, now: datetime = NOW) -> Minting:
    """What actions on accounts are given."""
    return Minting(
        recorder=recorder(now),
        random=random,
        pepper=PEPPER,
        sealing_key=b"k" * 32,
        card_alg="ES256",
        signup_grant=grant,
    )


def new_tenant_id(cell: int = 7) -> TenantId:
    """A tenant's id."""
    return TenantId(new_id(Cell(cell)))


async def signed_up(
    pools: Pools, asked: Signup, *, grant: UsdMicros = GRANT, cell: int = 7
) -> SignedUp:
    """Sign somebody up, for good."""
    tenant_id = new_tenant_id(cell)
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        return await actions.signup(connection, minting(grant), asked, tenant_id=tenant_id)
