"""The Merkle tree of RFC 6962: hashes, roots, and proofs that anybody can check.

A root does not say how many leaves are under it. Whoever checks takes a size and its root from one
signed checkpoint; a size from anywhere else proves nothing.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1
EMPTY_ROOT = hashlib.sha256(b"").digest()


class NotAProof(ValueError):
    """A proof does not prove what it is said to prove; the text says where it breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The top of a complete subtree: of the `2**level` leaves from `index * 2**level` on."""

    level: int
    index: int


HashOf = Callable[[Node], bytes]
"""Where the hash of a node comes from: leaves in memory, or stored tiles."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry; the first byte keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over these leaves."""
    if not leaf_hashes:
        return EMPTY_ROOT
    row = leaf_hashes
    while len(row) > 1:
        above = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        # A last one without a neighbour goes up as it is.
        row = [*above, row[-1]] if len(row) % 2 else above
    return row[0]


def inclusion_proof(leaf_hashes: Sequence[bytes], *, index: int) -> tuple[bytes, ...]:
    """The hashes that lead from a leaf to the root over all of these leaves."""
    path = inclusion_path(index=index, size=len(leaf_hashes))
    return tuple(root(leaf_hashes[leaves.start : leaves.stop]) for leaves in path)


def consistency_proof(leaf_hashes: Sequence[bytes], *, old_size: int) -> tuple[bytes, ...]:
    """The hashes that show that the first `old_size` leaves were only added to."""
    path = consistency_path(old_size=old_size, new_size=len(leaf_hashes))
    return tuple(root(leaf_hashes[leaves.start : leaves.stop]) for leaves in path)


def inclusion_path(*, index: int, size: int) -> tuple[range, ...]:
    """Which leaves are under each hash of an inclusion proof, from the leaf upwards."""
    assert 0 <= index < size <= SIZE_MAX, "the leaf is in the tree"
    path: list[range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_of(end - start)
        if index < middle:
            path.append(range(middle, end))
            end = middle
        else:
            path.append(range(start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_path(*, old_size: int, new_size: int) -> tuple[range, ...]:
    """Which leaves are under each hash of a consistency proof, from the old end upwards."""
    assert 0 <= old_size <= new_size <= SIZE_MAX, "a log only grows"
    path: list[range] = []
    start, end = 0, new_size if old_size else 0
    while end > old_size:
        middle = start + _left_of(end - start)
        if old_size <= middle:
            path.append(range(middle, end))
            end = middle
        else:
            path.append(range(start, middle))
            start = middle
    if start > 0:
        path.append(range(start, end))
    return tuple(reversed(path))


def subtrees(leaves: range) -> tuple[Node, ...]:
    """The complete subtrees over leaves that begin where a tree of theirs would begin."""
    found: list[Node] = []
    start = leaves.start
    while start < leaves.stop:
        level = (leaves.stop - start).bit_length() - 1
        assert start % (1 << level) == 0, "a subtree begins at a multiple of its size"
        found.append(Node(level=level, index=start >> level))
        start += 1 << level
    return tuple(found)


def range_hash(leaves: range, hash_of: HashOf) -> bytes:
    """The root over a part of the tree, from the hashes of its complete subtrees."""
    hashes = [hash_of(node) for node in subtrees(leaves)]
    if not hashes:
        return EMPTY_ROOT
    folded = hashes.pop()
    while hashes:
        folded = node_hash(hashes.pop(), folded)
    return folded


def root_of_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a proof leads to from a leaf's hash; compare it with the signed one.

    Raises NotAProof when no proof for this place in a tree of this size looks like that.
    """
    _require_size(size)
    if not 0 <= index < size:
        raise NotAProof(f"leaf {index} is not in a tree of {size}")
    _require_hashes(leaf, *proof)
    place, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise NotAProof("the proof goes on above the root")
        if place % 2 or place == last:
            reached = node_hash(sibling, reached)
            # The last leaf of a row has no neighbour until it is a right child.
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise NotAProof("the proof ends below the root")
    return reached


def check_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree is the old one with leaves added behind. Raises NotAProof."""
    _require_size(old_size)
    _require_size(new_size)
    _require_hashes(old_root, new_root, *proof)
    if old_size > new_size:
        raise NotAProof(f"the log shrank from {old_size} to {new_size}")
    if old_size in {0, new_size}:
        _check_without_proof(old_size, old_root, new_size, new_root, proof)
        return
    reached_old, reached_new = _roots_of_consistency(old_size, old_root, new_size, proof)
    if reached_old != old_root:
        raise NotAProof("the proof does not lead to the old root")
    if reached_new != new_root:
        raise NotAProof("the proof does not lead to the new root")


def _check_without_proof(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """An empty tree grows into any other, and a tree is consistent with itself."""
    if proof:
        raise NotAProof("nothing is to be proved, and a proof was given")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise NotAProof("the old tree is empty, and its root is not the empty tree's")
    if old_size == new_size and old_root != new_root:
        raise NotAProof(f"two different trees have the size {new_size}")


def _roots_of_consistency(
    old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The two roots that a proof leads to, after RFC 9162, 2.1.4.2."""
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise NotAProof("the proof is empty")
    place, last = old_size - 1, new_size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    reached_old = reached_new = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            raise NotAProof("the proof goes on above the root")
        if place % 2 or place == last:
            reached_old = node_hash(one, reached_old)
            reached_new = node_hash(one, reached_new)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            reached_new = node_hash(reached_new, one)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise NotAProof("the proof ends below the root")
    return reached_old, reached_new


def _left_of(size: int) -> int:
    """How many of the leaves go left: the largest power of two below their number."""
    return 1 << ((size - 1).bit_length() - 1)


def _require_size(size: int) -> None:
    if not 0 <= size <= SIZE_MAX:
        raise NotAProof(f"no tree has the size {size}")


def _require_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise NotAProof(f"a hash is not {HASH_BYTES} bytes long")
