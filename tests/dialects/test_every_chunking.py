"""However a network cuts a vendor's stream, it says the same and travels on in the same bytes."""

from collections.abc import Mapping

import pytest

from ainfera_server import sse
from ainfera_server.conversation import Dialect, Request, ToolCall, Usage
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.openai_responses import client as ask_responses
from ainfera_server.dialects.sides import ClientSide
from tests.dialects import streams
from tests.dialects.anthropic_messages import vendor_stream
from tests.promises import proves
from tests.providers import vendor_shapes
from tests.providers.vendor_shapes import Told

CLIENTS: Mapping[Dialect, ClientSide] = {
    "anthropic_messages": ask_anthropic,
    "openai_chat": ask_openai,
    "openai_responses": ask_responses,
}
TOLD = Told(
    text="Grüße, ☃ and \U0001f600.",
    tool_calls=(
        ToolCall(call_id="call_1", name="weather", arguments='{"city": "Köln", "n": [1, 2.50]}'),
        ToolCall(call_id="call_2", name="now", arguments="{}"),
    ),
    usage=Usage(input_tokens=11, output_tokens=7),
    model="m",
    finish="tool_calls",
)


COMMENT = b": still here\n\n"
"""Says nothing, and is not passed on: what keeps a stream open is sent by each for itself."""

THOUGHT = (
    vendor_stream.start(input_tokens=4, cache_read_input_tokens=7)
    + vendor_stream.event("ping")
    + vendor_stream.block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm … \U0001f914"},
        {"type": "signature_delta", "signature": "EqQB+/="},
    )
    + vendor_stream.block(1, {"type": "redacted_thinking", "data": "Emw"})
    + vendor_stream.block(
        2, {"type": "invented_tomorrow", "x": 1}, {"type": "also_new", "y": "\u2028"}
    )
    + COMMENT
    + vendor_stream.block(3, {"type": "text", "text": ""}, {"type": "text_delta", "text": "So."})
    + vendor_stream.end("end_turn", output_tokens=5)
)
STREAMS: tuple[tuple[Dialect, bytes], ...] = (
    *(
        (dialect, b"".join(vendor_shapes.streamed(dialect, TOLD, includes_usage=True)))
        for dialect in CLIENTS
    ),
    ("anthropic_messages", THOUGHT),
    ("anthropic_messages", THOUGHT.replace(b"\n", b"\r\n")),
)


@proves("no-silent-truncation", "body-travels-unchanged")
@pytest.mark.parametrize(("dialect", "body"), STREAMS)
def test_every_chunking_of_a_vendors_stream_gives_the_same_events_and_bytes(
    dialect: Dialect, body: bytes
) -> None:
    """One cut at every place, and pieces of every size up to a line."""
    client = CLIENTS[dialect]
    whole = streams.decoded(client.stream_decoder(), body)
    streams.check_laws(whole)
    cuttings = [[place] for place in range(len(body))]
    cuttings += [list(range(0, len(body), size)) for size in range(1, 80)]
    for cuts in cuttings:
        assert streams.decoded(client.stream_decoder(), body, cuts) == whole
    if dialect == "anthropic_messages":
        said = body.replace(b"\r\n", b"\n").replace(COMMENT, b"")
        asked = Request(dialect=dialect, body=b"", model="m", messages=(), stream=True)
        for size in range(1, 80):
            splitter = sse.Splitter()
            pieces = (body[at : at + size] for at in range(0, len(body), size))
            events = [event for piece in pieces for event in splitter.feed(piece)]
            assert b"".join(client.relayed(one, asked) for one in events) == said
