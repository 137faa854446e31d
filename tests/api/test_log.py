"""The public log over HTTP: what others' tools ask for, byte for byte, and nothing else."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httpx
import pytest

from ainfera_server.audit.public_log import log, merkle, notes, sequencer, tiles
from ainfera_server.audit.public_log.notes import Checkpoint
from ainfera_server.postgres import pool
from ainfera_server.settings import Settings
from tests import running_server
from tests.audit.public_log import cosigning, logs
from tests.promises import proves
from tests.running_server import RunningServer, json_of

WITNESS = cosigning.Signing(name="witness.example/w1", seed=b"w" * 32)
SIZE = 600
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLog:
    """A server whose log was published, and what is in it."""

    server: RunningServer
    entries: list[bytes]
    key: str

    def get(self, path: str, status: int = 200) -> httpx.Response:
        """Ask as a stranger."""
        answer = httpx.get(f"{self.server.url}/log{path}", timeout=30)
        assert answer.status_code == status, answer.text
        return answer

    def checkpoint(self, path: str = "/checkpoint") -> Checkpoint:
        """A checkpoint that is signed as it has to be."""
        note = self.get(path).content
        return notes.read_checkpoint(note, verifier_keys=(self.key,)).checkpoint


@pytest.fixture(scope="module")
def published(
    new_database: Callable[[str], AbstractContextManager[str]],
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PublishedLog]:
    """A log of 600 entries, the last of them in a second turn."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("log"),
        log_witnesses=((WITNESS.verifier_key, "http://127.0.0.1:9"),),
    )
    with (
        new_database(migrated_template) as database,
        running_server.serving(database, settings) as server,
    ):
        entries = asyncio.run(fill(database, server))
        key = json_of(httpx.get(f"{server.url}/.well-known/ainfera-public-key.json"))["log"]
        yield PublishedLog(server=server, entries=entries, key=key["verifier_key"])


async def fill(database: str, server: RunningServer) -> list[bytes]:
    """Publish as the server's own job does, in a loop of its own."""
    gateway = server.gateway
    origin = log.origin(gateway.public_url)
    async with pool.opened(database) as pools:
        held = len(await logs.entries(pools))
        for count in (SIZE - held - 100, 100):
            await logs.add_events(pools, count)
            await sequencer.publish(pools.writer, origin=origin, signer=gateway.log_signer)
        return await logs.entries(pools)


