"""The bench of blocks compares what it says: the program's welfare is never below the auction's."""

import pytest

from experiments import bench_blocks
from experiments.bench_auctions import capacities, japan
from experiments.bench_blocks import block_rows, random_day, solve_program, trade_day


def test_the_program_bounds_the_auction_and_equals_it_where_no_block_would_lose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six slots of nine areas: one row a count, same welfare within the program's gap or more."""
    monkeypatch.setattr(bench_blocks, "SLOTS", 6)
    monkeypatch.setattr(bench_blocks, "COUNTS", (4,))
    monkeypatch.setattr(bench_blocks, "ROUNDS", 1)
    (row,) = block_rows(2)
    assert row.same
    orders, blocks = random_day(0, 2)
    welfare = solve_program(japan(), orders, blocks, capacities(6))
    assert welfare == pytest.approx(trade_day(orders, blocks).welfare_ujpy, rel=1e-9)
