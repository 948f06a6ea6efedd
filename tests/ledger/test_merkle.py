"""The Merkle root against the definition in RFC 6962, read literally."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import leaf_hash, merkle_root


def naive_root(entries: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as written."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_root_is_that_of_the_recursive_definition(entries: list[bytes]) -> None:
    """Any number of leaves."""
    assert merkle_root(leaf_hash(entry) for entry in entries) == naive_root(entries)


def test_a_leaf_is_not_a_node() -> None:
    """The prefixes keep an inner node from being passed off as a record."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert merkle_root([left, right]) != leaf_hash(left + right)
