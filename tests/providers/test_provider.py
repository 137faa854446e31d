"""Providers are what their vendors say, and a credential is only ever sent where it belongs."""

import copy
import pickle

import pytest

from ainfera_server import settings
from ainfera_server.providers import PROVIDERS
from ainfera_server.providers.local import LOCAL
from ainfera_server.providers.openai import OPENAI
from ainfera_server.providers.provider import NotAnEndpoint, Secret, endpoint, endpoints
from tests.promises import proves

KEY = "sk-canary-0123456789"


def test_each_provider_has_its_own_name_and_variables() -> None:
    assert len({one.slug for one in PROVIDERS}) == len(PROVIDERS)
    assert len({one.base_url_variable for one in PROVIDERS}) == len(PROVIDERS)


def test_the_settings_know_every_provider_that_takes_a_key() -> None:
    with_key = [one for one in PROVIDERS if one.key_variable is not None]
    assert tuple(one.slug for one in with_key) == settings.PROVIDER_SLUGS
    for one in with_key:
        assert one.key_variable == f"{one.slug.upper()}_API_KEY"
        assert one.base_url_variable == f"{one.slug.upper()}_BASE_URL"


def test_the_local_provider_is_addressed_by_the_setting_of_that_name() -> None:
    assert LOCAL.base_url_variable in {one.name for one in settings.SETTINGS}


@proves("no-provider-key-no-candidate")
def test_without_keys_and_addresses_nobody_can_be_called() -> None:
    assert endpoints(PROVIDERS, keys={}, base_urls={}) == {}


@proves("no-provider-key-no-candidate")
def test_an_address_alone_does_not_make_a_provider_callable() -> None:
    base_urls = {one.slug: "http://127.0.0.1:9" for one in PROVIDERS}
    assert set(endpoints(PROVIDERS, keys={}, base_urls=base_urls)) == {"local"}


def test_a_key_makes_its_provider_callable_at_the_vendors_address() -> None:
    found = endpoints(PROVIDERS, keys={"openai": KEY}, base_urls={})
    assert {slug: one.base_url for slug, one in found.items()} == {
        "openai": "https://api.openai.com/v1"
    }


def test_every_default_address_is_one_we_would_take_from_an_operator() -> None:
    found = endpoints(PROVIDERS, keys={one.slug: KEY for one in PROVIDERS}, base_urls={})
    for one in found.values():
        assert one.base_url == one.provider.base_url
        assert one.base_url.startswith("https://")
    assert set(found) == set(settings.PROVIDER_SLUGS)


@proves("base-url-means-what-the-vendor-means")
def test_an_operators_address_replaces_the_vendors() -> None:
    found = endpoint(OPENAI, key=KEY, base_url="https://proxy.example.com/openai/v1/")
    assert found is not None
    assert found.base_url == "https://proxy.example.com/openai/v1"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:8080/v1",
        "http://localhost:8080",
        "http://[::1]:8080",
        "http://10.1.2.3/v1",
        "http://192.168.0.7:11434/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "http://ollama:11434/v1",
        "http://vllm.internal/v1",
        "https://api.example.com/v1",
        "https://203.0.113.9/v1",
    ],
)
def test_an_address_is_taken_when_nobody_on_the_way_can_read_the_key(base_url: str) -> None:
    assert endpoint(OPENAI, key=KEY, base_url=base_url) is not None


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.com/v1",
        "http://8.8.8.8/v1",
        "http://[::ffff:8.8.8.8]/v1",
        "http://134744072/v1",
        "http://0x08080808/v1",
        "http://169.254.169.254/latest",
        "https://169.254.169.254/latest",
        "http://[fe80::1]/v1",
        "http://[::ffff:169.254.169.254]/",
        "http://224.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "127.0.0.1:8080",
        "https://",
        "https:///v1",
        "https://user:password@api.example.com/v1",
        "https://@api.example.com/v1",
        "https://api.example.com/v1?key=1",
        "https://api.example.com/v1#part",
        "https://api.example.com:99999/v1",
        "https://api.example.com:port/v1",
        "https://[::1/v1",
        "https://api.example.com/a b",
        "https://api.example.com\\@127.0.0.1/",
        "https://api.example.com/\r\nx-header: 1",
        "https://аpi.example.com/v1",  # noqa: RUF001  (the first letter is Cyrillic)
    ],
)
def test_an_address_that_could_lead_astray_is_refused_by_the_name_of_its_variable(
    base_url: str,
) -> None:
    with pytest.raises(NotAnEndpoint, match="OPENAI_BASE_URL"):
        endpoint(OPENAI, key=KEY, base_url=base_url)


@proves("secrets-stay")
@pytest.mark.parametrize("ending", ["\n", " x", "\r\nx-header: 1", "ключ", "\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(ending: str) -> None:
    with pytest.raises(NotAnEndpoint, match="OPENAI_API_KEY") as refused:
        endpoint(OPENAI, key=KEY + ending, base_url=None)
    assert KEY not in str(refused.value)


@proves("secrets-stay")
def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(KEY)
    found = endpoint(OPENAI, key=KEY, base_url=None)
    for shown in (str(secret), repr(secret), str(found), repr(found)):
        assert KEY not in shown
        assert "***" in shown
    assert secret.revealed() == KEY


@proves("secrets-stay")
def test_a_secret_cannot_be_written_down() -> None:
    for write_down in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            write_down(Secret(KEY))
