"""The store on segment files: compare-and-append, one writer, torn ends, a disk that refuses."""

import errno
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.crash_blocks import check_blocks, draw_records, drill_signer, make_block
from ledger.keeper import FullKeeper
from ledger.memory_store import MemoryStore
from ledger.segment_store import SegmentStore
from ledger.segments import find_segments, read_frames, segment_name
from ledger.store import LogStore, Tip, copy_blocks
from market.errors import LedgerError
from tests.ledger.small_world import SmallRun

SIGNER = drill_signer(1)


def fill(store: LogStore, count: int, seed: int = 0, size: int = 300) -> list[bytes]:
    """Append so many blocks and wait; their bytes."""
    dice, blocks = random.Random(seed), []
    for _ in range(count):
        tip = store.tip
        blocks.append(make_block(tip, draw_records(dice, size), SIGNER))
        store.append(tip.height, tip.head, blocks[-1])
    store.wait()
    return blocks


def written(folder: Path, count: int, segment_bytes: int = 1 << 20) -> list[bytes]:
    """A closed store of so many blocks in a folder; their bytes."""
    store = SegmentStore(folder, segment_bytes)
    blocks = fill(store, count)
    store.close()
    return blocks


def bytes_in(folder: Path) -> list[bytes]:
    """Blocks that a reader finds."""
    return [block for block, _ in read_frames(folder)]


@pytest.mark.parametrize("kind", ["segments", "memory"])
def test_every_store_gives_back_what_was_appended(kind: str, tmp_path: Path) -> None:
    """By height, from a height on, and by its tip."""
    store: LogStore = SegmentStore(tmp_path / "chain", 1_000) if kind == "segments" else MemoryStore()
    assert store.tip == Tip()
    blocks = fill(store, 7)
    assert [store.read(height)[0] for height in range(7)] == blocks
    assert [block for block, _ in store.blocks(3)] == blocks[3:]
    assert store.tip == Tip(7, check_blocks(store.blocks())[-1])
    with pytest.raises(LedgerError, match="there is no block 7"):
        store.read(7)
    store.close()
    store.close()


@pytest.mark.parametrize("kind", ["segments", "memory"])
def test_a_block_for_another_tip_is_refused(kind: str, tmp_path: Path) -> None:
    """Nothing is overwritten, skipped or put beside: a store holds one chain."""
    store: LogStore = SegmentStore(tmp_path / "chain") if kind == "segments" else MemoryStore()
    fill(store, 2)
    tip, dice = store.tip, random.Random(9)
    fork = make_block(Tip(2, bytes(32)), draw_records(dice, 50), SIGNER)
    with pytest.raises(LedgerError, match="names another block before it, a fork"):
        store.append(2, bytes(32), fork)
    behind = make_block(Tip(1, tip.head), draw_records(dice, 50), SIGNER)
    with pytest.raises(LedgerError, match="block 1 is refused: the chain ends before block 2"):
        store.append(1, tip.head, behind)
    with pytest.raises(LedgerError, match="not for the height and hash given"):
        store.append(tip.height, tip.head, behind)
    assert store.tip == tip


def test_a_store_is_copied_into_another_and_what_is_there_is_not_copied_again(tmp_path: Path) -> None:
    """A copy goes on where the last one ended, and never on another chain."""
    source, target = MemoryStore(), SegmentStore(tmp_path / "copy")
    fill(source, 3)
    assert copy_blocks(source.blocks(), target) == 3
    assert copy_blocks(source.blocks(), target) == 0
    fill(source, 2, seed=1)
    assert copy_blocks(source.blocks(), target) == 2
    assert target.tip == source.tip
    for count in (4, 5, 6):
        other = MemoryStore()
        fill(other, count, seed=2)
        with pytest.raises(LedgerError, match="does not go on from the 5 blocks"):
            copy_blocks(other.blocks(), target)
    assert target.tip == source.tip
    target.close()


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    """A second one, new or reopening, is told so; readers are free."""
    store = SegmentStore(tmp_path / "chain")
    blocks = fill(store, 2)
    for second in (SegmentStore, SegmentStore.reopen):
        with pytest.raises(LedgerError, match="another process is writing here"):
            second(tmp_path / "chain")
    assert bytes_in(tmp_path / "chain") == blocks
    store.close()
    again, cut = SegmentStore.reopen(tmp_path / "chain")
    assert cut is None
    fill(again, 1, seed=3)
    again.close()
    assert len(bytes_in(tmp_path / "chain")) == 3


