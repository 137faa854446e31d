"""Server-sent events: bytes in, events out, and back (the HTML standard's event stream)."""

from collections.abc import Iterator
from dataclasses import dataclass

EVENT_BYTES_MAX = 16 * 1024 * 1024
"""No vendor sends an event this large; a stream that does is broken."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """An event grew beyond EVENT_BYTES_MAX without ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: its name ("" when none was given), its data, and its bytes as they came."""

    name: str
    data: bytes
    raw: bytes


class Splitter:
    """Cuts a byte stream into events, however its chunks fall.

    Lines may end in LF, CRLF or CR. A block of comments alone is not an event and is dropped.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._rest = b""
        self._size = 0
        self._is_at_start = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take the next bytes; yield the events that they complete."""
        for line in self._whole_lines(chunk):
            self._size += len(line) + 1
            if line:
                self._add(line)
            else:
                event = _event(self._lines)
                self._lines.clear()
                self._size = 0
                if event is not None:
                    yield event
        if self._size + len(self._rest) > EVENT_BYTES_MAX:
            raise EventTooLarge(f"an event of more than {EVENT_BYTES_MAX} bytes")

    def finish(self) -> Iterator[Event]:
        """Yield the event that the end of the stream cut off, as lenient readers do."""
        if self._rest:
            self._add(self._rest.removesuffix(b"\r"))
            self._rest = b""
        event = _event(self._lines)
        self._lines.clear()
        if event is not None:
            yield event

    def _add(self, line: bytes) -> None:
        """Keep a line, unless it means another thing in its place than at a stream's beginning.

        Behind a byte order mark in the middle stands a field that nobody knows; the event's own
        bytes, read alone, would begin with the mark, and the field would be one that counts.
        """
        if self._lines or not line.startswith(_BYTE_ORDER_MARK):
            self._lines.append(line)

    def _whole_lines(self, chunk: bytes) -> Iterator[bytes]:
        data = self._rest + chunk
        if self._is_at_start and not _BYTE_ORDER_MARK.startswith(data):
            data = data.removeprefix(_BYTE_ORDER_MARK)
            self._is_at_start = False
        if b"\r" not in data:
            *lines, self._rest = data.split(b"\n")
            yield from lines
            return
        # A CR at the very end may be the first half of a CRLF, so it waits for the next chunk.
        waiting = b"\r" if data.endswith(b"\r") else b""
        body = data.removesuffix(b"\r") if waiting else data
        *lines, rest = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = rest + waiting
        yield from lines


def encode(data: bytes, *, name: str = "") -> bytes:
    """Write one event; `data` must be a single line."""
    assert b"\n" not in data, "an event's data is written on one line"
    if name:
        return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"


def comment(text: str) -> bytes:
    """Write a comment, which every reader skips: a heartbeat, or a receipt at the end."""
    assert "\n" not in text, "a comment is one line"
    return b": " + text.encode() + b"\n\n"


def _event(lines: list[bytes]) -> Event | None:
    name = ""
    data: list[bytes] = []
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    if not data:
        return None
    return Event(name=name, data=b"\n".join(data), raw=b"\n".join(lines) + b"\n\n")
