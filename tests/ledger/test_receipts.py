"""A receipt convinces whoever holds the administrators' keys, and a forged one nobody."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blocks import Header, header_hash, header_message, read_block
from ledger.encoding import canonical_json
from ledger.journal import read_blocks
from ledger.keys import OPERATOR, SoftwareSigner, simulation_signer
from ledger.merkle import Tree, leaf_hash
from ledger.proofs import Place, Proof, find_envelope, find_record, places, prove
from ledger.quorum import Administrators, Vote, cosign_message, make_certificate
from ledger.receipts import (
    Receipt,
    check_receipt,
    keys_file,
    make_receipt,
    proof_bytes,
    read_keys,
    read_receipt,
)
from ledger.records import RecordType, frame_record, read_members
from market.errors import ConfigError, LedgerError
from market.slots import HALF_HOURS
from tests.ledger.small_world import ACCOUNTS, SLOTS, START, SmallRun

Given = tuple[Path, Administrators]


@pytest.fixture(scope="module")
def given_world(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """One world's ledger of several blocks, and its operator's key."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    SmallRun([5], "full", folder).run()
    world = folder / "world-0000"
    (members,) = (read_members(body) for _, kind, body in places(world) if kind == RecordType.MEMBERS)
    return world, Administrators(members.chain_id, (members.operator,), 1)


