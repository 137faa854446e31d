"""Changes to what the database knows of the catalog."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ainfera_server.audit import chain, signing
from ainfera_server.audit.signing import Signer
from ainfera_server.catalog import store
from ainfera_server.catalog.offers import Catalog
from ainfera_server.catalog.store import RecordedChange
from ainfera_server.catalog.venues import Change
from ainfera_server.conversation import Json
from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres.pool import Connection


async def import_catalog(connection: Connection, catalog: Catalog) -> None:
    """Keep the catalog that answers are priced by from now on, unless it is kept already.

    Several processes may do so at once: what they write is the same.
    """
    await store.insert_price_book(connection, catalog.version, catalog.encode())


async def change_venue(
    connection: Connection, change: Change, *, signer: Signer, now: datetime
) -> RecordedChange:
    """Light or darken an offer; the change is its own record, chained and signed.

    Raises StoreUnavailable when another change came in between.
    """
    last = await store.last_venue_change(connection)
    number = 1 if last is None else last.number + 1
    payload = chain.canonical(
        _payload(change, number, now, None if last is None else last.payload_hash)
    )
    recorded = RecordedChange(
        number=number,
        offer=change.offer,
        state=change.state,
        payload=payload.decode(),
        payload_hash=hashlib.sha256(payload).hexdigest(),
        key_id=signer.key_id,
        signature=signing.signature(signer, payload),
        report=change.report,
        changed_at=now,
    )
    if not await store.insert_venue_change(connection, recorded):
        raise StoreUnavailable("Somebody else changed a venue at the same moment. Try again.")
    return recorded


def first_broken_change(
    changes: Sequence[RecordedChange], public_keys: Mapping[str, str]
) -> int | None:
    """The number of the first change that is not as it was signed; None when all are.

    A change cannot be edited, taken out or put in. That the last ones were cut off shows only
    against a copy.
    """
    previous: str | None = None
    for number, one in enumerate(changes, start=1):
        change = Change(offer=one.offer, state=one.state, report=one.report)
        payload = chain.canonical(_payload(change, number, one.changed_at, previous))
        is_right = (
            one.number == number
            and one.payload.encode() == payload
            and one.payload_hash == hashlib.sha256(payload).hexdigest()
            and one.key_id in public_keys
            and signing.is_signature(
                one.signature, message=payload, public_key_pem=public_keys[one.key_id]
            )
        )
        if not is_right:
            return number
        previous = one.payload_hash
    return None


def _payload(
    change: Change, number: int, now: datetime, previous_hash: str | None
) -> Mapping[str, Json]:
    report = change.report
    return {
        "event": "venue.activated" if change.state == "lit" else "venue.deactivated",
        "number": number,
        "offer": change.offer,
        "previous_hash": previous_hash,
        "report_hash": None if report is None else hashlib.sha256(report.encode()).hexdigest(),
        "changed_at": now.astimezone(UTC).isoformat(timespec="microseconds"),
    }
