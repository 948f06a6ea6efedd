"""Merkle trees of RFC 6962, section 2.1: roots, proofs that a record is in a log, and that a log only grew.

Leaves and nodes are hashed under different one-byte prefixes, so that neither passes for the other. A tree of n leaves
splits at the largest power of two below n. `Frontier` follows a log in O(log n) memory, `Tree` keeps every complete
node and so gives proofs; both take a leaf in amortised constant time. The checks follow RFC 9162, sections 2.1.3.2 and
2.1.4.2. All of it is pure: bytes in, bytes out.
"""

import hashlib
from collections.abc import Iterable, Sequence

LEAF, NODE = b"\0", b"\1"
HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """Hash of one record."""
    return hashlib.sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node over its two children."""
    return hashlib.sha256(NODE + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes; a tree of n leaves splits at the largest power of two below n."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(NODE + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


class Frontier:
    """A growing log seen from its right edge: the roots of its complete subtrees, largest first.

    Args:
        size: leaves already taken.
        nodes: roots of the complete subtrees of that many leaves, one for each bit of `size`, largest first.

    Raises:
        ValueError: the number of nodes is not that of a log of this size.
    """

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(nodes):
            raise ValueError(f"a log of {size} leaves has {size.bit_count()} complete subtrees, not {len(nodes)}")
        self.size = size
        self.nodes = list(nodes)

    def append(self, leaf: bytes) -> None:
        """Take one leaf hash."""
        nodes, size = self.nodes, self.size
        while size & 1:
            leaf = hashlib.sha256(NODE + nodes.pop() + leaf).digest()
            size >>= 1
        nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Root over all leaves taken so far."""
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


class Tree:
    """A log whose complete nodes are all kept, for proofs; 64 bytes a leaf.

    Args:
        leaves: leaf hashes to begin with.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        """Leaves taken."""
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Take one leaf hash."""
        for level in self._levels:
            level.append(leaf)
            if len(level) & 1:
                return
            leaf = node_hash(level[-2], level[-1])
        self._levels.append([leaf])

    def root(self, size: int | None = None) -> bytes:
        """Root over the first `size` leaves, all of them if None; raises ValueError beyond what was taken."""
        count = self._checked(len(self) if size is None else size)
        return self._root(0, count) if count else hashlib.sha256(b"").digest()

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Siblings of leaf `index` on its way to the root over the first `size` leaves, lowest first.

        Raises:
            ValueError: no such leaf, or no such size.

        Source: RFC 6962, section 2.1.1, PATH(m, D[n]).
        """
        count = self._checked(len(self) if size is None else size)
        if not 0 <= index < count:
            raise ValueError(f"there is no leaf {index} among {count}")
        start, stop, proof = 0, count, []
        while stop - start > 1:
            middle = start + _split(stop - start)
            if index < middle:
                proof.append(self._root(middle, stop))
                stop = middle
            else:
                proof.append(self._root(start, middle))
                start = middle
        return proof[::-1]

    def consistency_proof(self, first: int, second: int | None = None) -> list[bytes]:
        """Nodes that show the first `first` leaves to be a prefix of the first `second`.

        Raises:
            ValueError: sizes out of order or beyond what was taken; `first` is zero.

        Source: RFC 6962, section 2.1.2, PROOF(m, D[n]).
        """
        count = self._checked(len(self) if second is None else second)
        if not 0 < first <= count:
            raise ValueError(f"there is no prefix of {first} among {count} leaves")
        start, stop, proof, complete = 0, count, [], True
        while first != stop:
            middle = start + _split(stop - start)
            if first <= middle:
                proof.append(self._root(middle, stop))
                stop = middle
            else:
                proof.append(self._root(start, middle))
                start, complete = middle, False
        if not complete:
            proof.append(self._root(start, stop))
        return proof[::-1]

    def _checked(self, size: int) -> int:
        if not 0 <= size <= len(self):
            raise ValueError(f"there are {len(self)} leaves, not {size}")
        return size

    def _root(self, start: int, stop: int) -> bytes:
        """Root over leaves `start` to `stop`; `start` is a multiple of the power of two not below their number."""
        height = (stop - start).bit_length() - 1
        if stop - start == 1 << height:
            return self._levels[height][start >> height]
        middle = start + (1 << height)
        return node_hash(self._root(start, middle), self._root(middle, stop))


def sibling_sides(index: int, size: int, count: int) -> list[bool] | None:
    """Whether each of `count` siblings of leaf `index` stands on its left, lowest first.

    None where a proof in a log of `size` leaves has another length, or there is no such leaf.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    place, last, sides = index, size - 1, []
    for _ in range(count):
        if last == 0:
            return None
        sides.append(bool(place & 1) or place == last)
        if place == last:
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    return sides if last == 0 else None


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof of leaf hash `leaf` leads to; None where its length cannot be right."""
    sides = sibling_sides(index, size, len(proof))
    if sides is None or any(len(sibling) != HASH_BYTES for sibling in proof):
        return None
    root = leaf
    for is_left, sibling in zip(sides, proof, strict=True):
        root = node_hash(sibling, root) if is_left else node_hash(root, sibling)
    return root


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows leaf hash `leaf` at `index` in the log of `size` leaves with this root."""
    return root_from_inclusion(leaf, index, size, proof) == root


def is_prefix(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the log of `first` leaves to be a prefix of that of `second`.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    nodes = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not nodes or any(len(node) != HASH_BYTES for node in nodes):
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """The largest power of two below `size`, which is above one."""
    return 1 << ((size - 1).bit_length() - 1)
