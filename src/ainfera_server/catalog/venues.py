"""Which offers can be asked now: the price lists say, and an operator lights and darkens them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, overload

from ainfera_server.catalog.offers import Offer

VenueState = Literal["lit", "dark"]
DARKENED = "darkened by the operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An offer is lit or darkened; `report` is the evidence as it was handed in, None for none."""

    offer: str
    state: VenueState
    report: str | None


class Venues(Sequence[Offer]):
    """The offers that a call may be given to, in the order of their slugs; `apply` changes them.

    A lit offer answers although its price list holds it back; a dark one is never a candidate and
    cannot be had by its name. What has no price, or no name upstream, cannot be lit.
    """

    def __init__(self, offers: Iterable[Offer] = (), *, providers: Collection[str] = ()) -> None:
        self._with_key = tuple(one for one in offers if one.provider in providers)
        self._states: Mapping[str, VenueState] = {}
        self._asked = self._lit_ones()

    def apply(self, states: Mapping[str, VenueState]) -> None:
        """From now on these are the offers that an operator lit or darkened, and no others."""
        if states != self._states:
            self._states = dict(states)
            self._asked = self._lit_ones()

    def is_lit(self, offer: Offer) -> bool:
        """Whether an offer may be asked, if its provider has a key."""
        match self._states.get(offer.slug):
            case "lit":
                return can_be_lit(offer)
            case "dark":
                return False
            case None:
                return offer.status == "active"

    def shown(self, offer: Offer) -> Offer:
        """The offer with the status that it has now."""
        if self.is_lit(offer):
            return replace(offer, status="active", status_reason=None)
        if offer.status == "inactive":
            return offer
        return replace(offer, status="inactive", status_reason=DARKENED)

    def _lit_ones(self) -> tuple[Offer, ...]:
        return tuple(one for one in self._with_key if self.is_lit(one))

    @overload
    def __getitem__(self, index: int) -> Offer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Offer]: ...
    def __getitem__(self, index: int | slice) -> Offer | Sequence[Offer]:
        return self._asked[index]

    def __iter__(self) -> Iterator[Offer]:
        return iter(self._asked)

    def __len__(self) -> int:
        return len(self._asked)


AS_LISTED = Venues()
"""Nothing lit and nothing darkened; nobody applies anything to it."""


def can_be_lit(offer: Offer) -> bool:
    """Whether we know what to call it upstream, and what it costs."""
    return offer.upstream_name is not None and offer.prices is not None
