"""Names for things: every id is a UUID whose last byte is the cell that its tenant lives in."""

from typing import NewType
from uuid import UUID

Cell = NewType("Cell", int)
"""0 to 255. A tenant and all it owns live in one cell, the unit by which a database is spread."""

TenantId = NewType("TenantId", UUID)
AgentId = NewType("AgentId", UUID)
InferenceId = NewType("InferenceId", UUID)
DecisionId = NewType("DecisionId", UUID)
ReceiptId = NewType("ReceiptId", UUID)
TransferId = NewType("TransferId", UUID)
AccountId = NewType("AccountId", UUID)
EventId = NewType("EventId", UUID)

CELLS = 256
RANDOM_BYTES = 10
"""How much randomness `new_id` asks for."""


def cell_of(identifier: UUID) -> Cell:
    """Tell where the thing with this id lives, without asking anybody."""
    return Cell(identifier.bytes[15])


def new_id(*, cell: Cell, unix_ms: int, random: bytes) -> UUID:
    """Make a UUID of version 7 (RFC 9562): the time first, so that indexes grow at one end."""
    assert 0 <= cell < CELLS, "a cell is one byte"
    assert len(random) == RANDOM_BYTES, "an id takes exactly ten random bytes"
    octets = bytearray((unix_ms & 0xFFFF_FFFF_FFFF).to_bytes(6, "big") + random)
    octets[6] = 0x70 | (octets[6] & 0x0F)
    octets[8] = 0x80 | (octets[8] & 0x3F)
    octets[15] = cell
    return UUID(bytes=bytes(octets))


def parsed(text: str) -> UUID | None:
    """Read an id in its one usual spelling; None for anything else."""
    try:
        identifier = UUID(text)
    except ValueError:
        return None
    return identifier if str(identifier) == text.lower() else None
