"""How far an estimate of tokens is from what a real tokenizer counts: the local model's."""

import base64
import hashlib
import json
from collections.abc import Mapping
from itertools import count, islice
from pathlib import Path

import httpx

from ainfera_server.catalog import token_counts
from ainfera_server.conversation import Message, Request, Text
from ainfera_server.providers.local_model import LocalModel
from tests.clients import claude_code
from tests.promises import proves

BELOW_MAX = 0.2
"""The share by which an estimate may lie below the count."""
ABOVE_MAX = 0.5

ROOT = Path(__file__).parents[2]
DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(100)]
NUMBERS = [int.from_bytes(digest[:8]) % 100_000 for digest in DIGESTS]


def of_the_project(*names: str) -> str:
    return ROOT.joinpath(*names).read_text("utf-8")


SAMPLES: Mapping[str, str] = {
    "English law": of_the_project("LICENSE"),
    "an English guide": of_the_project("docs", "guides", "clients.md"),
    "Python": of_the_project("src", "ainfera_server", "inference", "run.py"),
    "SQL": of_the_project("src", "ainfera_server", "inference", "queries.sql"),
    "HTML": of_the_project("src", "ainfera_server", "api", "annex_iv.html"),
    "CSS": of_the_project("src", "ainfera_server", "dashboard", "static", "style.css"),
    "TOML": of_the_project("src", "ainfera_server", "catalog", "price_lists", "anthropic.toml"),
    "C of short words": "\n".join(
        "\t" * (n % 6) + f"if (x[{n}] != y) {{ return a[i]->b; }}" for n in range(100)
    ),
    "tools in JSON": json.dumps([claude_code.tool(name) for name in claude_code.TOOL_NAMES]),
    "hashes": "\n".join(digest.hex() for digest in DIGESTS),
    "base64": base64.b64encode(b"".join(DIGESTS)).decode(),
    "numbers": "\n".join(",".join(map(str, NUMBERS[n : n + 8])) for n in range(92)),
    "a log": "\n".join(
        f"2026-11-21T17:{n % 60:02}:{n * 7 % 60:02}Z INFO GET /v1/items/{n * 7919} 200 {n % 900}ms"
        for n in range(100)
    ),
    "German": (
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft"
        " und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen."
    ),
    "French": (
        "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués"
        " de raison et de conscience et doivent agir les uns envers les autres dans un esprit de"
        " fraternité."
    ),
    "Russian": (
        "Все люди рождаются свободными и равными в своем достоинстве"  # noqa: RUF001
        " и правах. Они наделены"
        " разумом и совестью и должны поступать в отношении друг друга в духе братства."
    ),
    "Arabic": (
        "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميراً"
        " وعليهم أن يعامل بعضهم بعضاً بروح الإخاء."
    ),
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "Chinese": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",  # noqa: RUF001
    "Japanese": "すべての人間は、生まれながらにして自由であり、尊厳と権利とについて平等である。",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "emoji": "\U0001f600\U0001f389\U0001f44d\U0001f3fd\U0001f680 " * 10,
}


def estimate(text: str) -> int:
    said = Message(role="user", parts=(Text(text=text),))
    asked = Request(dialect="anthropic_messages", body=b"", model="m", messages=(said,))
    return token_counts.careful_input_tokens(asked) - token_counts.TOKENS_A_MESSAGE


@proves("vendor-clients-work")
def test_an_estimate_is_never_more_than_a_fifth_below_the_count(local_llama: LocalModel) -> None:
    root = local_llama.base_url.removesuffix("/v1")
    shares: dict[str, float] = {}
    with httpx.Client(base_url=root, timeout=30) as client:
        for name, text in SAMPLES.items():
            tokens = client.post("/tokenize", json={"content": text}).json()["tokens"]
            shares[name] = estimate(text) / len(tokens)
    assert min(shares.values()) >= 1 - BELOW_MAX, shares
    assert max(shares.values()) <= 1 + ABOVE_MAX, shares


def test_an_estimate_grows_with_every_word_and_with_every_part() -> None:
    words = " ".join(SAMPLES.values()).split()
    lengths = [estimate(" ".join(words[:size])) for size in islice(count(1, 100), 30)]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) == len(lengths)


def test_every_byte_that_begins_a_character_has_one_weight() -> None:
    for byte in range(256):
        kinds = [kind for _, kind in token_counts.HUNDREDTHS_A_BYTE if byte in kind]
        begins_nothing = 0x80 <= byte < 0xC2 or byte >= 0xF8
        assert len(kinds) == (0 if begins_nothing else 1), byte
