"""The Merkle tree against the definitions in RFC 6962, read literally, and against published vectors."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import Frontier, Tree, is_included, is_prefix, leaf_hash, merkle_root, root_from_inclusion

VECTORS = (
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
)
"""Entries and the roots over all entries so far: the test tree of Certificate Transparency (RFC 6962)."""
PROOF_OF_FIRST = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
SIX_TO_EIGHT = (
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
)
entries_of_any_log = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


def split_of(count: int) -> int:
    """The largest power of two below a number above one."""
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def naive_root(entries: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as written."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = split_of(len(entries))
    return hashlib.sha256(b"\x01" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


def naive_path(index: int, entries: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, as written."""
    if len(entries) == 1:
        return []
    split = split_of(len(entries))
    if index < split:
        return [*naive_path(index, entries[:split]), naive_root(entries[split:])]
    return [*naive_path(index - split, entries[split:]), naive_root(entries[:split])]


def naive_consistency(first: int, entries: list[bytes], complete: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2, SUBPROOF, as written."""
    if first == len(entries):
        return [] if complete else [naive_root(entries)]
    split = split_of(len(entries))
    if first <= split:
        return [*naive_consistency(first, entries[:split], complete), naive_root(entries[split:])]
    return [*naive_consistency(first - split, entries[split:], False), naive_root(entries[:split])]


def test_roots_are_those_of_the_published_vectors() -> None:
    """Eight entries, one after another."""
    tree, frontier = Tree(), Frontier()
    for entry, root in VECTORS:
        for log in (tree, frontier):
            log.append(leaf_hash(bytes.fromhex(entry)))
            assert log.root().hex() == root
    assert Tree().root() == Frontier().root() == merkle_root([]) == hashlib.sha256(b"").digest()


def test_proofs_are_those_of_the_published_vectors() -> None:
    """Inclusion of the first entry among eight, and six entries as a beginning of eight."""
    tree = Tree(leaf_hash(bytes.fromhex(entry)) for entry, _ in VECTORS)
    assert [node.hex() for node in tree.inclusion_proof(0)] == list(PROOF_OF_FIRST)
    assert [node.hex() for node in tree.consistency_proof(6)] == list(SIX_TO_EIGHT)
    assert [node.hex() for node in tree.consistency_proof(1)] == list(PROOF_OF_FIRST)


@given(entries_of_any_log)
def test_the_root_is_that_of_the_recursive_definition(entries: list[bytes]) -> None:
    """Any number of leaves, at once or one after another."""
    leaves = [leaf_hash(entry) for entry in entries]
    tree, frontier = Tree(leaves), Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert merkle_root(leaves) == tree.root() == frontier.root() == naive_root(entries)
    assert Frontier(frontier.size, frontier.nodes).root() == frontier.root()


@given(entries_of_any_log, st.data())
def test_proofs_are_those_of_the_recursive_definitions(entries: list[bytes], data: st.DataObject) -> None:
    """Any leaf or beginning of any beginning of a log; what is proved is accepted."""
    tree = Tree(leaf_hash(entry) for entry in entries)
    size = data.draw(st.integers(1, len(entries)))
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path, growth = tree.inclusion_proof(index, size), tree.consistency_proof(first, size)
    assert path == naive_path(index, entries[:size])
    assert growth == naive_consistency(first, entries[:size])
    assert is_included(leaf_hash(entries[index]), index, size, path, tree.root(size))
    assert is_prefix(first, size, tree.root(first), tree.root(size), growth)


@given(entries_of_any_log, st.data())
def test_a_forged_inclusion_proof_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    """Another leaf, place or size, a flipped bit, a node more or less."""
    tree, size = Tree(leaf_hash(entry) for entry in entries), len(entries)
    index = data.draw(st.integers(0, size - 1))
    leaf, path, root = leaf_hash(entries[index]), tree.inclusion_proof(index), tree.root()
    assert not is_included(leaf_hash(b"another entry"), index, size, path, root)
    assert not is_included(leaf, index, size, [*path, bytes(32)], root)
    assert not is_included(leaf, index, size, path, leaf_hash(root))
    for other in (-1, size, size + 1):
        assert not is_included(leaf, other, size, path, root)
    for other in set(range(size)) - {index}:
        assert not is_included(leaf, other, size, path, root) or leaf == leaf_hash(entries[other])
    if path:
        place, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        node = (int.from_bytes(path[place], "big") ^ 1 << bit).to_bytes(32, "big")
        assert not is_included(leaf, index, size, [*path[:place], node, *path[place + 1 :]], root)
        assert not is_included(leaf, index, size, path[:-1], root)
        assert root_from_inclusion(leaf, index, size, [*path[:-1], path[-1][:31]]) is None


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=40, unique=True), st.data())
def test_a_forged_consistency_proof_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    """A changed entry of the old log, other sizes, a flipped bit, a node more or less."""
    tree, size = Tree(leaf_hash(entry) for entry in entries), len(entries)
    first = data.draw(st.integers(1, size - 1))
    old, new, proof = tree.root(first), tree.root(), tree.consistency_proof(first)
    changed = data.draw(st.integers(0, first - 1))
    other = merkle_root(leaf_hash(entry + b"changed" * (i == changed)) for i, entry in enumerate(entries[:first]))
    assert not is_prefix(first, size, other, new, proof)
    assert not is_prefix(first, size, old, leaf_hash(new), proof)
    assert not is_prefix(first, size, old, new, [*proof, bytes(32)])
    assert not is_prefix(first, size, old, new, proof[:-1])
    assert not is_prefix(0, size, old, new, proof)
    assert not is_prefix(size, first, new, old, proof)
    assert not is_prefix(first, first, old, new, [])
    place, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    node = (int.from_bytes(proof[place], "big") ^ 1 << bit).to_bytes(32, "big")
    assert not is_prefix(first, size, old, new, [*proof[:place], node, *proof[place + 1 :]])


def test_a_leaf_is_not_a_node() -> None:
    """The prefixes keep an inner node from being passed off as a record."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert merkle_root([left, right]) != leaf_hash(left + right)


def test_proofs_of_what_is_not_there_are_not_made() -> None:
    """Leaves, sizes and beginnings beyond the log, and frontiers of another size."""
    tree = Tree([leaf_hash(b"a"), leaf_hash(b"b")])
    for ask in (
        lambda: tree.inclusion_proof(2),
        lambda: tree.inclusion_proof(-1),
        lambda: tree.inclusion_proof(0, 3),
        lambda: tree.consistency_proof(0),
        lambda: tree.consistency_proof(2, 1),
        lambda: tree.root(3),
        lambda: Frontier(3, [bytes(32)]),
    ):
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            ask()
