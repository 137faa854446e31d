"""What an operator sets is read once, checked, and refused with a line that names it."""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import settings
from ainfera_server.settings import PROVIDER_SLUGS, SETTINGS, BadSetting, Settings
from tests.promises import proves

CANARY = "canary-7f3a"


def test_nothing_set_gives_the_defaults() -> None:
    read = settings.from_environment({"HOME": "/people/ann"})
    assert read == Settings(data_dir=read.data_dir)
    assert (read.host, read.port, read.workers) == ("127.0.0.1", 8080, 1)


def test_what_is_empty_counts_as_not_set() -> None:
    empty = {one.name: "  " for one in SETTINGS}
    keys = {f"{slug.upper()}_{what}": "" for slug in PROVIDER_SLUGS for what in ("API_KEY",)}
    assert settings.from_environment({**empty, **keys}) == settings.from_environment({})


def test_every_field_has_exactly_one_variable() -> None:
    fields = [one.field for one in SETTINGS if one.field is not None]
    of_providers = {"provider_keys", "provider_base_urls"}
    assert sorted(fields) == sorted(set(Settings.__slots__) - of_providers)
    names = [one.name for one in SETTINGS]
    assert len(names) == len(set(names))
    assert all(one.meaning.endswith(".") for one in SETTINGS)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("AINFERA_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("AINFERA_PORT", "65535", "port", 65535),
        ("AINFERA_WORKERS", " 4 ", "workers", 4),
        ("AINFERA_DATA_DIR", "/srv/a b", "data_dir", Path("/srv/a b")),
        ("AINFERA_DATABASE_URL", "postgres://h/d", "database_url", "postgres://h/d"),
        ("AINFERA_PUBLIC_URL", "https://a.example/x/", "public_url", "https://a.example/x"),
        ("AINFERA_CARD_ALG", "EdDSA", "card_alg", "EdDSA"),
        ("AINFERA_SIGNUP_GRANT_USD", "0.25", "signup_grant", 250_000),
        *(("AINFERA_MARGIN", text, "margin", Decimal(text)) for text in ("0", "0.050001", "1")),
        ("AINFERA_CELL_MIN_QUALITY_LIVE", "1", "floor_per_task_type_is_live", True),
        ("AINFERA_CELL_MIN_QUALITY_LIVE", "0", "floor_per_task_type_is_live", False),
        ("AINFERA_DRAIN_TIMEOUT_S", "0", "drain_timeout_s", 0),
    ],
)
def test_a_variable_fills_its_field(name: str, text: str, field: str, value: object) -> None:
    assert getattr(settings.from_environment({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("AINFERA_PORT", text)
            for text in ("0", "65536", "http", "-1", "8_080", "\uff18\uff10", "1.5")
        ),
        *(("AINFERA_WORKERS", text) for text in ("0", "65")),
        *(("AINFERA_DATABASE_URL", text) for text in ("mysql://h/d", "h/d", "sqlite:///x")),
        *(("AINFERA_PUBLIC_URL", text) for text in ("a.example", "ftp://a", "http://", "//a")),
        *(("AINFERA_PUBLIC_URL", f"https://{rest}") for rest in ("u@a", "a?q=1", "a#f")),
        *(("AINFERA_CARD_ALG", text) for text in ("RS256", "es256")),
        *(("AINFERA_SIGNUP_GRANT_USD", text) for text in ("-1", "five", "1e99", "0.0000001")),
        *(("AINFERA_MARGIN", text) for text in ("1.01", "-0", "0.0000001", "5%", ".5", "1e-2")),
        *(("AINFERA_CELL_MIN_QUALITY_LIVE", text) for text in ("yes", "true", "2")),
        *(("AINFERA_ROUTING_PREFERENCE_LIVE", text) for text in ("on", "true")),
        *(("AINFERA_DEMO", text) for text in ("no", "-1")),
        ("OPENAI_BASE_URL", "api.openai.com"),
        ("ANTHROPIC_BASE_URL", "https://key@api.anthropic.com"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(BadSetting) as refused:
        settings.from_environment({name: text})
    sentence = str(refused.value)
    assert sentence.startswith(f"{name}: ")
    assert "needed" in sentence
    assert "\n" not in sentence


@given(st.sampled_from(SETTINGS), st.text(st.characters(exclude_characters="\x00")))
def test_no_text_at_all_is_more_than_refused(variable: settings.Variable, text: str) -> None:
    try:
        settings.from_environment({variable.name: text})
    except BadSetting as refused:
        sentence = str(refused)
    else:
        return
    assert sentence.startswith(f"{variable.name}: ")


@proves("secrets-stay")
def test_no_secret_shows_in_the_text_form_of_the_settings_or_in_a_refusal() -> None:
    said = {
        "AINFERA_DATABASE_URL": f"postgresql://ann:{CANARY}@h/d",
        "AINFERA_SECRET": CANARY,
        **{f"{slug.upper()}_API_KEY": CANARY for slug in PROVIDER_SLUGS},
    }
    read = settings.from_environment(said)
    assert read.provider_keys == dict.fromkeys(PROVIDER_SLUGS, CANARY)
    assert CANARY not in repr(read)
    with pytest.raises(BadSetting) as refused:
        settings.from_environment({"AINFERA_DATABASE_URL": f"mysql://ann:{CANARY}@h/d"})
    assert CANARY not in str(refused.value)


def test_only_known_providers_are_read_and_an_address_alone_is_no_key() -> None:
    read = settings.from_environment(
        {"ACME_API_KEY": "x", "GROQ_BASE_URL": "http://127.0.0.1:9/openai/v1/"}
    )
    assert read.provider_keys == {}
    assert read.provider_base_urls == {"groq": "http://127.0.0.1:9/openai/v1"}


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/people/ann"}, "/people/ann/.local/share/ainfera"),
        ({"HOME": "/people/ann", "XDG_DATA_HOME": "/data"}, "/data/ainfera"),
        ({"HOME": "/people/ann", "XDG_DATA_HOME": "data"}, "/people/ann/.local/share/ainfera"),
        ({"HOME": "/people/ann", "AINFERA_DATA_DIR": "/srv"}, "/srv"),
    ],
)
def test_ordinary_users_keep_their_data_with_their_own(
    environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert settings.from_environment(environment).data_dir == Path(folder)


def test_root_keeps_its_data_with_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    read = settings.from_environment({"HOME": "/root", "XDG_DATA_HOME": "/data"})
    assert read.data_dir == Path("/var/lib/ainfera")


def test_the_preference_dial_is_asked_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, is_live in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("AINFERA_ROUTING_PREFERENCE_LIVE", text)
        assert settings.preference_is_live() is is_live
