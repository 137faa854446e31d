"""What an operator may set: the environment, read once and checked, as one frozen value.

Every variable has a row in SETTINGS; the reference page is made from it.
"""

import base64
import difflib
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from ainfera_server import money
from ainfera_server.money import MICROS_PER_USD, NotAnAmount, UsdMicros

PROVIDER_SLUGS = (
    "anthropic",
    "openai",
    "gemini",
    "mistral",
    "xai",
    "together",
    "groq",
    "deepinfra",
    "fireworks",
    "novita",
)

SHARE = re.compile(r"\d(\.\d{1,6})?", re.ASCII)

WITNESS_KEY = re.compile(
    r"(?P<name>[^\s+,]{1,255})\+(?P<id>[0-9a-f]{8})\+(?P<key>B[A-P][A-Za-z0-9+/]{42})", re.ASCII
)
"""A verifier key of the kind that cosigns checkpoints: its first byte is 4."""

OF_CLIENTS = ("AINFERA_API_KEY", "AINFERA_AGENT_ID", "AINFERA_BASE_URL")
"""What the command `env` and our pages set for clients, in the same environment."""


class BadSetting(ValueError):
    """A variable of the environment cannot be used; the text names it and says what would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator chose.

    `database_url` None means the embedded PostgreSQL; `public_url` None means the address that
    the server listens on. `provider_keys` holds secrets, so it stays out of every text form.
    Each of `log_witnesses` is a verifier key and the address of whom it belongs to.
    The default of `data_dir` is root's; `from_environment` knows everybody else's.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    data_dir: Path = Path("/var/lib/ainfera")
    database_url: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    public_url: str | None = None
    card_alg: Literal["ES256", "EdDSA"] = "ES256"
    signup_grant: UsdMicros = UsdMicros(5 * MICROS_PER_USD)
    margin: Decimal = Decimal(0)
    floor_per_task_type_is_live: bool = False
    output_tokens_default: int = 4096
    body_bytes_max: int = 32 * 1024 * 1024
    inference_timeout_s: int = 600
    drain_timeout_s: int = 120
    demo: bool = True
    local_model_url: str | None = None
    log_witnesses: tuple[tuple[str, str], ...] = ()
    log_checkpoint_file: Path | None = None
    provider_keys: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    provider_base_urls: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable: its name, the field it fills, how its text is read, and a sentence.

    `field` None means that it is only checked here, and read where it is used.
    """

    name: str
    field: str | None
    read: Callable[[str], object]
    meaning: str


def preference_is_live() -> bool:
    """Whether the preference dial moves floors; asked at every call, so no restart is needed."""
    return os.environ.get("AINFERA_ROUTING_PREFERENCE_LIVE") == "1"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read all settings. Raises BadSetting for the first variable that cannot be used."""
    chosen: dict[str, object] = {"data_dir": _data_dir(environment)}
    for variable in SETTINGS:
        text = environment.get(variable.name, "").strip()
        if text:
            value = _read(variable, text)
            if variable.field is not None:
                chosen[variable.field] = value
    chosen["provider_keys"] = _per_provider(environment, "API_KEY")
    chosen["provider_base_urls"] = {
        slug: _read_provider_url(f"{slug.upper()}_BASE_URL", text)
        for slug, text in _per_provider(environment, "BASE_URL").items()
    }
    return Settings(**chosen)  # pyright: ignore[reportArgumentType]  (each reader gives its type)


def unknown(environment: Mapping[str, str]) -> Mapping[str, str | None]:
    """Variables that look like ours and are not, with the one that may be meant; None for none."""
    known = {variable.name for variable in SETTINGS}
    strange = sorted(
        name
        for name in environment
        if name.startswith("AINFERA_") and name not in known and name not in OF_CLIENTS
    )
    nearest = {name: difflib.get_close_matches(name, sorted(known), n=1) for name in strange}
    return {name: found[0] if found else None for name, found in nearest.items()}


def _data_dir(environment: Mapping[str, str]) -> Path:
    """Where data lies unless told: with the system's for root, with their own for everybody else.

    A relative XDG_DATA_HOME counts as none, as the XDG Base Directory specification has it.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/ainfera")
    told = Path(environment.get("XDG_DATA_HOME", ""))
    home = Path(environment.get("HOME", "")).absolute()
    return (told if told.is_absolute() else home / ".local" / "share") / "ainfera"


