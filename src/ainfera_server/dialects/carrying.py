"""What a translation cannot carry: noted while a request is read, refused when it is written."""

from collections.abc import Collection, Mapping

from msgspec import Raw

from ainfera_server.conversation import Request
from ainfera_server.errors import NotCarried


class LeftBehind:
    """Collects what has no words in a conversation, each thing once, in order.

    A field shapes an answer and may be missed; a part is something that was said, or that was
    asked for by name, and without it the question is another one.
    """

    def __init__(self) -> None:
        self._fields: dict[str, None] = {}
        self._parts: dict[str, None] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self._fields)

    @property
    def parts(self) -> tuple[str, ...]:
        """The places of the parts."""
        return tuple(self._parts)

    def note_field(self, name: str) -> None:
        """Remember a field by its name."""
        self._fields[name] = None

    def note_part(self, place: str) -> None:
        """Remember a part by its place in the body."""
        self._parts[place] = None


def refuse_lost_parts(request: Request) -> None:
    """Before a request is written in another dialect: nothing that was said may get lost.

    Raises NotCarried, which names the first place.
    """
    if request.parts_not_understood:
        raise not_carried(
            "Only a provider that speaks the API of this request understands it.",
            request.parts_not_understood[0],
        )


def refuse_unpriced(fields: Mapping[str, Raw], priced: Mapping[str, Collection[bytes]]) -> None:
    """What changes a vendor's price may not travel unnoticed: the price book knows one price.

    `priced` names the fields that do so, each with the values at which the listed price holds.
    Raises NotCarried, which names the first that has another.
    """
    for name, values in priced.items():
        value = bytes(fields.get(name, b"null"))
        if value != b"null" and value not in values:
            raise unpriced(name)


def unpriced(place: str) -> NotCarried:
    """The refusal of what stands in one place, because nobody could say what it would cost."""
    return NotCarried(
        f"`{place}` changes what the provider charges, and this server has only the listed price."
        " Leave it out.",
        param=place,
    )


def not_carried(sentence: str, place: str) -> NotCarried:
    """The refusal of what stands in one place, and why."""
    return NotCarried(f"`{place}` cannot be said to this model's provider. {sentence}", param=place)
