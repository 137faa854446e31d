"""What a provider is, and what it takes to call one: an address and a credential, together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from ainfera_server.conversation import Dialect
from ainfera_server.dialects.sides import Quirks

NO_QUIRKS = Quirks()

PRIVATE_NAME_ENDINGS = (".localhost", ".local", ".internal", ".home.arpa")
"""Reserved for use inside a network (RFC 6761, 6762, 8375; `.internal` by ICANN in 2024)."""


LENGTH_THAT_HIDES = 16
"""Of a credential this long the last four characters help nobody to guess the others."""


class NotAnEndpoint(ValueError):
    """A provider cannot be called with what the operator gave; the text names the variable."""


class Secret:
    """A credential that shows itself only when asked by `revealed`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def revealed(self) -> str:
        """The credential itself: for the header that carries it, and for nothing else."""
        return self._value

    def last_four(self) -> str:
        """Enough for an operator to tell which of several it is; nothing of a short one."""
        return self._value[-4:] if len(self._value) >= LENGTH_THAT_HIDES else "****"

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for a provider: every wait has its own end, and all of them have one.

    The first byte of an answer that does not stream comes when the model has written its last
    word, so that wait, `plain_first_byte_s`, is longer than `first_byte_s` of a stream.
    """

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    plain_first_byte_s: float = 240.0
    idle_s: float = 60.0
    total_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Somebody we call.

    `brand` is the maker of the models, None where a venue serves those of many makers. `base_url`
    is None when only the operator can say it, and `key_variable` when no credential is needed.
    """

    slug: str
    display_name: str
    brand: str | None
    dialect: Dialect
    base_url: str | None
    base_url_variable: str
    key_variable: str | None
    quirks: Quirks = NO_QUIRKS
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a call goes. An address and its credential never part, so a key meets no stranger.

    `api_key` is empty when the provider asks for none. `api_keys` are all that may be used in its
    place, itself among them; empty stands for it alone.
    """

    provider: Provider
    base_url: str
    api_key: Secret
    api_keys: tuple[Secret, ...] = ()

    def every_key(self) -> tuple[Secret, ...]:
        """Every credential that a call to this address may carry."""
        return self.api_keys or (self.api_key,)


def endpoints(
    providers: Iterable[Provider], *, keys: Mapping[str, str], base_urls: Mapping[str, str]
) -> Mapping[str, Endpoint]:
    """The providers that can be called, by slug, with what the operator set for them.

    A provider without a key, or without an address, is left out. Raises NotAnEndpoint.
    """
    found = (
        endpoint(provider, key=keys.get(provider.slug), base_url=base_urls.get(provider.slug))
        for provider in providers
    )
    return {one.provider.slug: one for one in found if one is not None}


def endpoint(provider: Provider, *, key: str | None, base_url: str | None) -> Endpoint | None:
    """Where calls to this provider go; None while its key or its address is not set.

    `key` may be several, with commas between them. Raises NotAnEndpoint.
    """
    address = base_url or provider.base_url
    if address is None or (provider.key_variable is not None and not key):
        return None
    base_url = _checked_base_url(address, variable=provider.base_url_variable)
    if provider.key_variable is None or key is None:
        return Endpoint(provider=provider, base_url=base_url, api_key=Secret(""))
    api_keys = _checked_keys(key, variable=provider.key_variable)
    return Endpoint(provider=provider, base_url=base_url, api_key=api_keys[0], api_keys=api_keys)


def _checked_keys(keys: str, *, variable: str) -> tuple[Secret, ...]:
    """The keys of a list with commas, each once: no vendor's key has a comma."""
    listed = [one.strip(" ") for one in keys.split(",")]
    if not all(listed):
        raise NotAnEndpoint(f"{variable} has a comma with no key beside it: take it out.")
    return tuple(_checked_key(one, variable=variable) for one in dict.fromkeys(listed))


def _checked_key(key: str, *, variable: str) -> Secret:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NotAnEndpoint(
            f"{variable} holds a space, a line break or another character that no key has:"
            " copy the key again."
        )
    return Secret(key)


def _checked_base_url(text: str, *, variable: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port  # Reading it checks it.
    except ValueError as error:
        raise NotAnEndpoint(f"{variable} is no address: {error}.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NotAnEndpoint(f"{variable} has to begin with https:// and name a host.")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise NotAnEndpoint(f"{variable} has to be an address without user, query and fragment.")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise NotAnEndpoint(f"{variable} holds a character that no address has.")
    _refuse_exposed(parts, variable=variable)
    return text.rstrip("/")


def _refuse_exposed(parts: SplitResult, *, variable: str) -> None:
    """Plain http would show the key to everybody on the way, so it stays inside a network."""
    host = parts.hostname or ""
    address = _ip_address(host)
    if address is not None and (address.is_link_local or address.is_multicast):
        raise NotAnEndpoint(f"{variable} names {host!r}, where clouds keep credentials.")
    if parts.scheme == "https":
        return
    is_private = _is_private_name(host) if address is None else address.is_private
    if not is_private:
        raise NotAnEndpoint(
            f"{variable} has to begin with https://: http:// is for loopback and private hosts,"
            f" and {host!r} is neither."
        )


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_private_name(host: str) -> bool:
    """A name of one word, such as a container's, means nothing outside its network."""
    is_one_word = "." not in host and not host.isdigit() and not host.startswith("0x")
    return is_one_word or host.endswith(PRIVATE_NAME_ENDINGS)