def test_a_writer_that_is_dropped_lets_its_folder_go(tmp_path: Path) -> None:
    """Without `close`, when nothing refers to it any more."""
    blocks = fill(SegmentStore(tmp_path / "chain"), 2)
    handles = len(os.listdir("/proc/self/fd"))
    store, cut = SegmentStore.reopen(tmp_path / "chain")
    assert cut is None
    assert [block for block, _ in store.blocks()] == blocks
    del store
    assert len(os.listdir("/proc/self/fd")) == handles


@given(st.integers(1, 6), st.integers(300, 3_000), st.data())
@settings(max_examples=20, deadline=None)
def test_an_unfinished_block_is_cut_by_the_next_writer_alone_and_kept(
    tmp_path_factory: pytest.TempPathFactory, count: int, segment_bytes: int, data: st.DataObject
) -> None:
    """Wherever the last frame ends: earlier blocks stay, the cut bytes lie beside, and the chain goes on."""
    folder = tmp_path_factory.mktemp("torn") / "chain"
    blocks = written(folder, count, segment_bytes)
    path = find_segments(folder)[-1]
    whole, frames = path.read_bytes(), bytes_in(folder)
    begin = len(whole) - len(frames[-1]) - 8
    # a segment's own first bytes may be unfinished too, where the last block is alone in it
    at = data.draw(st.integers(0 if begin == 12 else begin + 1, len(whole) - 1))
    path.write_bytes(whole[:at])
    with pytest.raises(LedgerError, match=r"cut short|behind its file|no frame|not a segment"):
        bytes_in(folder)
    assert path.read_bytes() == whole[:at]
    store, cut = SegmentStore.reopen(folder, segment_bytes)
    assert cut is not None
    kept = whole[cut.byte : at]
    assert (folder / cut.kept).read_bytes() == kept
    assert str(cut).startswith(f"{path.name}, byte {cut.byte}: a block was not finished")
    assert store.tip.height == count - 1
    fill(store, 2, seed=5)
    store.close()
    assert bytes_in(folder)[: count - 1] == blocks[:-1]
    assert len(bytes_in(folder)) == count + 1


