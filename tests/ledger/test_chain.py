"""Every field of a header is checked, also where its operator signed it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import verify
from ledger.blocks import Header, header_hash, header_message
from ledger.fsck import fsck
from ledger.journal import read_blocks
from ledger.keys import OPERATOR, SoftwareSigner, simulation_signer
from ledger.segments import SegmentWriter
from tests.ledger.small_world import SmallRun


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of three blocks."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    SmallRun([5], "full", folder).run()
    return folder


def sign_again(ledger: Path, target: Path, change: dict[str, Any]) -> Path:
    """The ledger with fields of block 1 changed, and links and signatures made to fit by its operator."""
    writer, previous = SegmentWriter(target / "world-0000"), bytes(32)
    for block in read_blocks(ledger / "world-0000"):
        operator = simulation_signer(block.header.chain_id, 5, OPERATOR)
        header: Header = replace(block.header, previous=previous)
        if block.header.height == 1:
            header = replace(header, **change)
        data = header.to_bytes()
        previous = header_hash(data)
        writer.append(data + operator.sign(header_message(data)) + block.records)
    writer.close()
    return target


def test_signed_again_without_a_change_nothing_differs(ledger: Path, tmp_path: Path) -> None:
    """The forger of these tests makes no mistake of its own."""
    assert verify(sign_again(ledger, tmp_path / "same", {})).ok


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("epoch", 1, "administrators who are not known"),
        ("certificate", b"c" * 32, "administrators who are not known"),
        ("height", 2, "does not continue"),
        ("previous", b"p" * 32, "does not continue"),
        ("log_size", 4, "does not continue"),
        ("records_root", b"r" * 32, "not those the header names"),
        ("records", 3, "not those the header names"),
        ("log_root", b"l" * 32, "log root"),
        ("state_root", b"s" * 32, "state root"),
        ("chain_id", b"S" * 16, "chain"),
    ],
)
def test_a_false_field_is_named(ledger: Path, tmp_path: Path, field: str, value: object, said: str) -> None:
    """By the structure check and by the audit, with the block."""
    forged = sign_again(ledger, tmp_path / "forged", {field: value})
    for verdict in (fsck(forged), verify(forged)):
        assert not verdict.ok
        assert said in verdict.lines[0]
        assert "block 1" in verdict.lines[0]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("first_slot", 1, "slots of the header"), ("content_head", b"h" * 32, "content head")],
)
def test_what_only_the_market_tells_is_left_to_the_audit(
    ledger: Path, tmp_path: Path, field: str, value: object, said: str
) -> None:
    """Slots and content head follow from the steps."""
    forged = sign_again(ledger, tmp_path / "forged", {field: value})
    assert said in verify(forged).lines[0]


def test_a_strangers_signature_is_not_the_sequencers(ledger: Path, tmp_path: Path) -> None:
    """Of a block that is otherwise right."""
    writer, stranger = SegmentWriter(tmp_path / "forged" / "world-0000"), SoftwareSigner.generate()
    for block in read_blocks(ledger / "world-0000"):
        signature = stranger.sign(header_message(block.header_bytes)) if block.header.height else block.signature
        writer.append(block.header_bytes + signature + block.records)
    writer.close()
    assert "not the sequencer's" in fsck(tmp_path / "forged").lines[0]
    assert "not the sequencer's" in verify(tmp_path / "forged").lines[0]
