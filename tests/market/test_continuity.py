"""Runs of sellers and cover of buyers, counted again slot by slot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.continuity import cover_ahead, find_runs
from market.contracts import CONTRACT, no_contracts
from market.slots import SlotCalendar
from market.tables import Table

ROWS = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(0, 2), st.integers(0, 2), st.integers(5_000, 5_009), st.integers(1, 9),
        st.integers(0, 5_000),
    ),
    max_size=25,
)  # fmt: skip
"""Contracts as (world, seller, buyer, slot, energy, formed)."""
DAY = 48


def make_contracts(rows: list[tuple[int, int, int, int, int, int]]) -> Table:
    """A contract table of these columns."""
    table = np.zeros(len(rows), CONTRACT)
    names = ("world", "seller", "buyer", "slot", "energy", "formed")
    for name, column in zip(names, zip(*rows, strict=True), strict=False):
        table[name] = column
    return table


@settings(max_examples=100)
@given(rows=ROWS)
def test_a_run_is_what_one_walks_through_without_a_gap(rows: list[tuple[int, int, int, int, int, int]]) -> None:
    """Each seller of each world: runs start where the slot before is empty; lengths and energies are those walked."""
    wanted = []
    for world, seller in sorted({row[:2] for row in rows}):
        sold: dict[int, int] = {}
        for row in rows:
            if row[:2] == (world, seller):
                sold[row[3]] = sold.get(row[3], 0) + row[4]
        for first in sorted(slot for slot in sold if slot - 1 not in sold):
            run = [slot for slot in sold if slot >= first and all(s in sold for s in range(first, slot))]
            wanted.append((world, seller, first, len(run), sum(sold[slot] for slot in run)))
    found = find_runs(make_contracts(rows))
    columns = (found.world, found.seller, found.first, found.slots, found.energy_wh)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == wanted
    assert found.longest == max((row[3] for row in wanted), default=0)
    total = sum(row[4] for row in wanted)
    if total:
        assert found.mean == pytest.approx(sum(row[3] for row in wanted) / len(wanted))
        assert found.share_in(1) == 1.0
        assert found.share_in(3) == sum(row[4] for row in wanted if row[3] >= 3) / total
    own = found.of_seller(1)
    assert own.energy_wh.tolist() == [row[4] for row in wanted if row[1] == 1]


def test_runs_of_different_sellers_and_worlds_do_not_join() -> None:
    """Slot 1 of one and slot 2 of another are two runs of one slot."""
    found = find_runs(make_contracts([(0, 0, 1, 1, 5, 0), (0, 2, 1, 2, 5, 0), (1, 2, 1, 3, 5, 0)]))
    assert found.slots.tolist() == [1, 1, 1]


@settings(max_examples=100)
@given(rows=ROWS)
def test_cover_counts_contracts_formed_more_than_a_month_ahead(rows: list[tuple[int, int, int, int, int, int]]) -> None:
    """Of one buyer and of all; against what was contracted, or against a given demand."""
    contracts = make_contracts(rows)
    for buyer in (None, 0, 1):
        mine = [row for row in rows if buyer in (None, row[2])]
        ahead = sum(row[4] for row in mine if row[3] - row[5] > 30 * DAY)
        found = cover_ahead(contracts, buyer)
        assert (found.demand_wh, found.ahead_wh) == (sum(row[4] for row in mine), ahead)
        assert cover_ahead(contracts, buyer, demand_wh=1_000).share == ahead / 1_000


def test_exactly_a_month_is_not_more_than_a_month() -> None:
    """30 days of 48 half hours, or of 96 quarters."""
    rows = [(0, 0, 1, 30 * DAY, 5, 0), (0, 0, 1, 30 * DAY + 1, 7, 0)]
    assert cover_ahead(make_contracts(rows)).ahead_wh == 7
    assert cover_ahead(make_contracts(rows), calendar=SlotCalendar(15)).ahead_wh == 0


def test_nothing_has_no_share() -> None:
    """Without contracts or demand there is no number."""
    runs, cover = find_runs(no_contracts()), cover_ahead(no_contracts())
    assert (runs.longest, runs.mean, runs.share_in(1), cover.share) == (0, None, None, None)
