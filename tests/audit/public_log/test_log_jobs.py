"""What runs on a clock for the public log, and what an operator may set about it."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ainfera_server import background
from ainfera_server import settings as environment_settings
from ainfera_server.audit.public_log import checkpoint_file, log, notes
from ainfera_server.gateway import Gateway
from ainfera_server.settings import BadSetting
from tests.audit.public_log import cosigning, logs
from tests.audit.public_log.cosigning import FollowingWitness, Signing

WITNESS = Signing(name="witness.example/w1", seed=b"w" * 32)
OTHER = Signing(name="witness.example/w2", seed=b"o" * 32)


def counted(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(f"ainfera_log_{name}")


async def test_the_job_publishes_and_tells_how_far_it_is(gateway: Gateway) -> None:
    await logs.add_events(gateway.pools, 7)
    await background.publish_log(gateway)
    await logs.add_events(gateway.pools, 5_000)
    await background.publish_log(gateway)
    registry = gateway.metrics.registry
    assert counted(registry, "size") == 5_007
    assert counted(registry, "waiting") == 0
    assert (counted(registry, "checkpoint_age_seconds") or 0) >= 0
    assert counted(registry, "refusals_total") == 0
    assert [one.size for one in await logs.checkpoints(gateway.pools)] == [7, 4_103, 5_007]


async def test_what_is_published_is_appended_to_the_file_that_is_set(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "checkpoints"
    kept = replace(gateway, settings=replace(gateway.settings, log_checkpoint_file=file))
    for count in (3, 4):
        await logs.add_events(gateway.pools, count)
        await background.publish_log(kept)
    noted = "".join(one.note for one in await logs.checkpoints(gateway.pools))
    assert file.read_text() == noted
    origin = log.origin(gateway.public_url)
    assert checkpoint_file.last(file, origin=origin) == noted[-len(noted) // 2 :].encode()
    file.write_text("somebody's own words\n")
    await logs.add_events(gateway.pools, 1)
    await background.publish_log(kept)
    assert file.read_text() == "somebody's own words\n"
    assert [one.getMessage() for one in caplog.records] == ["checkpoint_not_kept_in_file"]
    assert [one.size for one in await logs.checkpoints(gateway.pools)] == [3, 7, 8]


async def test_every_witness_that_is_set_is_asked(gateway: Gateway) -> None:
    await logs.add_events(gateway.pools, 3)
    await background.publish_log(gateway)
    key = notes.log_key(log.origin(gateway.public_url), gateway.log_signer).text
    first = FollowingWitness(log_key=key, signing=WITNESS)
    second = FollowingWitness(log_key=key, signing=OTHER)
    with cosigning.serving(first) as one, cosigning.serving(second) as two:
        await background.ask_witnesses(replace(gateway, witnesses=(one, two)))
        await background.ask_witnesses(replace(gateway, witnesses=(one, two)))
    assert (len(first.asked), len(second.asked)) == (1, 1)
    assert first.seen == second.seen
    assert first.seen is not None


async def test_a_server_that_moved_says_that_its_log_keeps_its_name(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    await background.compare_log_identity(gateway)
    await logs.add_events(gateway.pools, 3)
    await background.publish_log(gateway)
    await background.compare_log_identity(gateway)
    assert caplog.records == []
    await background.compare_log_identity(replace(gateway, public_url="https://new.example"))
    assert [one.getMessage() for one in caplog.records] == ["public_log_keeps_its_origin"]


def test_witnesses_and_a_file_are_set_by_the_environment() -> None:
    read = environment_settings.from_environment(
        {
            "AINFERA_LOG_WITNESSES": f"{WITNESS.verifier_key} https://w.example/a/ ,\n"
            f" {OTHER.verifier_key} http://127.0.0.1:8000",
            "AINFERA_LOG_CHECKPOINT_FILE": "/srv/checkpoints",
        }
    )
    assert read.log_witnesses == (
        (WITNESS.verifier_key, "https://w.example/a"),
        (OTHER.verifier_key, "http://127.0.0.1:8000"),
    )
    assert read.log_checkpoint_file == Path("/srv/checkpoints")
    assert environment_settings.from_environment({}).log_witnesses == ()


@pytest.mark.parametrize(
    "text",
    [
        WITNESS.verifier_key,
        "https://w.example",
        f"https://w.example {WITNESS.verifier_key}",
        f"{WITNESS.verifier_key} ftp://w.example",
        f"{WITNESS.verifier_key} https://user:word@w.example",
        f"{WITNESS.verifier_key[:-1]} https://w.example",
        f"{WITNESS.verifier_key.replace('w1', 'w2')} https://w.example",
        f"{logs.VERIFIER_KEY} https://w.example",
        f"{WITNESS.verifier_key} https://w.example,",
    ],
)
def test_witnesses_that_cannot_be_right_are_refused_at_the_start(text: str) -> None:
    with pytest.raises(BadSetting, match="AINFERA_LOG_WITNESSES"):
        environment_settings.from_environment({"AINFERA_LOG_WITNESSES": text})
