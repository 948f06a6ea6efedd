"""A proof that a log only grew convinces who keeps headers; a fork has none."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.growth import Growth, check_growth, describe_growth, prove_growth, read_growth
from ledger.keys import SoftwareSigner
from ledger.proofs import find_record, prove
from ledger.receipts import Receipt, administrators_of, make_receipt
from ledger.records import RecordType
from market.errors import LedgerError
from tests.ledger.small_world import SmallRun
from tests.ledger.test_audit import rewrite, spoil_field


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a block for each step."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.journal.BLOCK_BYTES", 1)
        SmallRun([5], "full", folder).run()
    return folder


def receipt_of(folder: Path, name: str) -> Receipt:
    """A receipt of one record."""
    world = folder / "world-0000"
    return make_receipt(prove(world, find_record(world, name)))


@pytest.mark.parametrize("name", ["0/0", "1/0", "3/2", "5/1", "7/0"])
def test_the_newest_log_begins_with_that_of_any_receipt(ledger: Path, name: str) -> None:
    """From each block to the last, the last included; the file is read back as it was."""
    receipt, keys = receipt_of(ledger, name), administrators_of(ledger / "world-0000")
    growth = prove_growth(ledger / "world-0000", receipt)
    first, second = check_growth(read_growth(growth.to_bytes()), keys)
    assert (first.height, second.height) == (int(name[0]), 7)
    assert describe_growth((first, second))["records"] == [first.tree_size, second.tree_size]


def test_a_fork_has_no_growth_proof(ledger: Path, tmp_path: Path) -> None:
    """The forged ledger does not hold the receipt's header, and the sound proof does not lead to its root."""
    forged = rewrite(ledger, tmp_path / "forged", spoil_field(57, RecordType.ENVELOPE))
    receipt, keys = receipt_of(ledger, "2/0"), administrators_of(ledger / "world-0000")
    with pytest.raises(LedgerError, match="does not hold the header"):
        prove_growth(forged / "world-0000", receipt)
    sound = prove_growth(ledger / "world-0000", receipt)
    other = prove_growth(forged / "world-0000", receipt_of(forged, "2/0"))
    with pytest.raises(LedgerError, match="does not begin"):
        check_growth(Growth(sound.first, other.second, sound.proof), keys)
    with pytest.raises(LedgerError, match="does not begin"):
        check_growth(Growth(sound.first, other.second, other.proof), keys)


def test_a_forged_growth_proof_convinces_nobody(ledger: Path) -> None:
    """Exchanged headers, nodes, signatures, keys and chains."""
    keys = administrators_of(ledger / "world-0000")
    growth = prove_growth(ledger / "world-0000", receipt_of(ledger, "2/0"))
    for bad, said in (
        (replace(growth, first=growth.second, second=growth.first), "does not begin"),
        (replace(growth, proof=growth.proof[:-1]), "does not begin"),
        (replace(growth, first=growth.first[:-1]), "two signed headers"),
        (replace(growth, second=growth.second[:-64] + bytes(64)), "signature"),
    ):
        with pytest.raises(LedgerError, match=said):
            check_growth(bad, keys)
    with pytest.raises(LedgerError, match="another chain"):
        check_growth(growth, replace(keys, chain_id=bytes(16)))
    with pytest.raises(LedgerError, match="not the sequencer's"):
        check_growth(growth, replace(keys, keys=(SoftwareSigner.generate().public_key,)))
