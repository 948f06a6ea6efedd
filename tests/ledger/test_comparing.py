"""Two copies are compared, and a structure is checked, without the market."""

import shutil
from pathlib import Path

import pytest

from ledger.audit import find_worlds
from ledger.blocks import header_message, read_block
from ledger.comparing import Relation, compare, compare_runs
from ledger.fsck import fsck
from ledger.journal import read_blocks
from ledger.keys import OPERATOR, simulation_signer
from ledger.records import RecordType
from ledger.segments import SegmentWriter
from market.errors import LedgerError
from tests.ledger.small_world import SLOTS, SmallRun
from tests.ledger.test_audit import rewrite, spoil_field


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ledger of one small world."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    SmallRun([5], "full", folder).run()
    return folder


def world(folder: Path) -> Path:
    """Its only world."""
    return find_worlds(folder)[0]


def beginning(folder: Path, target: Path, blocks: int) -> Path:
    """A copy that ends early, at a block's edge."""
    writer = SegmentWriter(target)
    for block in list(read_blocks(world(folder)))[:blocks]:
        writer.append(block.header_bytes + block.signature + block.records)
    writer.close()
    return target


def test_copies_are_equal_or_one_begins_the_other(ledger: Path, tmp_path: Path) -> None:
    """Block for block; how many are equal is told."""
    count = len(list(read_blocks(world(ledger))))
    same = compare(world(ledger), world(ledger))
    assert (same.relation, same.blocks, same.agree) == (Relation.EQUAL, count, True)
    short = beginning(ledger, tmp_path / "short", 2)
    found = compare(short, world(ledger))
    assert (found.relation, found.blocks, found.agree) == (Relation.BEGINNING, 2, True)
    assert compare(world(ledger), short).relation is Relation.LONGER
    assert compare_runs(ledger, ledger) == {"world-0000": same}


def test_a_fork_is_shown_with_both_headers_and_who_signed_them(ledger: Path, tmp_path: Path) -> None:
    """An operator who rewrites a block is convicted by the two headers it signed."""
    forged = rewrite(ledger, tmp_path / "forged", spoil_field(57, RecordType.ENVELOPE))
    found = compare(world(ledger), world(forged))
    block = list(read_blocks(world(ledger)))[found.blocks]
    assert (found.relation, found.agree) == (Relation.FORK, False)
    assert found.evidence is not None
    assert found.evidence.first == block.header_bytes + block.signature
    assert found.convicted == simulation_signer(block.header.chain_id, 5, OPERATOR).public_key
    told = found.describe()
    assert (told["height"], told["convicted"]) == (found.blocks, found.convicted.hex())
    assert str(found).startswith(f"they fork at block {found.blocks}")


def test_a_fork_that_nobody_signed_convicts_nobody(ledger: Path, tmp_path: Path) -> None:
    """A header made by a stranger is a fork, without a culprit."""
    writer = SegmentWriter(tmp_path / "strange")
    for block in read_blocks(world(ledger)):
        header = block.header_bytes if not block.header.height else block.header_bytes[:-1] + b"\1"
        writer.append(header + block.signature + block.records)
    writer.close()
    found = compare(world(ledger), tmp_path / "strange")
    assert (found.relation, found.blocks, found.convicted) == (Relation.FORK, 1, None)
    assert "no key signed both" in str(found)


def test_the_damaged_copy_is_told_from_the_sound_one(ledger: Path, tmp_path: Path) -> None:
    """Where headers agree and records or signature do not, the header decides."""
    for name, at in (("records", -1), ("signature", 0)):
        writer = SegmentWriter(tmp_path / name)
        for block in read_blocks(world(ledger)):
            signature, records = bytearray(block.signature), bytearray(block.records)
            if block.header.height:
                (signature if name == "signature" else records)[at] ^= 1
            writer.append(block.header_bytes + bytes(signature) + bytes(records))
        writer.close()
        assert compare(world(ledger), tmp_path / name).relation is Relation.SECOND_DAMAGED
        found = compare(tmp_path / name, world(ledger))
        assert (found.relation, found.blocks) == (Relation.FIRST_DAMAGED, 1)


def test_other_chains_and_other_worlds_are_not_compared(ledger: Path, tmp_path: Path) -> None:
    """Another key makes another chain; runs of other sizes are not copies."""
    SmallRun([6], "full", tmp_path / "other").run()
    assert compare(world(ledger), world(tmp_path / "other")).relation is Relation.OTHER
    SmallRun([5, 6], "full", tmp_path / "two").run()
    with pytest.raises(LedgerError, match="1 and 2 worlds"):
        compare_runs(ledger, tmp_path / "two")


def test_a_whole_structure_is_counted(ledger: Path) -> None:
    """Blocks and records; with signatures also envelopes and orders."""
    assert fsck(ledger).ok
    verdict = fsck(ledger, signatures=True)
    assert verdict.ok, verdict.lines
    assert (verdict.counts["envelopes"], verdict.counts["orders"]) == (SLOTS * 5, SLOTS * 10)


@pytest.mark.parametrize("part", ["header", "signature", "records"])
def test_a_structure_that_does_not_fit_is_named(ledger: Path, tmp_path: Path, part: str) -> None:
    """Behind a mended checksum: links, roots and the sequencer's signature."""
    writer = SegmentWriter(tmp_path / "spoiled" / "world-0000")
    for block in read_blocks(world(ledger)):
        parts = {"header": block.header_bytes, "signature": block.signature, "records": block.records}
        if block.header.height == 1:
            parts[part] = parts[part][:-1] + bytes([parts[part][-1] ^ 1])
        writer.append(b"".join(parts.values()))
    writer.close()
    verdict = fsck(tmp_path / "spoiled")
    assert not verdict.ok
    assert "block 1" in verdict.lines[0]


@pytest.mark.parametrize(
    ("at", "said"), [(57, "signature of the envelope"), (20, "another chain"), (30, "unknown key"), (44, "of sequence")]
)
def test_signatures_are_checked_on_request(ledger: Path, tmp_path: Path, at: int, said: str) -> None:
    """An insider's change of an envelope passes the structure and not the signatures."""
    forged = rewrite(ledger, tmp_path / "forged", spoil_field(at, RecordType.ENVELOPE, 12))
    assert fsck(forged).ok
    verdict = fsck(forged, signatures=True)
    assert said in verdict.lines[0] or "signature of the envelope" in verdict.lines[0]


def test_a_state_root_that_does_not_follow_is_named(ledger: Path, tmp_path: Path) -> None:
    """Signed again by the operator: fsck derives the state from the records."""
    writer = SegmentWriter(tmp_path / "forged" / "world-0000")
    for block in read_blocks(world(ledger)):
        header = block.header_bytes
        if block.header.height == 1:
            header = header[:-64] + bytes(32) + header[-32:]
        signer = simulation_signer(block.header.chain_id, 5, OPERATOR)
        payload = header + signer.sign(header_message(header)) + block.records
        assert read_block(payload, "").records == block.records
        writer.append(payload)
    writer.close()
    assert "state root" in fsck(tmp_path / "forged").lines[0]


def test_a_missing_end_is_named(ledger: Path, tmp_path: Path) -> None:
    """A copy cut at a block's edge has a whole structure but no end record."""
    shutil.copytree(ledger, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "world-0000")
    beginning(ledger, tmp_path / "copy" / "world-0000", 2)
    assert "not closed" in fsck(tmp_path / "copy").lines[0]
