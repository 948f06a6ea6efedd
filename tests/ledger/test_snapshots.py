"""Pruned ledgers: old envelopes are gone, every root still holds, and receipts are upheld."""

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.audit import verify
from ledger.fsck import check_structure
from ledger.journal import read_blocks
from ledger.proofs import places, prove
from ledger.receipts import administrators_of, check_receipt, make_receipt, read_receipt
from ledger.records import RecordType, frame_record
from ledger.segments import SegmentWriter, read_frames
from ledger.snapshots import (
    MAGIC,
    Snapshot,
    check_pruned,
    prove_pruned,
    prune,
    read_pruned,
    read_slim,
    read_snapshot,
    upholds,
)
from ledger.state import STATE_TAG
from market.errors import ConfigError, LedgerError
from tests.ledger.small_world import SmallRun


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ledger of one small world."""
    folder = tmp_path_factory.mktemp("whole") / "ledger"
    SmallRun([5], "full", folder).run()
    return folder / "world-0000"


@pytest.fixture(scope="module")
def pruned(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, without envelopes in all blocks but the last."""
    out = tmp_path_factory.mktemp("pruned") / "ledger" / "world-0000"
    prune(world, out, last_height(world))
    return out


def last_height(world: Path) -> int:
    """Height of the last block."""
    return list(read_blocks(world))[-1].header.height


def test_a_pruned_ledger_keeps_every_header_leaf_and_root_but_no_old_envelope(world: Path, pruned: Path) -> None:
    """Chain, log root, state and end are those of the whole one."""
    whole, slim = check_structure(world), check_pruned(pruned)
    assert (slim.head, slim.height, slim.log.root(), slim.ended) == (whole.head, whole.height, whole.log.root(), True)
    assert slim.state.to_bytes() == whole.state.to_bytes()
    data = b"".join(payload for payload, _ in read_frames(pruned))
    gone = [
        place.record
        for place, kind, _ in places(world)
        if kind == RecordType.ENVELOPE and place.height < slim.height - 1
    ]
    assert len(gone) > 5
    assert not any(record[5:] in data for record in gone)
    kept = [place.record for place, kind, _ in places(world) if kind != RecordType.ENVELOPE]
    assert all(record in data for record in kept)


def test_the_snapshot_is_the_state_that_the_signed_header_names(world: Path, pruned: Path) -> None:
    """Who trusts the header of its block needs nothing older."""
    snapshot, _ = read_pruned(pruned)
    block = list(read_blocks(world))[snapshot.height]
    assert snapshot.root == block.header.state_root == hashlib.sha256(STATE_TAG + snapshot.state).digest()
    assert read_snapshot(snapshot.to_bytes()) == snapshot
    with pytest.raises(LedgerError, match="not that of its root"):
        read_snapshot(Snapshot(snapshot.height, bytes(32), snapshot.state).to_bytes())


def test_old_receipts_are_upheld_by_a_pruned_ledger(world: Path, pruned: Path) -> None:
    """Of every record the same receipt can be given again; of one left out, to whoever still has it."""
    keys = administrators_of(world)
    for place, kind, _ in places(world):
        old = make_receipt(prove(world, place))
        record = place.record if kind == RecordType.ENVELOPE else None
        again = make_receipt(prove_pruned(pruned, place.index, record))
        assert read_receipt(again.to_bytes()) == old
        assert check_receipt(again, keys).index == place.index
        assert upholds(pruned, old)
        assert not upholds(pruned, replace(old, header=old.header[:-1] + b"x"))
    with pytest.raises(ConfigError, match="the body of record 5 was pruned"):
        prove_pruned(pruned, 5)
    with pytest.raises(ConfigError, match="another than the one given"):
        prove_pruned(pruned, 5, b"forged")
    assert not upholds(pruned, replace(old, record=b"forged"))
    with pytest.raises(ConfigError, match="there is no record 99999"):
        prove_pruned(pruned, 99_999)


def test_a_pruned_ledger_is_not_taken_for_a_whole_one(world: Path, pruned: Path) -> None:
    """The audit says what it is, and a whole one is not taken for pruned."""
    verdict = verify(pruned.parent)
    assert not verdict.ok
    assert "ledger is pruned: old envelopes are not in it" in verdict.lines[0]
    with pytest.raises(LedgerError, match="ledger is not pruned"):
        check_pruned(world)
    with pytest.raises(LedgerError, match="ledger is pruned"):
        prune(pruned, pruned.parent / "again", 1)


def test_what_cannot_be_pruned_is_refused(world: Path, tmp_path: Path) -> None:
    """No block, all blocks, a folder that holds something."""
    for height in (0, last_height(world) + 1, last_height(world) + 2):
        with pytest.raises(ConfigError, match="nothing to prune"):
            prune(world, tmp_path / "out", height)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(LedgerError, match="folder is not empty"):
        prune(world, tmp_path / "full", 1)


def test_a_flipped_bit_behind_a_mended_checksum_is_found(pruned: Path, tmp_path: Path) -> None:
    """Hashes, links, signatures and the snapshot's root hold a pruned ledger as they hold a whole one."""
    frames, dice = [payload for payload, _ in read_frames(pruned)], random.Random(4)
    for number in range(60):
        spoiled, at = list(frames), dice.randrange(len(frames))
        data = bytearray(spoiled[at])
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        spoiled[at] = bytes(data)
        folder = tmp_path / str(number)
        writer = SegmentWriter(folder)
        for payload in spoiled:
            writer.append(payload)
        writer.close()
        with pytest.raises(LedgerError):
            check_pruned(folder)


def test_a_slim_block_has_one_spelling(world: Path, pruned: Path) -> None:
    """Nothing cut short, added, or kept that should have been left out."""
    payload = next(
        data for data, _ in read_frames(pruned) if data.startswith(MAGIC) and bytes([RecordType.STEP]) in data
    )
    read_slim(payload, "")
    for wrong in (payload[:-1], payload + b"\0", payload + b"\2", payload[:4] + b"\2" + payload[5:]):
        with pytest.raises(LedgerError):
            read_slim(wrong, "")
    envelope = frame_record(RecordType.ENVELOPE, b"body")
    with pytest.raises(LedgerError, match="should have been left out"):
        read_slim(payload + b"\1" + envelope, "")
    assert world.is_dir()
