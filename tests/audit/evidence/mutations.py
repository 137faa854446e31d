"""Whatever somebody could do to a file of evidence, drawn by lot; each says where it was done.

`place` is what a verifier has to name: counted from 1, in the list that was touched. What is not
local, like a file without a member, has none.
"""

import random  # noqa: TID251 (only the type: whoever draws brings it along)
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ainfera_server.audit import signing
from tests.audit.evidence import evidence
from tests.audit.evidence.evidence import Document

LISTS = ("events", "receipts", "decisions", "entries")
UNSIGNED = ("audit_url",)
"""The address of the server is no evidence: where it leads to is compared, not where it is."""

CHARACTERS = '0123456789abcdefXYZ{}":,. '


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A file that was changed; `place` is None where the change has none."""

    kind: str
    document: Document
    place: int | None = None


Mutate = Callable[[Document, random.Random], Mutation | None]


def drawn(document: Document, lot: random.Random) -> Mutation:
    """A file with one thing changed."""
    while True:
        mutation = lot.choice(MUTATIONS)(document, lot)
        if mutation is not None:
            return mutation


def edited(document: Document, lot: random.Random) -> Mutation | None:
    """Another value anywhere, however deep."""
    changed = {**document}
    lists = [one for one in LISTS if changed.get(one)]
    others = [one for one in changed if one not in UNSIGNED]
    name = lot.choice(lists if lists and lot.random() < 0.6 else others)
    place = None
    if name in LISTS and changed[name]:
        index = lot.randrange(len(changed[name]))
        elements = list(changed[name])
        elements[index] = _edited(elements[index], lot)
        changed[name], place = elements, index + 1
    else:
        changed[name] = _edited(changed[name], lot)
    if changed == document:
        return None
    return Mutation(kind=f"edited {name}", document=changed, place=place)


def member_left_out(document: Document, lot: random.Random) -> Mutation | None:
    """A member is missing, of the file or of an element of a list."""
    name = _a_list(document, lot, of=dict)
    if name is None or lot.random() < 0.3:
        gone = lot.choice(sorted(document))
        changed = {one: value for one, value in document.items() if one != gone}
        is_optional = gone in {"receipts", "decisions"} and "events" in changed
        return None if is_optional else Mutation(kind=f"without {gone}", document=changed)
    index = lot.randrange(len(document[name]))
    element = dict(document[name][index])
    del element[lot.choice(sorted(element))]
    return _with(document, name, index, [element], kind="member left out of")


def dropped(document: Document, lot: random.Random) -> Mutation | None:
    """An element of a list is gone."""
    name = _a_list(document, lot)
    if name is None:
        return None
    index = lot.randrange(len(document[name]))
    mutation = _with(document, name, index, [], kind="dropped from")
    return replace(mutation, place=_if_whole(document, index))


def repeated(document: Document, lot: random.Random) -> Mutation | None:
    """An element of a list comes twice."""
    name = _a_list(document, lot)
    if name is None:
        return None
    index = lot.randrange(len(document[name]))
    element = document[name][index]
    mutation = _with(document, name, index, [element, element], kind="repeated in")
    return replace(mutation, place=index + 2)


def swapped(document: Document, lot: random.Random) -> Mutation | None:
    """Two elements of a list change places."""
    name = _a_list(document, lot)
    if name is None or len(document[name]) < 2:
        return None
    first, second = sorted(lot.sample(range(len(document[name])), 2))
    elements = list(document[name])
    elements[first], elements[second] = elements[second], elements[first]
    if elements[first] == elements[second]:
        return None
    changed = {**document, name: elements}
    return Mutation(kind=f"swapped in {name}", document=changed, place=_if_whole(document, first))


def cut_off(document: Document, lot: random.Random) -> Mutation | None:
    """The end of a list is gone."""
    name = _a_list(document, lot)
    if name is None:
        return None
    left = lot.randrange(len(document[name]))
    changed = {**document, name: document[name][:left]}
    return Mutation(kind=f"{name} cut off", document=changed, place=_if_whole(document, left))


def another_key(document: Document, lot: random.Random) -> Mutation | None:
    """An element is said to be signed by another key, which the file even names."""
    name = _a_list(document, lot, of=dict)
    if name not in {"events", "receipts"}:
        return None
    index = lot.randrange(len(document[name]))
    element = {**document[name][index], "key_id": FORGER.key_id}
    mutation = _with(document, name, index, [element], kind="another key for")
    named = {**mutation.document, "public_keys": [*document["public_keys"], _forgers_key()]}
    return replace(mutation, document=named)


def of_another_tenant(document: Document, lot: random.Random) -> Mutation | None:
    """An element comes out of another tenant's file, where it holds."""
    if "events" not in document or "agent_id" not in document:
        return None
    others = evidence.chain_export(evidence.of(40, agent=9))
    name = lot.choice([one for one in LISTS if document.get(one)])
    index = lot.randrange(len(document[name]))
    element = lot.choice(others[name])
    return _with(document, name, index, [element], kind="another tenant's in")


def _if_whole(document: Document, index: int) -> int | None:
    """The events of one receipt are some of a chain: nobody can tell which is not there."""
    return None if "signed_text" in document else index + 1


def _with(
    document: Document, name: str, index: int, elements: Sequence[Any], *, kind: str
) -> Mutation:
    before, behind = document[name][:index], document[name][index + 1 :]
    changed = {**document, name: [*before, *elements, *behind]}
    return Mutation(kind=f"{kind} {name}", document=changed, place=index + 1)


def _a_list(document: Document, lot: random.Random, of: type = object) -> str | None:
    """One of the lists that have something in them."""
    names = [one for one in LISTS if document.get(one) and isinstance(document[one][0], of)]
    return lot.choice(names) if names else None


def _edited(value: Any, lot: random.Random) -> Any:
    """The same, but for one thing."""
    match value:
        case dict() if value:
            name = lot.choice(sorted(value))
            return {**value, name: _edited(value[name], lot)}
        case list() if value:
            index = lot.randrange(len(value))
            return [*value[:index], _edited(value[index], lot), *value[index + 1 :]]
        case str() if value:
            at = lot.randrange(len(value))
            return value[:at] + lot.choice(CHARACTERS) + value[at + lot.choice((0, 1, 1, 1)) :]
        case bool():
            return not value
        case int() | float():
            return value + lot.choice((-1, 1, 1000))
        case _:
            return "something"


def _forgers_key() -> Mapping[str, str]:
    return {"kid": FORGER.key_id, "alg": "Ed25519", "public_key_pem": FORGER.public_key_pem}


FORGER = signing.signer(b"x" * 32)
MUTATIONS: Sequence[Mutate] = (
    *(edited,) * 6,
    member_left_out,
    dropped,
    repeated,
    swapped,
    cut_off,
    another_key,
    of_another_tenant,
)
