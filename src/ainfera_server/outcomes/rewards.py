"""How a reward is read: a share from 0 to 1, exactly as it was written."""

from decimal import Decimal

from ainfera_server.wallet import policy


def parse(value: str | float | Decimal) -> Decimal:
    """Read a reward. Raises Invalid."""
    return policy.parse_share(value, param="reward")
