"""The audit finds every change."""

import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ledger import drill
from ledger.audit import Verdict, verify
from ledger.blocks import HEADER_BYTES, read_block
from ledger.drill import flip_bits
from ledger.journal import read, read_blocks
from ledger.keys import OPERATOR, simulation_signer
from ledger.records import RecordType
from market.contracts import CONTRACT_WIRE
from market.design import DESIGNS, find_design
from market.errors import LedgerError
from market.settlement import KINDS
from tests.ledger.small_world import ACCOUNTS, RULES, SLOTS, SmallRun

Change = Callable[[RecordType, bytes], bytes]
FIXED = 4 + 5 * 2 + 5 * 8 * 3 + ACCOUNTS.count * KINDS * 8 + 8


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A finished ledger of one small world, and its chain head."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    run = SmallRun([5], "full", folder).run()
    assert run.keeper.chain_head is not None
    return folder, run.keeper.chain_head


def segment(folder: Path) -> Path:
    """The only segment file of the only world."""
    return folder / "world-0000" / "segment-000000.dgl"


def copied(folder: Path, target: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(folder, target)
    return target


def rewrite(folder: Path, target: Path, change: Change) -> Path:
    """What an insider with the sequencer's key would write: records changed, everything above made to fit."""
    block = next(read_blocks(folder / "world-0000"))
    drill.rewrite(
        folder / "world-0000", target / "world-0000", simulation_signer(block.header.chain_id, 5, OPERATOR), change
    )
    return target


def test_an_untouched_ledger_verifies_and_counts_what_it_holds(ledger: tuple[Path, bytes]) -> None:
    """Every step, envelope and order is derived again."""
    folder, head = ledger
    verdict = verify(folder, head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["steps"] == SLOTS
    assert verdict.counts["envelopes"] == SLOTS * 5
    assert verdict.counts["orders"] == SLOTS * 10
    assert verdict.counts["contracts"] > SLOTS


def test_the_derived_head_is_the_one_the_run_reported(ledger: tuple[Path, bytes]) -> None:
    """A remembered head that differs fails the audit."""
    folder, head = ledger
    assert verify(folder).head == head
    assert not verify(folder, bytes(32)).ok


@pytest.mark.parametrize("places", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_found_wherever_it_is(ledger: tuple[Path, bytes], places: int) -> None:
    """Every finding names the file and the byte of the damaged frame."""
    flips = flip_bits(ledger[0], places, seed=places)
    assert len({flip.byte for flip in flips}) > places * 0.9
    for flip in flips:
        assert "world-0000: segment-000000.dgl, byte" in flip.finding, flip
    assert verify(ledger[0], ledger[1]).ok


def test_the_drill_reports_what_the_audit_misses(ledger: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit that accepts everything is seen."""
    monkeypatch.setattr("ledger.drill.verify", lambda folder: Verdict(True, ()))
    assert [flip.finding for flip in flip_bits(ledger[0], 3)] == ["", "", ""]


def test_a_flipped_byte_is_found_behind_a_mended_checksum(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """Checksums are for accidents; hashes, links and signatures are for hands."""
    path = segment(copied(ledger[0], tmp_path / "spoiled"))
    data, dice, at = path.read_bytes(), np.random.default_rng(2), 12
    while at < len(data):
        length = struct.unpack_from(">I", data, at)[0]
        for place in (*range(at + 8, at + 8 + HEADER_BYTES + 64, 13), *dice.integers(at + 200, at + 8 + length, 8)):
            spoiled = bytearray(data)
            spoiled[place] ^= 0x10
            payload = spoiled[at + 8 : at + 8 + length]
            struct.pack_into(">I", spoiled, at + 4, zlib.crc32(payload, zlib.crc32(data[at : at + 4])))
            path.write_bytes(spoiled)
            assert not verify(tmp_path / "spoiled").ok, f"byte {place}"
        at += 8 + length


def test_a_cut_at_a_block_edge_is_found(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """Whole frames missing at the end leave no damaged byte, but no end record either."""
    path = segment(copied(ledger[0], tmp_path / "cut"))
    data, at, edges = path.read_bytes(), 12, []
    while at < len(data):
        at += 8 + struct.unpack_from(">I", data, at)[0]
        edges.append(at)
    for edge in (12, *edges[:-1]):
        path.write_bytes(data[:edge])
        assert not verify(tmp_path / "cut").ok
    path.write_bytes(data + data[edges[-2] :])
    assert "behind the end" in verify(tmp_path / "cut").lines[0]


def test_files_that_are_not_the_ledgers_are_reported(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """An extra file, an extra world or a missing world is not passed over."""
    for number, extra in enumerate(("world-0000/notes.txt", "world-0000/segment-000002.dgl", "tip")):
        spoiled = copied(ledger[0], tmp_path / str(number))
        (spoiled / extra).write_bytes(b"x")
        verdict = verify(spoiled)
        assert not verdict.ok
        assert Path(extra).name in verdict.lines[0]
    (tmp_path / "empty").mkdir()
    assert not verify(tmp_path / "empty").ok
    assert not verify(tmp_path / "nowhere").ok


def spoil_field(at: int, kind: RecordType, occurrence: int = 2) -> Change:
    """Change the lowest bit at byte `at` of one record of a kind."""
    seen = 0

    def change(found: RecordType, body: bytes) -> bytes:
        nonlocal seen
        if found != kind or len(body) <= at:
            return body
        seen += 1
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if seen == occurrence else body

    return change


@pytest.mark.parametrize(
    ("kind", "at", "what"),
    [
        (RecordType.ENVELOPE, 57, "BAD_SIGNATURE"),
        (RecordType.ENVELOPE, 20, "WRONG_CHAIN"),
        (RecordType.ENVELOPE, 30, "UNKNOWN_KEY"),
        (RecordType.ENVELOPE, 4, "MALFORMED"),
        (RecordType.ENVELOPE, 132 + 2 * 24 + 64, "order"),
        (RecordType.STEP, 3, "step is for slot"),
        (RecordType.STEP, 5, "order of arrival"),
        (RecordType.STEP, 4 + 10 + 7, "plan"),
        (RecordType.STEP, 4 + 10 + 40 + 7, "reading sent"),
        (RecordType.STEP, 4 + 10 + 80 + 7, "posting"),
        (RecordType.STEP, 4 + 10 + 120 + 7, "posting"),
        (RecordType.STEP, FIXED + 3, "contract 0: slot"),
        (RecordType.STEP, FIXED + 19, "contract 0: energy"),
        (RecordType.STEP, FIXED + 23, "contract 0: sell_price"),
    ],
)
def test_an_insiders_change_is_named(
    ledger: tuple[Path, bytes], tmp_path: Path, kind: RecordType, at: int, what: str
) -> None:
    """With hashes, roots and header signatures made to fit, replay finds what differs and where."""
    verdict = verify(rewrite(ledger[0], tmp_path / "forged", spoil_field(at, kind)))
    assert not verdict.ok
    assert what in verdict.lines[0]
    assert "block 1, record" in verdict.lines[0]
    assert "slot " in verdict.lines[0]


def test_a_rewrite_without_change_verifies(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """The insider of these tests makes no mistake of his own."""
    assert verify(rewrite(ledger[0], tmp_path / "same", lambda _, body: body), ledger[1]).ok


def test_a_removed_contract_is_named(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """One contract less than the market forms."""

    def remove(kind: RecordType, body: bytes) -> bytes:
        if kind != RecordType.STEP or body[FIXED - 1] == 0:
            return body
        return body[: FIXED - 1] + bytes([body[FIXED - 1] - 1]) + body[FIXED + CONTRACT_WIRE.itemsize :]

    assert "contracts are recorded" in verify(rewrite(ledger[0], tmp_path / "forged", remove)).lines[0]


@pytest.mark.parametrize("kind", [RecordType.GENESIS, RecordType.MEMBERS, RecordType.CALENDAR, RecordType.OPENING])
def test_a_changed_beginning_is_found(ledger: tuple[Path, bytes], tmp_path: Path, kind: RecordType) -> None:
    """Rules, keys, capacities and opening are bound to each other and to what follows."""
    forged = rewrite(ledger[0], tmp_path / "forged", spoil_field(19, kind, 1))
    assert not verify(forged).ok


def test_an_envelope_left_out_is_found(ledger: tuple[Path, bytes], tmp_path: Path) -> None:
    """Plans and orders without an envelope have no author."""
    folder = ledger[0]
    last = max(i for i, (_, _, kind, _) in enumerate(read(folder / "world-0000")) if kind == RecordType.ENVELOPE)
    records = [(kind, body) for i, (_, _, kind, body) in enumerate(read(folder / "world-0000")) if i != last]
    assert len(records) > last
    wanted = iter(records)

    def drop(kind: RecordType, body: bytes) -> bytes:
        found, new = next(wanted, (RecordType.END, b""))
        return new if found == kind else body

    assert not verify(rewrite(folder, tmp_path / "forged", drop)).ok


def test_a_block_of_another_version_is_not_read(ledger: tuple[Path, bytes]) -> None:
    """Unknown versions and wrong lengths are refused."""
    block = next(iter(read_blocks(ledger[0] / "world-0000")))
    payload = block.header_bytes + block.signature + block.records
    assert read_block(payload, "here").header == block.header
    for bad in (payload[:4] + b"\3" + payload[5:], payload + b"\0", payload[:-1], payload[:20], b"XXXX" + payload[4:]):
        with pytest.raises(LedgerError):
            read_block(bad, "here")


def test_a_ledger_is_written_into_a_new_folder_only(ledger: tuple[Path, bytes]) -> None:
    """Nothing is overwritten or continued."""
    with pytest.raises(LedgerError, match="not empty"):
        SmallRun([5], "full", ledger[0])


@pytest.mark.parametrize("design", sorted(DESIGNS))
@pytest.mark.parametrize("key", [0, 1])
def test_ledgers_of_any_small_market_verify(tmp_path: Path, design: str, key: int) -> None:
    """Good and bad orders, several designs."""
    run = SmallRun([key], "full", tmp_path, rules=replace(RULES, design=find_design(design))).run()
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines


def test_a_block_is_sealed_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bound below one step every step has its own block; the content is the same."""
    monkeypatch.setattr("ledger.journal.BLOCK_BYTES", 1)
    run = SmallRun([5], "full", tmp_path).run()
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["blocks"] == 1 + SLOTS + 1
    assert run.keeper.content_heads == SmallRun([5], "digest").run().keeper.content_heads


def test_several_worlds_verify_together(tmp_path: Path) -> None:
    """One folder per world, one chain head over all."""
    run = SmallRun([5, 6], "full", tmp_path / "ledger").run()
    verdict = verify(tmp_path / "ledger", run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert list(verdict.content_heads) == run.keeper.content_heads
    shutil.rmtree(tmp_path / "ledger" / "world-0000")
    assert not verify(tmp_path / "ledger").ok
