"""Reading JSON that strangers send: every mistake has a sentence and a place."""

import re
from itertools import accumulate
from typing import TypeVar, cast

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Json
from ainfera_server.errors import Malformed

DEPTH_MAX = 200
"""Nobody nests a request deeper, and parsers further on give up at different depths."""

Read = TypeVar("Read")

_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_BEFORE_VALUE = re.compile(rb'\s*[{,]\s*"(?:[^"\\]|\\.)*"\s*:\s*', re.DOTALL)
_AFTER_LAST = re.compile(rb"\s*\{?\s*\}\s*")
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""Every escape in a JSON text; a pair that makes one character is one."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def fields(body: bytes) -> dict[str, Raw]:
    """The fields of a JSON object, each with the bytes of its value. Raises Malformed.

    What nobody reads is checked too: encoding, depth, and that no field is given twice, for two
    readers could take different ones for true.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 at byte {error.start}.") from None
    found = read(body, dict[str, Raw])
    if not _is_every_field_there(body, found):
        raise Malformed("The body gives a field twice; give every field once.")
    if _depth(body) > DEPTH_MAX:
        raise Malformed(f"The body is nested more than {DEPTH_MAX} levels deep.")
    return found


def read(body: bytes | Raw, form: type[Read], *, place: str = "") -> Read:
    """The JSON in the given form; `place` says where in the body it stood.

    Raises Malformed, whose `param` names the place of the mistake.
    """
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise _wrong_value(str(error), place) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_json(bytes(body), str(error)) from None
    except RecursionError:
        raise Malformed(f"The body is nested more than {DEPTH_MAX} levels deep.") from None


def value(text: Raw) -> Json:
    """Any JSON value, None for a field that is not there. Raises Malformed."""
    return cast("Json", read(text, object)) if bytes(text) else None


def _not_json(body: bytes, said: str) -> Malformed:
    """What the parser says; of half a character, and only of that, it speaks in riddles."""
    halves = (escape["half"] for escape in _ESCAPES.finditer(body) if escape["half"])
    half = next(halves, None)
    if half is None:
        return Malformed(f"The body is not JSON: {said}.")
    return Malformed(
        f"The body is not JSON: `\\{half.decode()}` is half of a surrogate pair. Write both halves,"
        " or the character itself."
    )


def _wrong_value(said: str, place: str) -> Malformed:
    matched = _PLACE.fullmatch(said)
    assert matched is not None, "the pattern takes every text"
    path = (matched["path"] or "").replace("[", ".").replace("]", "").strip(".")
    missing = _MISSING.fullmatch(matched["what"])
    names = (place, path, missing["name"] if missing else "")
    param = ".".join(name for name in names if name)
    if missing is not None:
        return Malformed(f"`{param}` is missing.", param=param)
    if not param:
        return Malformed(f"The body is not an object with fields: {matched['what']}.")
    return Malformed(f"`{param}` is not as it should be: {matched['what']}.", param=param)


def _is_every_field_there(body: bytes, found: dict[str, Raw]) -> bool:
    """Walk over the fields that were kept; if one was given twice, the walk ends too early."""
    position = 0
    for raw in found.values():
        start = _BEFORE_VALUE.match(body, position)
        text = bytes(raw)
        if start is None or not body.startswith(text, start.end()):
            return False
        position = start.end() + len(text)
    return _AFTER_LAST.fullmatch(body, position) is not None


def _depth(body: bytes) -> int:
    """How deep a valid JSON text is nested; brackets inside strings do not count."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return 0
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(unescaped.split(b'"')[::2])
    brackets = outside_strings.translate(None, _NOT_BRACKETS)
    return max(accumulate(1 if one in b"[{" else -1 for one in brackets), default=0)
