"""The tree is RFC 6962's, its proofs prove, and nothing that was changed in one passes."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.audit.public_log import merkle
from ainfera_server.audit.public_log.merkle import NotAProof

VECTOR_LEAVES = tuple(
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
)
VECTOR_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The roots that the reference implementations of Certificate Transparency test themselves with."""

SIZE_MAX = 70


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, by its letter."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = naive_split(len(hashes))
    return merkle.node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


def naive_path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    split = naive_split(len(hashes))
    if index < split:
        return [*naive_path(index, hashes[:split]), naive_root(hashes[split:])]
    return [*naive_path(index - split, hashes[split:]), naive_root(hashes[:split])]


def naive_subproof(old_size: int, hashes: Sequence[bytes], *, is_known: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    if old_size == len(hashes):
        return [] if is_known else [naive_root(hashes)]
    split = naive_split(len(hashes))
    if old_size <= split:
        left = naive_subproof(old_size, hashes[:split], is_known=is_known)
        return [*left, naive_root(hashes[split:])]
    right = naive_subproof(old_size - split, hashes[split:], is_known=False)
    return [*right, naive_root(hashes[:split])]


def naive_split(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split


def test_the_roots_are_those_of_certificate_transparency() -> None:
    hashes = [merkle.leaf_hash(one) for one in VECTOR_LEAVES]
    assert tuple(merkle.root(hashes[:size]).hex() for size in range(9)) == VECTOR_ROOTS


@pytest.mark.parametrize("size", range(SIZE_MAX))
def test_roots_and_proofs_are_those_of_the_naive_algorithms(size: int) -> None:
    hashes = leaves(size)
    root = merkle.root(hashes)
    assert root == naive_root(hashes)
    for index in range(size):
        proof = merkle.inclusion_proof(hashes, index=index)
        assert list(proof) == naive_path(index, hashes)
        reached = merkle.root_of_inclusion(hashes[index], index=index, size=size, proof=proof)
        assert reached == root
    for old_size in range(1, size + 1):
        proof = merkle.consistency_proof(hashes, old_size=old_size)
        assert list(proof) == naive_subproof(old_size, hashes, is_known=True)
        old_root = merkle.root(hashes[:old_size])
        merkle.check_consistency(
            old_size=old_size, old_root=old_root, new_size=size, new_root=root, proof=proof
        )


@given(st.integers(1, SIZE_MAX), st.data())
def test_every_part_of_a_tree_is_made_of_its_complete_subtrees(
    size: int, data: st.DataObject
) -> None:
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    for part in merkle.inclusion_path(index=index, size=size):
        folded = merkle.range_hash(
            part, lambda node: naive_root(hashes[node.index << node.level :][: 1 << node.level])
        )
        assert folded == naive_root(hashes[part.start : part.stop])


@given(st.integers(1, SIZE_MAX), st.data())
def test_an_inclusion_proof_with_one_bit_changed_does_not_lead_to_the_root(
    size: int, data: st.DataObject
) -> None:
    hashes = leaves(size)
    root = merkle.root(hashes)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(hashes, index=index)
    flipped = flip(data, [hashes[index], *proof])
    assert not leads_to(root, flipped[0], index, size, flipped[1:])
    for other in range(size):
        assert leads_to(root, hashes[index], other, size, proof) == (other == index)
    for cut in ([*proof, bytes(32)], proof[:-1], proof[1:], [*proof, root]):
        assert cut == proof or not leads_to(root, hashes[index], index, size, cut)


@given(st.integers(1, SIZE_MAX), st.data())
def test_a_consistency_proof_with_one_bit_changed_is_refused(
    size: int, data: st.DataObject
) -> None:
    hashes = leaves(size)
    old_size = data.draw(st.integers(1, size))
    whole = [
        merkle.root(hashes[:old_size]),
        merkle.root(hashes),
        *merkle.consistency_proof(hashes, old_size=old_size),
    ]
    flipped = flip(data, whole)
    assert continues(old_size, size, whole)
    assert not continues(old_size, size, flipped)
    assert not continues(old_size, size, [*whole, bytes(32)])
    assert not continues(size + 1, size, whole)
    if len(whole) > 2:
        assert not continues(old_size, size, whole[:-1])


@given(st.integers(2, SIZE_MAX), st.data())
def test_a_log_that_changed_an_old_leaf_cannot_prove_that_it_only_grew(
    size: int, data: st.DataObject
) -> None:
    hashes = leaves(size)
    old_size = data.draw(st.integers(1, size - 1))
    old_root = merkle.root(hashes[:old_size])
    hashes[data.draw(st.integers(0, old_size - 1))] = merkle.leaf_hash(b"rewritten")
    proof = merkle.consistency_proof(hashes, old_size=old_size)
    assert not continues(old_size, size, [old_root, merkle.root(hashes), *proof])


def test_an_empty_tree_grows_into_any_and_nothing_else_is_proved_by_nothing() -> None:
    root = merkle.root(leaves(3))
    assert continues(0, 3, [merkle.EMPTY_ROOT, root])
    assert continues(0, 0, [merkle.EMPTY_ROOT, merkle.EMPTY_ROOT])
    assert not continues(0, 3, [root, root])
    assert not continues(0, 3, [merkle.EMPTY_ROOT, root, root])
    assert not continues(0, 0, [merkle.EMPTY_ROOT, root])
    assert not continues(2, 3, [merkle.root(leaves(2)), root])
    assert not continues(3, 3, [root, merkle.root(leaves(2))])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (0, 2**63), (5, 3)])
def test_a_place_outside_of_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(NotAProof):
        merkle.root_of_inclusion(bytes(32), index=index, size=size, proof=(bytes(32),) * 2)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(NotAProof, match="32 bytes"):
        merkle.root_of_inclusion(bytes(32), index=0, size=2, proof=(bytes(length),))
    with pytest.raises(NotAProof, match="32 bytes"):
        merkle.root_of_inclusion(bytes(length), index=0, size=1, proof=())


def flip(data: st.DataObject, hashes: Sequence[bytes]) -> list[bytes]:
    """Change one bit of one hash."""
    which = data.draw(st.integers(0, len(hashes) - 1))
    bit = data.draw(st.integers(0, 255))
    octets = bytearray(hashes[which])
    octets[bit // 8] ^= 1 << bit % 8
    return [*hashes[:which], bytes(octets), *hashes[which + 1 :]]


def leads_to(root: bytes, leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bool:
    try:
        return merkle.root_of_inclusion(leaf, index=index, size=size, proof=proof) == root
    except NotAProof:
        return False


def continues(old_size: int, new_size: int, roots_and_proof: Sequence[bytes]) -> bool:
    old_root, new_root, *proof = roots_and_proof
    try:
        merkle.check_consistency(
            old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, proof=proof
        )
    except NotAProof:
        return False
    return True
