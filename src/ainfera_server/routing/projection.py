"""What a candidate is expected to cost, before anybody has answered."""

from ainfera_server import money
from ainfera_server.money import UsdMicros
from ainfera_server.routing.snapshot import Candidate, Snapshot


def projected_cost(candidate: Candidate, snapshot: Snapshot) -> UsdMicros | None:
    """The estimated input and the whole reservation at the real price; None without a price."""
    if not has_price(candidate):
        return None
    millionths = snapshot.input_tokens_estimate * (candidate.price_in or 0)
    millionths += snapshot.max_tokens_reserved * (candidate.price_out or 0)
    return UsdMicros(money.rounded_half_even(millionths, money.TOKENS_PER_MTOK))


def has_price(candidate: Candidate) -> bool:
    """Both prices are known and above zero: nobody gives answers away."""
    return (candidate.price_in or 0) > 0 and (candidate.price_out or 0) > 0
