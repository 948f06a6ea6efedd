"""The administrators' rows of `bench ledger` measure what they say, on small sizes."""

import pytest

from experiments import bench_ledger_administrators as bench
from experiments.bench_ledger import PARTS


def test_every_row_is_measured_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times above zero, both sides good, and no seed of the simulator with a violation."""
    monkeypatch.setattr("experiments.bench_rows.ROUND_S", 1e-4)
    monkeypatch.setattr(bench, "SEEDS", 5)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    rows = bench.administrators_rows(3)
    assert [row.same for row in rows] == [None, True, True]
    assert all(row.ours_s > 0 < row.reference_s for row in rows)
    assert bench.administrators_rows in PARTS