@given(st.integers(0, 2**32), st.sampled_from(["flip", "zero", "shorter"]))
@settings(max_examples=40, deadline=None)
def test_a_block_that_has_rotted_is_not_taken_for_an_unfinished_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, damage: str
) -> None:
    """A writer does not go on behind damage, and cuts nothing that may have been acknowledged."""
    folder, dice = tmp_path_factory.mktemp("rotten") / "chain", random.Random(seed)
    written(folder, 3)
    path = folder / segment_name(0)
    whole = bytearray(path.read_bytes())
    if damage == "flip":
        whole[dice.randrange(12, len(whole))] ^= 1 << dice.randrange(8)
    elif damage == "zero":
        at = dice.randrange(12, len(whole) - 64)
        whole[at : at + 64] = bytes(64)
    else:
        del whole[(at := dice.randrange(20, len(whole) // 2)) : at + 8]
    if whole == path.read_bytes():
        return
    path.write_bytes(whole)
    with pytest.raises(LedgerError):
        SegmentStore.reopen(folder)
    assert path.read_bytes() == whole
    assert [entry.name for entry in folder.iterdir()] == [path.name]


def test_a_disk_without_room_for_the_cut_bytes_cuts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment stays as it is, no half file is left beside it, and the next try works."""
    written(tmp_path / "chain", 3)
    path = tmp_path / "chain" / segment_name(0)
    path.write_bytes(path.read_bytes()[:-1])
    torn, fsync = path.read_bytes(), os.fsync

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(LedgerError, match="cannot write: No space left"):
        SegmentStore.reopen(tmp_path / "chain")
    monkeypatch.setattr(os, "fsync", fsync)
    assert [(entry.name, entry.read_bytes()) for entry in path.parent.iterdir()] == [(path.name, torn)]
    store, cut = SegmentStore.reopen(tmp_path / "chain")
    assert cut is not None
    assert cut.kept.endswith("-1")
    store.close()


def test_a_rotten_last_block_is_cut_where_a_person_says_so(tmp_path: Path) -> None:
    """Who has no other copy may go on without it; it is kept as well."""
    blocks = written(tmp_path / "chain", 3)
    path = tmp_path / "chain" / segment_name(0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(LedgerError, match="may have been acknowledged, so it is not cut"):
        SegmentStore.reopen(tmp_path / "chain")
    store, cut = SegmentStore.reopen(tmp_path / "chain", damaged=True)
    assert cut is not None
    store.close()
    assert bytes_in(tmp_path / "chain") == blocks[:2]


def test_a_block_that_breaks_the_chain_is_found_when_a_store_is_opened_again(tmp_path: Path) -> None:
    """Checksums may be right; links are read as well."""
    written(tmp_path / "a", 3, 1)
    written(tmp_path / "b", 1, 1)
    os.replace(tmp_path / "b" / segment_name(0), tmp_path / "a" / segment_name(0))
    store = SegmentStore(tmp_path / "c")
    fill(store, 1, seed=8)
    store.close()
    os.replace(tmp_path / "c" / segment_name(0), tmp_path / "a" / segment_name(0))
    with pytest.raises(LedgerError, match=r"segment-000001.*does not continue the block before"):
        SegmentStore.reopen(tmp_path / "a")


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "can be written"), (errno.EIO, "nothing was tried again")],
)
def test_a_write_that_fails_ends_the_store_and_is_never_tried_again(
    number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a block is written, then the disk refuses: one line says what to do, and the next writer mends it."""
    store = SegmentStore(tmp_path / "chain")
    blocks = fill(store, 2)
    write, calls = os.write, 0

    def refuse(handle: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(number, os.strerror(number))
        return write(handle, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", refuse)
    tip, dice = store.tip, random.Random(1)
    block = make_block(tip, draw_records(dice, 50), SIGNER)
    for _ in range(3):
        with pytest.raises(LedgerError, match=f"cannot write: {os.strerror(number)}.*{said}"):
            store.append(tip.height, tip.head, block)
    assert calls == 2
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="cannot write"):
        store.close()
    assert store.tip == tip
    again, cut = SegmentStore.reopen(tmp_path / "chain")
    assert cut is not None
    again.append(tip.height, tip.head, block)
    again.close()
    assert bytes_in(tmp_path / "chain") == [*blocks, block]


def test_a_failed_fsync_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it the kernel may call lost pages clean, so a second one that works would mean nothing."""
    calls = 0

    def fail(handle: int) -> None:
        nonlocal calls
        calls += 1
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = SegmentStore(tmp_path / "chain")
    monkeypatch.setattr(os, "fdatasync", fail)
    for _ in range(2):
        with pytest.raises(LedgerError, match="cannot write: Input/output error"):
            fill(store, 1)
    with pytest.raises(LedgerError, match="cannot write"):
        store.close()
    assert calls == 1


def test_a_run_writes_the_same_chain_to_any_store(tmp_path: Path) -> None:
    """What a block is made of does not know where it is written."""
    files, memory = SmallRun([5], "full", tmp_path / "ledger").run(), MemoryStore()
    other = SmallRun([5], "digest")
    other.keeper = FullKeeper(other.keeper.worlds, tmp_path / "unused", open_store=lambda folder: memory)
    assert other.run().keeper.chain_head == files.keeper.chain_head == memory.tip.head
    assert bytes_in(tmp_path / "ledger" / "world-0000") == [block for block, _ in memory.blocks()]
    assert not (tmp_path / "unused").exists()
