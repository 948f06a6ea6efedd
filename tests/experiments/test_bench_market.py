"""The market's bench: references solve the same problem, rows say so, memory is counted by order."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments import bench_auctions, bench_market, bench_memory, bench_rows
from experiments.bench_auctions import SPOT, WelfareProblem, capacities, japan, random_books, welfare_of
from experiments.bench_memory import MemoryRow
from experiments.bench_rows import BenchRow, alternate
from experiments.cli import app
from market.splitting import clear


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench of a moment."""
    for name, value in (
        ("BOOKS", 5),
        ("BOOK_ORDERS", 40),
        ("SPLIT_SIZES", ((60, 1.0),)),
        ("SPLIT_MARKETS", 2),
        ("YEAR_SLOTS", 8),
        ("YEAR_ORDERS", 50),
        ("YEAR_CHECKED", 4),
    ):
        monkeypatch.setattr(bench_auctions, name, value)
    monkeypatch.setattr(bench_rows, "ROUND_S", 0.0)


@pytest.mark.parametrize("seed", range(10))
def test_the_program_has_the_welfare_of_the_auction(seed: int) -> None:
    """Given as an order table or ready to solve, HiGHS finds the welfare of the engine, in whole uJPY."""
    grid, room, table = japan(), capacities(1), random_books(150, 1, seed)
    problem = WelfareProblem(grid)
    mine = welfare_of(clear(SPOT, grid, table, room, np.zeros_like(room)))[0]
    assert problem.clear(table, room[0]) == pytest.approx(mine, abs=0.5)
    assert problem.solve() == pytest.approx(mine, abs=0.5)


@pytest.mark.usefixtures("small")
def test_auction_rows_compare_the_same_result() -> None:
    """One row of books; splitting has two, for a ready problem and for the whole way; a year has both by two clocks."""
    rows = [*bench_auctions.bench_uniform(0), *bench_auctions.bench_splitting(0), *bench_auctions.bench_year(0)]
    assert len(rows) == 1 + 2 + 4
    assert all(row.same for row in rows)
    assert all(row.ratio > 0 for row in rows)


def test_sides_take_turns_and_the_first_call_does_not_count() -> None:
    """What the first calls gave is returned; what takes longer than a round is called once in each."""
    calls: list[str] = []
    ours_s, theirs_s, *results = alternate(lambda: calls.append("a") or 1, lambda: calls.append("b") or 2, rounds=2)
    assert results == [1, 2]
    assert calls[:2] == ["a", "b"]
    assert min(ours_s, theirs_s) > 0


def test_memory_is_linear_where_an_order_costs_the_same() -> None:
    """More bytes an order in the larger call are not linear, and neither is a call that was not seen."""
    assert MemoryRow("x", (1, 4), (100.0, 101.0)).linear
    assert not MemoryRow("x", (1, 4), (100.0, 180.0)).linear
    assert not MemoryRow("x", (1, 4), (0.0, 0.0)).linear


@pytest.mark.slow
def test_memory_of_the_engine_is_linear_in_orders() -> None:
    """Auctions and continuous trade, four times as many orders in the larger call."""
    rows = bench_memory.bench_memory(0)
    assert [row.linear for row in rows] == [True, True]
    assert all(10 < amount < 1_000 for row in rows for amount in row.bytes_per_order)


def test_the_verb_prints_every_row_as_a_table_and_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratio, target and whether results are equal; memory an order; where published curves are measured."""
    monkeypatch.setattr(bench_market, "PARTS", (lambda _seed: [BenchRow("this", "that", 0.5, 2.0, 3.0, True)],))
    monkeypatch.setattr(bench_market, "bench_memory", lambda _seed: [MemoryRow("spot", (10, 40), (9.0, 8.0))])
    text = CliRunner().invoke(app, ["bench", "market"]).stdout
    assert "4.00x" in text
    assert "9 and 8" in text
    assert "digitalgrid bench curves" in text
    speed, memory = json.loads(CliRunner().invoke(app, ["bench", "market", "--json"]).stdout)
    assert (speed["ratio"], speed["target"], speed["same"]) == (4.0, 3.0, True)
    assert memory["linear"] is True
