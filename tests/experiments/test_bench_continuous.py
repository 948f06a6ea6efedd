"""The bench of continuous trade compares equal work: the plain book forms the same contracts as the engine."""

import numpy as np
import pytest

from experiments import bench_continuous
from experiments.bench_auctions import japan
from experiments.bench_continuous import ONE_AREA, events_of, random_flow, same_deals, trade_flow, trade_in_heaps
from market.grid import Grid


@pytest.mark.parametrize(("grid", "markets"), [(ONE_AREA, 1), (japan(), 3)], ids=["hot", "areas"])
@pytest.mark.parametrize("seed", range(4))
def test_heap_books_form_the_contracts_of_the_engine(grid: Grid, markets: int, seed: int) -> None:
    """Two thousand events with cancels, replaces, immediate orders and owners; scarce lines in nine areas."""
    flow = random_flow(grid, markets, 2_000, seed)
    scarce = flow._replace(capacity_wh=flow.capacity_wh // 10)
    outcome, deals = trade_flow(scarce), trade_in_heaps(scarce, events_of(scarce.orders))
    assert len(deals) > 500
    assert same_deals(outcome, deals)
    assert not same_deals(outcome, deals[:-1])


def test_a_flow_has_all_kinds_of_events() -> None:
    """Cancels and replaces name orders that were sent before, in the same market."""
    flow = random_flow(japan(), 5, 1_000, 1)
    orders = flow.orders
    sent = {
        (int(row["market"]), int(row["party"]), int(row["reference"])): int(row["sequence"]) for row in orders[::-1]
    }
    for kind in (2, 3):
        rows = orders[orders["kind"] == kind]
        assert len(rows) > 50
        assert all(sent[int(r["market"]), int(r["party"]), int(r["reference"])] < int(r["sequence"]) for r in rows)
    assert np.isin([1, 2], orders["time_in_force"]).all()
    assert len(events_of(orders)) == len(orders)


def test_rows_say_what_was_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row for many slots, one for a hot book, one for a year, each with the same result."""
    monkeypatch.setattr(bench_continuous, "EVENTS", 500)
    monkeypatch.setattr(bench_continuous, "YEAR_EVENTS", 500)
    monkeypatch.setattr(bench_continuous, "YEAR_SLOTS", 50)
    rows = bench_continuous.bench_continuous(0)
    assert [row.same for row in rows] == [True, True, True]
    assert all(row.what.startswith("continuous, 500 events") for row in rows)
