"""The rows of `bench ledger` measure what they say, on small sizes."""

from pathlib import Path

import pytest

from experiments import bench_ledger_chain as chain
from experiments import bench_ledger_programs as programs
from experiments.bench_rows import BenchRow
from ledger.audit import find_worlds
from ledger.fsck import fsck
from ledger.journal import read_blocks


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that take a moment."""
    for name, size in (("PARTIES", 4), ("STEPS", 2), ("CHAIN_ROUNDS", 1), ("LEAVES", 1_000), ("WORLDS", 3)):
        monkeypatch.setattr(chain, name, size)
    monkeypatch.setattr("experiments.bench_rows.ROUND_S", 1e-4)


def test_every_row_is_measured_and_right() -> None:
    """Times above zero, and the results of both sides agree."""
    rows = chain.chain_rows(3)
    assert all(isinstance(row, BenchRow) and row.ours_s > 0 and row.same for row in rows)
    assert "384 orders" in rows[0].what
    assert "336 bytes" in rows[1].what


def test_the_ledger_that_is_timed_is_whole(tmp_path: Path) -> None:
    """Written by the production writer: every envelope admitted, signed and in the chain."""
    chain._write_ledger(tmp_path, 3)
    verdict = fsck(tmp_path, signatures=True)
    assert verdict.ok, verdict.lines
    assert verdict.counts["envelopes"] == 4 * 2
    assert len(list(read_blocks(find_worlds(tmp_path)[0]))) >= 2


def test_programs_reasons_and_sealing_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides run, and what is made is whole."""
    monkeypatch.setattr(programs, "STEPS", 12)
    monkeypatch.setattr(programs, "PRIVATE_STEPS", 2)
    rows = programs.programs_rows(1)
    assert [row.same for row in rows] == [True, True, True, True]
    assert all(row.ours_s > 0 < row.reference_s for row in rows)