def test_the_log_as_c2sp_says_it_is_served(published: PublishedLog) -> None:
    answer = published.get("/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    checkpoint = published.checkpoint()
    assert checkpoint.size == SIZE
    assert checkpoint.root == logs.root(published.entries)
    leaf_hashes = [merkle.leaf_hash(one) for one in published.entries]
    found: list[bytes] = []
    for path in ("/tile/0/000", "/tile/0/001", "/tile/0/002.p/88"):
        tile = published.get(path)
        assert tile.headers["content-type"] == "application/octet-stream"
        assert tile.headers["cache-control"] == FOR_EVER
        found += tiles.split_hashes(tile.content)
    assert found == leaf_hashes
    above = published.get("/tile/1/000.p/2").content
    assert above == merkle.root(leaf_hashes[:256]) + merkle.root(leaf_hashes[256:512])
    bundles = ("/tile/entries/000", "/tile/entries/001", "/tile/entries/002.p/88")
    entries = [one for path in bundles for one in tiles.split_entries(published.get(path).content)]
    assert entries == published.entries


def test_a_part_of_a_tile_is_served_after_it_has_grown(published: PublishedLog) -> None:
    whole = published.get("/tile/0/000").content
    assert published.get("/tile/0/000.p/7").content == whole[: 7 * 32]
    some = published.get("/tile/entries/001.p/3").content
    assert tiles.split_entries(some) == tuple(published.entries[256:259])


@pytest.mark.parametrize(
    "path",
    ["0/002", "0/002.p/89", "0/003.p/1", "1/000", "1/000.p/3", "2/000.p/1", "entries/002",
     "0/0", "9/000", "0/000.p/0", "entries/002.p/89", "words", "0/x000/000", "0/000/"],
)  # fmt: skip
def test_a_tile_that_is_not_there_yet_or_never_is_not_found(
    published: PublishedLog, path: str
) -> None:
    assert published.get(f"/tile/{path}", status=404).json()["error"]


def test_proofs_over_http_hold(published: PublishedLog) -> None:
    for index in (0, 255, 256, 599):
        document = published.get(f"/proof/inclusion?log_index={index}").json()
        proof = log.read_inclusion_proof(document)
        assert (proof.log_index, proof.tree_size) == (index, SIZE)
        log.check_inclusion(proof, published.entries[index], verifier_keys=(published.key,))
    old = published.checkpoint(f"/checkpoint/{SIZE - 100}")
    new = published.checkpoint()
    answer = published.get(f"/proof/consistency?old_size={old.size}&new_size={new.size}")
    merkle.check_consistency(
        old_size=old.size,
        old_root=old.root,
        new_size=new.size,
        new_root=new.root,
        proof=log.read_hashes(answer.json()["hashes"]),
    )
    document = published.get(f"/proof/inclusion?log_index=3&tree_size={old.size}").json()
    proof = log.read_inclusion_proof(document)
    assert proof.tree_size == old.size
    log.check_inclusion(proof, published.entries[3], verifier_keys=(published.key,))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/proof/inclusion?log_index=600", 404),
        ("/proof/inclusion?log_index=3&tree_size=601", 404),
        ("/proof/inclusion?log_index=3&tree_size=77", 404),
        ("/proof/inclusion?log_index=550&tree_size=500", 404),
        ("/proof/inclusion?log_index=-1", 422),
        ("/proof/inclusion", 422),
        ("/proof/consistency?old_size=1&new_size=601", 404),
        ("/proof/consistency?old_size=8&new_size=7", 422),
        ("/proof/consistency?old_size=0&new_size=7", 422),
        ("/proof/consistency?old_size=1_0&new_size=20", 422),
        ("/proof/consistency?old_size=1.0&new_size=7", 422),
        ("/proof/consistency?old_size=%2B1&new_size=7", 422),
        ("/proof/consistency?old_size=%201&new_size=7", 422),
        ("/proof/consistency?old_size=%D9%A1&new_size=7", 422),
        ("/proof/consistency?old_size=1&old_size=2&new_size=7", 422),
        ("/proof/inclusion?log_index=03", 422),
        ("/proof/inclusion?log_index=3&log_index=3", 422),
        ("/checkpoint/6_0", 422),
        ("/checkpoint/601", 404),
        ("/checkpoint/0", 404),
        ("/checkpoint/99999999999999999999999", 404),
        ("/checkpoint/words", 422),
    ],
)
def test_what_cannot_be_proved_is_refused(published: PublishedLog, path: str, status: int) -> None:
    assert published.get(path, status=status).json()["error"]


@proves("witnesses-are-heard")
def test_a_cosignature_is_taken_and_served_under_its_checkpoint(published: PublishedLog) -> None:
    old = SIZE - 100
    note = published.get(f"/checkpoint/{old}").text
    text = notes.read_note(note.encode()).text
    line = WITNESS.cosignature(text, time_s=cosigning.NOW_S).line
    published.get("/checkpoint/cosigned", status=404)
    answer = bring(published, note + line)
    assert json_of(answer) == {"cosignatures": [{"witness": WITNESS.name, "time": cosigning.NOW_S}]}
    for path in (f"/checkpoint/{old}", "/checkpoint/cosigned"):
        served = published.get(path).text
        assert served == note + line
    assert published.get("/checkpoint").text.count("\u2014") == 1
    refused: tuple[tuple[str, int], ...] = (
        (note, 422),
        (note + line.replace("w1", "w2"), 422),
        (note.replace(f"\n{old}\n", f"\n{old + 1}\n") + line, 404),
        ("", 422),
    )
    for broken, status in refused:
        assert bring(published, broken).status_code == status


def bring(published: PublishedLog, note: str) -> httpx.Response:
    return httpx.post(f"{published.server.url}/log/cosignature", json={"note": note}, timeout=30)


def test_the_key_of_the_log_stands_beside_the_others_and_is_another(
    published: PublishedLog,
) -> None:
    document = json_of(httpx.get(f"{published.server.url}/.well-known/ainfera-public-key.json"))
    key = notes.read_verifier_key(document["log"]["verifier_key"])
    assert key.name == document["log"]["origin"] == log.origin(published.server.url)
    assert key.public_key_pem == document["log"]["public_key_pem"]
    assert document["log"]["url"] == f"{published.server.url}/log"
    assert key.public_key_pem not in {one["public_key_pem"] for one in document["keys"]}


def test_before_anything_is_published_nothing_is_there(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/log/checkpoint").status_code == 404
    assert httpx.get(f"{server.url}/log/tile/0/000.p/1").status_code == 404
    document = json_of(httpx.get(f"{server.url}/.well-known/ainfera-public-key.json"))
    assert document["log"] is None
