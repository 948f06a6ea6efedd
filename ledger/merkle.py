"""Merkle tree hash of RFC 6962, section 2.1: leaves and nodes are hashed under different one-byte prefixes."""

import hashlib
from collections.abc import Iterable

LEAF, NODE = b"\0", b"\1"


def leaf_hash(data: bytes) -> bytes:
    """Hash of one record."""
    return hashlib.sha256(LEAF + data).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes; a tree of n leaves splits at the largest power of two below n."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(NODE + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]
