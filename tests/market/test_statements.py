"""Statements: the sums of one party's contracts, counted again one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contracts import CONTRACT, Source
from market.grid import Grid, Line
from market.orders import Side
from market.statements import AHEAD_DAYS, contracts_of, name_paths, sum_dealings
from market.tables import Table

ROWS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 3), st.integers(5_000, 5_009), st.integers(1, 9), st.integers(0, 5_000)
    ),
    max_size=30,
)


def make_contracts(rows: list[tuple[int, int, int, int, int]]) -> Table:
    """Contracts of seller, buyer, slot, energy and slot of formation; the buyer pays 2 more than the seller gets."""
    table = np.zeros(len(rows), CONTRACT)
    for name, column in zip(("seller", "buyer", "slot", "energy", "formed"), zip(*rows, strict=True), strict=False):
        table[name] = column
    table["sell_price"], table["buy_price"] = 10, 12
    table["source"], table["last_resort"] = table["energy"] % 4, table["energy"] % 2
    return table


@settings(max_examples=100)
@given(rows=ROWS)
def test_sums_are_those_of_the_rows(rows: list[tuple[int, int, int, int, int]]) -> None:
    """Energy, money, sources, partners, lead and last resort of both sides, counted one contract at a time."""
    contracts = make_contracts(rows)
    for me in range(4):
        for side, mine, other, price in ((Side.SELL, 0, 1, 10), (Side.BUY, 1, 0, 12)):
            own = [row for row in rows if row[mine] == me]
            found = sum_dealings(contracts, me, side)
            assert found.energy_wh == sum(row[3] for row in own)
            assert found.money_ujpy == sum(row[3] * price for row in own)
            assert found.last_resort_wh == sum(row[3] for row in own if row[3] % 2)
            assert found.ahead_wh == sum(row[3] for row in own if row[2] - row[4] > AHEAD_DAYS * 48)
            assert found.by_partner == {p: sum(r[3] for r in own if r[other] == p) for p in {r[other] for r in own}}
            assert found.by_source == {
                Source(s): sum(r[3] for r in own if r[3] % 4 == s) for s in {r[3] % 4 for r in own}
            }
            busy = {row[2] for row in own}
            runs = [next(n for n in range(1, 12) if slot + n not in busy) for slot in busy if slot - 1 not in busy]
            assert (found.slots, found.longest_run) == (len(busy), max(runs, default=0))


@settings(max_examples=50)
@given(rows=ROWS)
def test_every_contract_is_in_the_statement_of_its_seller_and_its_buyer(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    """Nothing is lost or invented, rows are sorted by slot, and all parties' purchases are all parties' sales."""
    contracts = make_contracts(rows)
    counts = 0
    for me in range(4):
        mine = contracts_of(contracts, me)
        assert all(me in (row["seller"], row["buyer"]) for row in mine)
        assert (np.diff(mine["slot"]) >= 0).all()
        counts += len(mine)
    assert counts == 2 * len(rows) - sum(row[0] == row[1] for row in rows)
    bought, sold = (sum(sum_dealings(contracts, p, side).energy_wh for p in range(4)) for side in Side)
    assert bought == sold


def test_prices_and_shares_of_nothing_are_null() -> None:
    """A party without contracts has no mean price and no shares, not zeros."""
    nothing = sum_dealings(make_contracts([]), 0, Side.BUY)
    assert (nothing.energy_wh, nothing.slots, nothing.longest_run) == (0, 0, 0)
    assert nothing.mean_jpy_kwh is None
    assert nothing.share(0) is None


def test_paths_are_named_by_their_lines_and_direction() -> None:
    """A line passed against its direction says so; the path within an area has no name."""
    grid = Grid(("a", "b", "c"), (Line("north", 0, 1), Line("south", 2, 1)))
    assert set(name_paths(grid)) == {
        "", "north", "north (back)", "south", "south (back)", "north + south (back)", "south + north (back)",
    }  # fmt: skip
    assert name_paths(grid)[0] == ""
