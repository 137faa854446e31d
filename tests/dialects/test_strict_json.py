"""JSON that strangers send is read strictly, and the same in every dialect."""

import json

import pytest

from ainfera_server.dialects import strict_json
from ainfera_server.dialects.anthropic_messages import server as anthropic_messages
from ainfera_server.dialects.native import server as native
from ainfera_server.dialects.openai_chat import server as openai_chat
from ainfera_server.dialects.sides import ServerSide
from ainfera_server.errors import Malformed

EVERY_SERVER: tuple[ServerSide, ...] = (anthropic_messages, native, openai_chat)
ASKED = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"x":%s}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"hello",
        b"\xff",
        b"\xef\xbb\xbf{}",
        ASKED % b'"\xff"',
        ASKED % b'"\\ud800"',
        ASKED % b"NaN",
        ASKED % b"NaN" + b" ",
        ASKED % b'1,"temperature":1e999',
        ASKED % b'1,"model":"n"',
        ASKED % b'1,"x":1',
        ASKED % (b"[" * 200 + b"]" * 200),
        ASKED % (b"[" * 99_999 + b"]" * 99_999),
    ],
    ids=range(16),
)
def test_what_is_not_strict_json_is_malformed_in_every_dialect(body: bytes) -> None:
    for server in EVERY_SERVER:
        with pytest.raises(Malformed):
            server.decode_request(body)


def test_brackets_in_strings_are_not_depth_and_depth_has_an_exact_limit() -> None:
    words = json.dumps(['"\\' + "[{" * 500, "\\"]).encode()
    assert bytes(strict_json.fields(ASKED % words)["x"]) == words
    assert "x" in strict_json.fields(ASKED % (b"[" * 199 + b"]" * 199))
    with pytest.raises(Malformed):
        strict_json.fields(ASKED % (b"[" * 200 + b"]" * 200))


def test_white_space_and_escapes_in_names_are_no_duplicates() -> None:
    body = b' { "model" : "m" , "\\"us\\\\er" : 1 , "us\\u0065r":[ ] } \n'
    assert list(strict_json.fields(body)) == ["model", '"us\\er', "user"]


@pytest.mark.parametrize("server", EVERY_SERVER)
@pytest.mark.parametrize(
    ("text", "half"),
    [
        (rb"\ud83d", "d83d"),
        (rb"a \uD83D b, and words behind it", "D83D"),
        (rb"\ude00 and words behind it", "de00"),
        (rb"\ud83d\u0041 and words behind it", "d83d"),
        (rb"\ud83d\ude00\\\ud83d and words behind it", "d83d"),
    ],
)
def test_half_a_character_is_called_what_it_is(server: ServerSide, text: bytes, half: str) -> None:
    body = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"%s"}]}' % text
    with pytest.raises(Malformed) as caught:
        server.decode_request(body)
    assert f"`\\u{half}` is half of a surrogate pair" in caught.value.sentence


@pytest.mark.parametrize("text", [rb"\ud83d\ude00", rb"\\ud83d", rb"\\ud83d\n"])
def test_whole_characters_are_not_taken_for_halves(text: bytes) -> None:
    assert "x" in strict_json.fields(ASKED % (b'"%s"' % text))
    with pytest.raises(Malformed) as caught:
        strict_json.fields((ASKED % (b'"%s"' % text))[:-1])
    assert "surrogate" not in caught.value.sentence