def _per_provider(environment: Mapping[str, str], suffix: str) -> dict[str, str]:
    named = {
        slug: environment.get(f"{slug.upper()}_{suffix}", "").strip() for slug in PROVIDER_SLUGS
    }
    return {slug: text for slug, text in named.items() if text}


def _read(variable: Variable, text: str) -> object:
    try:
        return variable.read(text)
    except ValueError as problem:
        # An address may hold a password, also one that is not understood.
        holds_addresses = variable.read in {_url, _database_url, _witnesses}
        shown = "its value" if holds_addresses or variable.field == "secret" else repr(text)
        raise BadSetting(f"{variable.name}: {shown} will not do: {problem}") from None


def _read_provider_url(name: str, text: str) -> str:
    try:
        return _url(text)
    except ValueError as problem:
        raise BadSetting(f"{name}: its value will not do: {problem}") from None


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest} is needed")
        return int(text)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError("one of " + ", ".join(words) + " is needed")
        return text

    return read


def _switch(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("0 or 1 is needed")
    return text == "1"


def _dollars(text: str) -> UsdMicros:
    try:
        amount = money.parse_usd(text)
    except NotAnAmount:
        raise ValueError("an amount of dollars such as 5 or 0.50 is needed") from None
    if amount < 0:
        raise ValueError("an amount of dollars that is not negative is needed")
    return amount


def _share(text: str) -> Decimal:
    if not SHARE.fullmatch(text) or Decimal(text) > 1:
        raise ValueError("a share from 0 to 1 with at most 6 decimals, such as 0.05, is needed")
    return Decimal(text)


def _url(text: str) -> str:
    parts = _parts(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _port_is_right(parts):
        raise ValueError("an address that begins with http:// or https:// is needed")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address without user, query or fragment is needed")
    return text.rstrip("/")


def _port_is_right(parts: SplitResult) -> bool:
    """Whether the port is a number; in `http://user:password` it is not."""
    try:
        _ = parts.port
    except ValueError:
        return False
    return True


def _witnesses(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.split() for pair in text.split(",")]
    if not all(len(pair) == 2 for pair in pairs):
        raise ValueError("pairs of a verifier key and an address are needed, a comma between them")
    for key, _ in pairs:
        _require_witness_key(key)
    return tuple((key, _url(address)) for key, address in pairs)


def _require_witness_key(text: str) -> None:
    key = WITNESS_KEY.fullmatch(text)
    octets = b"" if key is None else base64.b64decode(key["key"])
    named = b"" if key is None else key["name"].encode() + b"\n"
    if key is None or hashlib.sha256(named + octets).hexdigest()[:8] != key["id"]:
        raise ValueError(f"{text!r} is no verifier key of a witness, name+id+key")


def _parts(text: str) -> SplitResult:
    """The parts of an address; what Python says of a broken one quotes it."""
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("an address is needed") from None


def _database_url(text: str) -> str:
    if _parts(text).scheme not in {"postgresql", "postgres"}:
        raise ValueError("an address that begins with postgresql:// is needed")
    return text


SETTINGS: tuple[Variable, ...] = (
    Variable(
        name="AINFERA_HOST",
        field="host",
        read=str,
        meaning="The address to listen on; 127.0.0.1 unless said otherwise.",
    ),
    Variable(
        name="AINFERA_PORT",
        field="port",
        read=_whole(1, 65535),
        meaning="The port to listen on; 8080 unless said otherwise.",
    ),
    Variable(
        name="AINFERA_WORKERS",
        field="workers",
        read=_whole(1, 64),
        meaning="How many processes answer requests; 1 unless said otherwise.",
    ),
    Variable(
        name="AINFERA_DATA_DIR",
        field="data_dir",
        read=Path,
        meaning="The folder for the embedded database and the server's secret; for ordinary users"
        " it is $XDG_DATA_HOME/ainfera or ~/.local/share/ainfera unless said otherwise.",
    ),
    Variable(
        name="AINFERA_DATABASE_URL",
        field="database_url",
        read=_database_url,
        meaning="A PostgreSQL, 15 to 18, to use instead of the embedded one.",
    ),
    Variable(
        name="AINFERA_SECRET",
        field="secret",
        read=str,
        meaning="The server's secret, 64 hex digits; made in the data folder when not given.",
    ),
    Variable(
        name="AINFERA_PUBLIC_URL",
        field="public_url",
        read=_url,
        meaning="How the outside reaches this server; written into receipts and headers.",
    ),
    Variable(
        name="AINFERA_CARD_ALG",
        field="card_alg",
        read=_one_of("ES256", "EdDSA"),
        meaning="How agent cards are signed; ES256, which every published client can verify.",
    ),
    Variable(
        name="AINFERA_SIGNUP_GRANT_USD",
        field="signup_grant",
        read=_dollars,
        meaning="What a new agent's wallet starts with; 5 unless said otherwise.",
    ),
    Variable(
        name="AINFERA_MARGIN",
        field="margin",
        read=_share,
        meaning="What callers pay on top of a provider's price, as a share of it, such as 0.05; 0"
        " unless said otherwise.",
    ),
    Variable(
        name="AINFERA_CELL_MIN_QUALITY_LIVE",
        field="floor_per_task_type_is_live",
        read=_switch,
        meaning="1 gives each task type its own default floor; off unless said otherwise.",
    ),
    Variable(
        name="AINFERA_ROUTING_PREFERENCE_LIVE",
        field=None,
        read=_switch,
        meaning="1 lets `routing_hint.routing_preference` move the default floor; off unless said"
        " otherwise.",
    ),
    Variable(
        name="AINFERA_OUTPUT_TOKENS_DEFAULT",
        field="output_tokens_default",
        read=_whole(1, 1_000_000),
        meaning="How long an answer may get when its caller sets no limit; 4096 tokens.",
    ),
    Variable(
        name="AINFERA_BODY_BYTES_MAX",
        field="body_bytes_max",
        read=_whole(1024, 1024 * 1024 * 1024),
        meaning="The largest body of an inference; 33554432 bytes.",
    ),
    Variable(
        name="AINFERA_INFERENCE_TIMEOUT_S",
        field="inference_timeout_s",
        read=_whole(1, 3600),
        meaning="How long an inference may take in all; 600 seconds, which the SDKs announce.",
    ),
    Variable(
        name="AINFERA_DRAIN_TIMEOUT_S",
        field="drain_timeout_s",
        read=_whole(0, 3600),
        meaning="How long running answers may go on after the server was told to stop; 120.",
    ),
    Variable(
        name="AINFERA_LOCAL_MODEL_URL",
        field="local_model_url",
        read=_url,
        meaning="A llama.cpp server that runs already, with /v1; the start command starts one.",
    ),
    Variable(
        name="AINFERA_LOG_WITNESSES",
        field="log_witnesses",
        read=_witnesses,
        meaning="Who is asked to cosign the public log's checkpoints: for each witness its verifier"
        " key, a space and its address, with commas between them; nobody unless said otherwise.",
    ),
    Variable(
        name="AINFERA_LOG_CHECKPOINT_FILE",
        field="log_checkpoint_file",
        read=Path,
        meaning="A file to which every checkpoint of the public log is appended as it is published;"
        " none unless said otherwise.",
    ),
    Variable(
        name="AINFERA_PG_BIN",
        field=None,
        read=Path,
        meaning="The folder with the programs of a PostgreSQL, from version 15 on, for the embedded"
        " database; those of the extra `embedded` unless said otherwise.",
    ),
    Variable(
        name="AINFERA_DEMO",
        field="demo",
        read=_switch,
        meaning="0 signs up no demo agent at the first start; it does unless said otherwise.",
    ),
)
