"""What an agent and its owner may be called, and the address that follows from it."""

import re
from collections.abc import Mapping
from uuid import UUID

import orjson

from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid

HOST = "ainfera.ai"
NAME_CHARACTERS_MAX = 200
CONTACT_CHARACTERS_MAX = 320
METADATA_BYTES_MAX = 16_384

_HANDLE = re.compile(r"[a-z0-9-]{3,40}", re.ASCII)
_WALLET_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_NOT_HANDLE = re.compile(r"[^a-z0-9]+", re.ASCII)


def handle(text: str, *, param: str) -> str:
    """A handle as it is given. Raises Invalid."""
    if not _HANDLE.fullmatch(text):
        raise Invalid(f"{param} must be 3 to 40 characters of a-z, 0-9 and '-'.", param=param)
    return text


def handle_from(name: str, *, suffix: str) -> str:
    """Make a handle of a free name; `suffix` keeps two agents of one name apart."""
    words = _NOT_HANDLE.sub("-", name.lower()).strip("-")
    return f"{words[: 39 - len(suffix)].strip('-') or 'agent'}-{suffix}"


def suffix(identifier: UUID) -> str:
    """Eight random characters of an id."""
    return identifier.hex[20:28]


def name(text: str, *, param: str) -> str:
    """A free name: something that can be read, on one line. Raises Invalid."""
    return _line(text, param, NAME_CHARACTERS_MAX)


def contact(text: str, *, param: str) -> str:
    """Where an owner can be reached. Raises Invalid."""
    return _line(text, param, CONTACT_CHARACTERS_MAX)


def wallet_address(text: str, *, param: str) -> str:
    """The address of a smart wallet. Raises Invalid."""
    if not _WALLET_ADDRESS.fullmatch(text):
        raise Invalid(f"{param} must be 0x and 40 hex digits.", param=param)
    return text


def metadata(value: Mapping[str, Json], *, param: str) -> Mapping[str, Json]:
    """What the owner says about the agent: anything, but not without end. Raises Invalid."""
    try:
        kept = orjson.dumps(value)
    except orjson.JSONEncodeError as problem:
        raise Invalid(f"{param} cannot be kept as JSON.", param=param) from problem
    if len(kept) > METADATA_BYTES_MAX:
        raise Invalid(f"{param} must be at most {METADATA_BYTES_MAX} bytes.", param=param)
    return value


def canonical_uri(owner_handle: str, agent_handle: str) -> str:
    """The agent's address in the directory."""
    return f"{HOST}/{owner_handle}/{agent_handle}"


def did_web(owner_handle: str, agent_handle: str) -> str:
    """The agent's address as a decentralized identifier (did:web)."""
    return f"did:web:{HOST}:{owner_handle}:{agent_handle}"


def _line(text: str, param: str, characters_max: int) -> str:
    if not 1 <= len(text.strip()) <= len(text) <= characters_max or not text.isprintable():
        sentence = f"{param} must be 1 to {characters_max} printable characters on one line."
        raise Invalid(sentence, param=param)
    return text
