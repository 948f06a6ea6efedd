"""The bench of the nation: what is measured is the market itself, on orders that look like fifty million sites."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from envs.japan_nine import SOLAR_MW, japan_grid
from experiments import bench_nation, bench_rows
from experiments.bench_auctions import EQUAL_UJPY, WelfareProblem, welfare_of
from experiments.bench_nation import SIDE_WH, SPOT, line_capacity_wh, site_orders
from experiments.cli import app
from market.orders import Side
from market.splitting import clear


def test_orders_of_sites_have_the_energy_of_the_nation() -> None:
    """About 80 GW on each side, sellers where solar plant is, prices at ticks, and the same with the same seed."""
    table = site_orders(200_000, 4)
    for side in (Side.BUY, Side.SELL):
        assert table["energy"][table["side"] == side].sum() == pytest.approx(SIDE_WH, rel=0.02)
    sellers = table["area"][table["side"] == Side.SELL]
    expected = np.array(SOLAR_MW[2019]) / sum(SOLAR_MW[2019])
    assert np.bincount(sellers, minlength=9) / len(sellers) == pytest.approx(expected, abs=0.01)
    assert not (table["price"] % 10).any()
    assert np.array_equal(table, site_orders(200_000, 4))
    assert not np.array_equal(table, site_orders(200_000, 5))


@pytest.mark.parametrize("seed", range(3))
def test_lines_fill_and_the_welfare_is_that_of_the_program(seed: int) -> None:
    """Areas come apart, no line is overrun, and HiGHS finds the same welfare."""
    table, room, grid = site_orders(40_000, seed), line_capacity_wh(), japan_grid()
    found = clear(SPOT, grid, table, room, np.zeros_like(room))
    flow = found.result.flow[0, : len(grid.lines)]
    assert ((flow <= room[0, :, 0]) & (-flow <= room[0, :, 1])).all()
    assert len(set(found.result.price[0].tolist())) > 1
    assert abs(welfare_of(found)[0] - WelfareProblem(grid).clear(table, room[0])) < EQUAL_UJPY


def test_the_bench_says_what_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites, orders and memory of the day; two comparisons with the same welfare, one with a sort, which has none."""
    monkeypatch.setattr(bench_nation, "ROUNDS", 1)
    monkeypatch.setattr(bench_rows, "ROUND_S", 0.0)
    ended = CliRunner().invoke(app, ["bench", "nation", "--sites", "3000", "--json"])
    assert ended.exit_code == 0
    found = json.loads(ended.stdout)
    assert found["day"]["sites"] == pytest.approx(50e6, rel=1e-4)
    assert found["day"]["orders_per_slot"] > 2_000
    assert found["day"]["peak_mb"] > 0 < found["day"]["step_s"] <= found["day"]["longest_step_s"]
    assert [row["same"] for row in found["comparisons"]] == [True, True, None]
    assert found["site_orders"] == 3_000
    assert len(found["prices_jpy_kwh"]) == 9
