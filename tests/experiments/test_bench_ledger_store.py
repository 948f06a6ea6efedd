"""The row of the store in `bench ledger`, in one round."""

import pytest

from experiments import bench_ledger_store


def test_a_durable_order_is_timed_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the wall clock, and at least by the number of orders that share a block's fdatasync cheaper."""
    monkeypatch.setattr(bench_ledger_store, "ROUNDS", 1)
    (row,) = bench_ledger_store.store_rows(0)
    assert "2,256 in a block" in row.what
    assert row.target == 500
    assert row.ratio > 20