def test_every_record_has_a_receipt_that_convinces(given_world: Given) -> None:
    """From the first to the end record; the file is read back as it was."""
    folder, keys = given_world
    every = list(places(folder))
    assert [place.index for place, _, _ in every] == list(range(len(every)))
    for place, kind, body in every[:: max(len(every) // 12, 1)] + every[-1:]:
        receipt = read_receipt(make_receipt(prove(folder, place)).to_bytes())
        finding = check_receipt(receipt, read_keys(keys_file(keys)))
        assert (finding.kind, finding.body, finding.index) == (kind, body, place.index)
        assert json.loads(json.dumps(finding.describe()))["type"] == kind.name.lower()


def test_a_record_is_found_by_leaf_by_place_and_by_id(given_world: Given) -> None:
    """Three names of one record; what is no name, or nobody's, is said."""
    folder, _ = given_world
    place = next(place for place, kind, _ in places(folder) if kind == RecordType.ENVELOPE)
    finding = check_receipt(make_receipt(prove(folder, place)), given_world[1]).describe()
    within = place.index - sum(block.header.records for block in read_blocks(folder) if block.header.height == 0)
    for name in (str(place.index), f"{place.height}/{within}", finding["id"], finding["id"][:8].upper()):
        assert find_record(folder, name) == place
    for name in ("99999", "1/9999", "f" * 64):
        with pytest.raises(ConfigError, match="no record"):
            find_record(folder, name)
    with pytest.raises(ConfigError, match="not the name"):
        find_record(folder, "xyz")


def test_a_party_finds_its_envelope_of_a_slot(given_world: Given) -> None:
    """By number of the slot or by its time."""
    folder, keys = given_world
    place = find_envelope(folder, "shop", str(START + 2))
    assert find_envelope(folder, "shop", HALF_HOURS.label(START + 2)) == place
    assert check_receipt(make_receipt(prove(folder, place)), keys).describe()["slot"] == START + 2
    with pytest.raises(ConfigError, match=ACCOUNTS.party_names[0]):
        find_envelope(folder, "baker", str(START))
    with pytest.raises(ConfigError, match="sent nothing"):
        find_envelope(folder, "shop", str(START + SLOTS))


FORGERIES: dict[str, tuple[Callable[[Receipt], Receipt], str]] = {
    "another record": (lambda r: replace(r, record=frame_record(RecordType.END, bytes(44))), "proof"),
    "two records": (lambda r: replace(r, record=r.record + r.record), "one record"),
    "no record": (lambda r: replace(r, record=b""), "one record"),
    "another place": (lambda r: replace(r, index=r.index + 1), "proof"),
    "a place beyond the log": (lambda r: replace(r, index=2**40), "proof"),
    "a node less": (lambda r: replace(r, proof=r.proof[:-1]), "proof"),
    "another log root": (lambda r: replace(r, header=r.header[:-96] + bytes(32) + r.header[-64:]), "proof"),
    "another state root": (lambda r: replace(r, header=r.header[:-64] + bytes(32) + r.header[-32:]), "signature"),
    "another signature": (lambda r: replace(r, signature=bytes(64)), "signature"),
    "a short signature": (lambda r: replace(r, signature=b""), "signature"),
    "a header cut short": (lambda r: replace(r, header=r.header[:-1]), "wrong length"),
    "a needless certificate": (lambda r: replace(r, certificate=b"x"), "needs not"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_receipt_convinces_nobody(given_world: Given, name: str) -> None:
    """Whatever part is exchanged, what does not fit is named."""
    folder, keys = given_world
    forge, said = FORGERIES[name]
    receipt = make_receipt(prove(folder, find_record(folder, "7")))
    with pytest.raises(LedgerError, match=said):
        check_receipt(forge(receipt), keys)


@given(st.data())
def test_a_flipped_bit_in_a_receipt_is_refused(given_world: Given, data: st.DataObject) -> None:
    """Anywhere in its bytes."""
    folder, keys = given_world
    receipt = make_receipt(prove(folder, find_record(folder, "9")))
    name = data.draw(st.sampled_from(["record", "header", "signature", "proof"]))
    spoiled = b"".join(receipt.proof) if name == "proof" else getattr(receipt, name)
    at, bit = data.draw(st.integers(0, len(spoiled) - 1)), data.draw(st.integers(0, 7))
    spoiled = spoiled[:at] + bytes([spoiled[at] ^ 1 << bit]) + spoiled[at + 1 :]
    value = tuple(spoiled[i : i + 32] for i in range(0, len(spoiled), 32)) if name == "proof" else spoiled
    changes: dict[str, Any] = {name: value}
    with pytest.raises(LedgerError):
        check_receipt(replace(receipt, **changes), keys)


def test_keys_of_another_chain_or_operator_accept_nothing(given_world: Given) -> None:
    """A receipt is good for one chain and its sequencer."""
    folder, keys = given_world
    receipt = make_receipt(prove(folder, find_record(folder, "0")))
    with pytest.raises(LedgerError, match="another chain"):
        check_receipt(receipt, replace(keys, chain_id=bytes(16)))
    stranger = SoftwareSigner.generate().public_key
    with pytest.raises(LedgerError, match="not the sequencer's"):
        check_receipt(receipt, replace(keys, keys=(stranger,)))


def test_with_several_administrators_a_certificate_of_q_is_needed(given_world: Given) -> None:
    """Two of three cosign; one alone, or a certificate of another block, is not enough."""
    folder, alone = given_world
    block = list(read_blocks(folder))[1]
    signers = [simulation_signer(alone.chain_id, 5, OPERATOR), *(SoftwareSigner.generate() for _ in range(2))]
    keys = Administrators(alone.chain_id, tuple(signer.public_key for signer in signers), 2)
    digest, height = header_hash(block.header_bytes), block.header.height
    votes = [
        Vote(who, 7, signer.sign(cosign_message(alone.chain_id, 0, height, digest, 7)))
        for who, signer in enumerate(signers)
    ]
    proof = prove(folder, find_record(folder, "1/0"))
    enough = make_certificate(0, height, digest, votes[:2]).to_bytes()
    assert check_receipt(make_receipt(proof, enough), read_keys(keys_file(keys))).index == proof.place.index
    for certificate, said in (
        (b"", "cut short"),
        (make_certificate(0, height, digest, votes[:1]).to_bytes(), "2 are needed"),
        (make_certificate(0, height + 1, digest, votes).to_bytes(), "another block"),
        (make_certificate(0, height, digest, [votes[0], Vote(2, 7, votes[1].signature)]).to_bytes(), "not good"),
    ):
        with pytest.raises(LedgerError, match=said):
            check_receipt(make_receipt(proof, certificate), keys)


def test_files_of_another_form_are_refused(given_world: Given) -> None:
    """Trailing bytes, other spellings, other formats, weak keys and unsafe quorums."""
    folder, keys = given_world
    good = make_receipt(prove(folder, find_record(folder, "3"))).to_bytes()
    content = json.loads(good)
    for bad in (
        good + b" ",
        good[:-1],
        b"[]",
        b"\xff",
        good.replace(b"receipt/1", b"receipt/2"),
        canonical_json(content | {"index": True}),
        canonical_json(content | {"index": "3"}),
        canonical_json(content | {"extra": 1}),
        canonical_json(content | {"record": content["record"].upper() + "0"}),
        canonical_json({name: value for name, value in content.items() if name != "proof"}),
    ):
        with pytest.raises(LedgerError):
            check_receipt(read_receipt(bad), keys)
    told = json.loads(keys_file(keys))
    identity = "01" + "00" * 31
    for change in ({"keys": [identity]}, {"keys": ["00"]}, {"chain": "00"}, {"quorum": "x"}, {"format": "other/1"}):
        with pytest.raises(LedgerError):
            read_keys(canonical_json(told | change))
    with pytest.raises(ConfigError, match="quorum"):
        read_keys(canonical_json(told | {"keys": [told["keys"][0]] * 2, "quorum": 1}))


@pytest.mark.slow
def test_a_proof_at_a_million_leaves_is_small() -> None:
    """At most 700 bytes: twenty hashes, the leaf's number and the size of the log."""
    body = bytes(60)
    size, index = 1_000_000, 613_577
    record = frame_record(RecordType.END, body)
    leaves = np.random.default_rng(0).bytes(32 * size)
    tree = Tree(leaves[32 * i : 32 * i + 32] if i != index else leaf_hash(record) for i in range(size))
    signer = SoftwareSigner.generate()
    header = Header(
        b"S" * 16, 0, 9, bytes(32), bytes(32), 5, 9, 1, 1, bytes(32), size - 5, tree.root(), bytes(32)
    ).to_bytes()
    signature = signer.sign(header_message(header))
    block = read_block(header + signature + bytes(9), "")
    receipt = make_receipt(Proof(Place(record, index, 9), block, tuple(tree.inclusion_proof(index))))
    assert proof_bytes(receipt) == 16 + 20 * 32 <= 700
    assert check_receipt(receipt, Administrators(b"S" * 16, (signer.public_key,), 1)).index == index
