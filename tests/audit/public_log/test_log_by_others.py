"""Another project's code reads our checkpoints and finds our proofs right: sigstore's client.

It reads the transparency log of Sigstore in the same formats, and shares no line with ours.
"""

import base64
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

from ainfera_server.audit import signing
from ainfera_server.audit.public_log import log_store, notes
from ainfera_server.audit.public_log.log import InclusionProof
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from tests.audit.public_log import cosigning, logs
from tests.promises import proves

SIZE = 600
KEY = notes.read_verifier_key(logs.VERIFIER_KEY)


def as_sigstore_has_it(proof: InclusionProof, entry: bytes) -> Any:
    """The proof in the members that sigstore's verifiers look at."""
    root = notes.read_checkpoint(
        proof.checkpoint.encode(), verifier_keys=(logs.VERIFIER_KEY,)
    ).checkpoint.root
    inclusion = SimpleNamespace(
        log_index=proof.log_index,
        tree_size=proof.tree_size,
        hashes=list(proof.hashes),
        root_hash=root,
        checkpoint=SimpleNamespace(envelope=proof.checkpoint),
    )
    inner = SimpleNamespace(
        inclusion_proof=inclusion,
        canonicalized_body=entry,
        log_id=SimpleNamespace(key_id=KEY.key_id),
    )
    return SimpleNamespace(_inner=inner)


def keyring(verifier_key: str = logs.VERIFIER_KEY) -> RekorKeyring:
    """Sigstore's keyring with a log's key, as its trusted root would bring it."""
    pem = notes.read_verifier_key(verifier_key).public_key_pem
    published = PublicKey(
        raw_bytes=base64.b64encode(base64.b64decode("".join(pem.split("\n")[1:-2]))),
        key_details=PublicKeyDetails.PKIX_ED25519,
    )
    return RekorKeyring(Keyring([published]))


@pytest_asyncio.fixture
async def entries(pools: Pools) -> list[bytes]:
    """A log in two turns, so that its tiles are in pieces."""
    for _ in range(2):
        await logs.add_events(pools, SIZE // 2)
        await logs.publish(pools)
    return await logs.entries(pools)


async def proof_of(pools: Pools, index: int) -> InclusionProof:
    async with tenancy.public_transaction(pools.app) as connection:
        proof = (await log_store.proofs(connection, (index + 1,)))[index + 1]
    assert proof is not None
    return proof


@proves("log-proofs-hold")
async def test_sigstore_reads_our_checkpoint_and_takes_its_signature(
    pools: Pools, entries: list[bytes]
) -> None:
    proof = await proof_of(pools, 0)
    read = SignedCheckpoint.from_text(proof.checkpoint)
    assert (read.checkpoint.origin, read.checkpoint.log_size) == (logs.ORIGIN, SIZE)
    assert read.checkpoint.log_hash == logs.root(entries).hex()
    assert read.checkpoint.other_content == []
    verify_checkpoint(keyring(), as_sigstore_has_it(proof, entries[0]))
    others = notes.log_key(logs.ORIGIN, signing.signer(b"x" * 32)).text
    with pytest.raises(VerificationError):
        verify_checkpoint(keyring(others), as_sigstore_has_it(proof, entries[0]))


@proves("log-proofs-hold")
async def test_sigstore_finds_our_proofs_from_tiles_right(
    pools: Pools, entries: list[bytes]
) -> None:
    for index in (0, 1, 254, 255, 256, 299, 300, 511, 512, 598, 599):
        proof = await proof_of(pools, index)
        verify_merkle_inclusion(as_sigstore_has_it(proof, entries[index]))
        with pytest.raises(VerificationError):
            verify_merkle_inclusion(as_sigstore_has_it(proof, entries[index] + b" "))


async def test_sigstore_reads_a_checkpoint_that_witnesses_cosigned(
    pools: Pools, entries: list[bytes]
) -> None:
    proof = await proof_of(pools, 0)
    witness = cosigning.Signing(name="witness.example", seed=b"w" * 32)
    text = notes.read_note(proof.checkpoint.encode()).text
    line = witness.cosignature(text, time_s=cosigning.NOW_S).line
    cosigned = replace(proof, checkpoint=proof.checkpoint + line)
    verify_checkpoint(keyring(), as_sigstore_has_it(cosigned, entries[0]))
