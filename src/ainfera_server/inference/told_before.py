"""A refusal as it stands in the chain: what was refused stays refused, whatever is there by now.

It comes to that when a commit was not heard of and its batch comes again: by then somebody may have
paid in. The receipt of the refusal is out all the same, so the caller hears what it says.
"""

from datetime import datetime
from typing import cast

import msgspec

from ainfera_server import money
from ainfera_server.inference.entries import NotActive, WhyRefused
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import CapBroken, Reason
from ainfera_server.wallet.ledger import Lacking, Shortfall


class Payload(msgspec.Struct):
    """What the event of a refusal says of money; None where that kind of refusal says nothing."""

    reason: str
    needed_usd: str | None = None
    remaining_usd: str | None = None
    cap_usd: str | None = None
    spent_usd: str | None = None
    resets_at: datetime | None = None


def why(payload: str) -> WhyRefused:
    """Read why a hold was refused out of the event that says so."""
    said = msgspec.json.decode(payload, type=Payload)
    if said.needed_usd is None:
        return NotActive()
    if said.cap_usd is None:
        return Shortfall(
            needed=_amount(said.needed_usd),
            available=_amount(said.remaining_usd),
            reason=cast("Lacking", said.reason),
        )
    return CapBroken(
        reason=cast("Reason", said.reason),
        cap=_amount(said.cap_usd),
        spent=_amount(said.spent_usd),
        needed=_amount(said.needed_usd),
        resets_at=said.resets_at,
    )


def _amount(text: str | None) -> UsdMicros:
    assert text is not None, "a refusal by money names all of its numbers"
    return money.parse_usd(text)
