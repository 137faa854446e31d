"""What conversations in every dialect are made of, drawn at random."""

from hypothesis import strategies as st

from ainfera_server.conversation import Image, JsonText, Text, Tool, Usage
from ainfera_server.dialects.sides import Envelope

ENVELOPE = Envelope(
    agent_id="0b7e6c1e-0000-7000-8000-000000000001",
    inference_id="0b7e6c1e-0000-7000-8000-000000000002",
    receipt_id="0b7e6c1e-0000-7000-8000-000000000003",
    model_slug="gpt-5-5",
    provider="openai",
    cost_usd="0.000123",
    audit_url="http://127.0.0.1/v1/audit/0b7e6c1e-0000-7000-8000-000000000001",
    created_unix_s=1_795_000_000,
)

words = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
texts = st.builds(Text, text=words)
images = st.one_of(
    st.builds(Image, url=names.map("https://example.org/{}.png".format)),
    st.builds(
        Image,
        media_type=st.sampled_from(["image/png", "image/svg+xml"]),
        data=st.from_regex(r"[A-Za-z0-9+/]{4,24}", fullmatch=True),
    ),
)
json_objects = st.sampled_from([b'{"type":"object"}', b'{ "a" : 1.50, "b":[ ] }']).map(JsonText)
tools = st.builds(Tool, name=names, description=st.none() | words, parameters=json_objects)
usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(1000, 10**6),
    reasoning_tokens=st.integers(0, 1000),
)
