"""Server-sent events are cut alike however their bytes arrive, and as the HTML standard has it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ainfera_server import sse
from ainfera_server.sse import EVENT_BYTES_MAX, Event, EventTooLarge, Splitter

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

pieces = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\r\n\n", b"\n\r"),
        *(b"data", b"data:", b"data: ", b"event: ", b"id: 7", b"retry: 1", b": note", b"x: y"),
        *(b"{}", b"a", b":", b" ", b"\x00", BYTE_ORDER_MARK, b"\xff", "grün".encode()),
    ]
)
bodies = st.lists(pieces, max_size=30).map(b"".join)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    """The body in chunks that end at these places."""
    ends = sorted(place % (len(body) + 1) for place in places)
    return [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]


def split(chunks: list[bytes]) -> list[tuple[str, bytes]]:
    """What the splitter makes of chunks."""
    return [(one.name, one.data) for one in events(chunks)]


def events(chunks: list[bytes]) -> list[Event]:
    splitter = Splitter()
    found = [event for chunk in chunks for event in splitter.feed(chunk)]
    return [*found, *splitter.finish()]


def by_the_standard(body: bytes) -> list[tuple[str, bytes]]:
    """The standard read slowly, with all bytes at hand; it also gives the event that was cut off.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    found: list[tuple[str, bytes]] = []
    name, data = "", list[bytes]()
    for line in [*re.split(rb"\r\n|\n|\r", body.removeprefix(BYTE_ORDER_MARK)), b""]:
        key, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if line == b"":
            if data:
                found.append((name, b"\n".join(data)))
            name, data = "", []
        elif key == b"data":
            data.append(value)
        elif key == b"event":
            name = value.decode("utf-8", "replace")
    return found


@given(bodies, st.lists(st.integers(min_value=0), max_size=10))
@example(b"\n" + BYTE_ORDER_MARK + b"data: a\n\n", [1])
@example(BYTE_ORDER_MARK + b"data: a\n\n", [1, 2])
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 9, 10, 11])
@example(b"data: a\r\rdata: b", [8, 9])
def test_events_are_those_of_the_standard_wherever_the_chunks_end(
    body: bytes, places: list[int]
) -> None:
    assert split(cut(body, places)) == by_the_standard(body)


@given(bodies)
def test_byte_by_byte_is_as_good_as_all_at_once(body: bytes) -> None:
    assert split([body[at : at + 1] for at in range(len(body))]) == split([body])


@example(b"\n\xef\xbb\xbfdata\ndata", [])
@given(bodies, st.lists(st.integers(min_value=0), max_size=10))
def test_the_bytes_of_an_event_are_that_event_again(body: bytes, places: list[int]) -> None:
    found = events(cut(body, places))
    assert split([one.raw for one in found]) == [(one.name, one.data) for one in found]


@given(bodies)
def test_an_event_is_given_as_soon_as_its_last_line_feed_is_there(body: bytes) -> None:
    splitter = Splitter()
    whole = BYTE_ORDER_MARK + b"data: first\n\n"
    assert [one.data for one in splitter.feed(whole + b"data: " + body)][:1] == [b"first"]


names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n")).map(str.lstrip)


@given(st.binary().filter(lambda data: not {*b"\r\n"} & {*data}), names)
def test_what_is_written_is_read_again(data: bytes, name: str) -> None:
    assert split([sse.encode(data, name=name)]) == [(name, data)]


@given(names)
def test_a_comment_is_nobodys_event_and_harms_none(text: str) -> None:
    body = sse.comment(text) + sse.encode(b"1") + sse.comment(text)
    assert split([body]) == [("", b"1")]


@pytest.mark.parametrize("line", [b"data: " + b"a" * 1023 + b"\n", b"x" * 1024])
def test_an_event_without_an_end_is_given_up(line: bytes) -> None:
    chunk = line * 1024
    with pytest.raises(EventTooLarge):
        events([chunk] * (1 + EVENT_BYTES_MAX // len(chunk)))


def test_many_events_in_one_chunk_are_not_one_that_is_too_large() -> None:
    body = sse.encode(b"a" * 1024 * 1024) * 20
    assert len(split([body])) == 20
