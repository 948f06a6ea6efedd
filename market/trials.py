"""Random small markets on which designs are tried, and one call of `trade` on them."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from market.design import MarketDesign
from market.exchange import Outcome, let_lapse, trade
from market.grid import Grid
from market.opening import open_range
from market.orders import ORDER, Kind, TimeInForce, no_orders
from market.slots import SlotCalendar
from market.tables import Table
from market.units import Int

MOST_ORDERS, PRICES, LOTS, PARTIES = 9, 12, 20, 6
DAY = date(2018, 4, 20)
"""Trials happen at 10:00 of some day, when every design but `retail` takes orders."""


@dataclass(frozen=True)
class Case:
    """One call of `trade` on random markets: what went in and what came out; `now` is the same for all."""

    design: MarketDesign
    grid: Grid
    calendar: SlotCalendar
    resting: Table
    orders: Table
    capacity_wh: Int
    flow_wh: Int
    retail: Int
    outcome: Outcome

    @property
    def markets(self) -> int:
        """Number of markets."""
        return len(self.capacity_wh)


def run(case: Case) -> Case:
    """The same case traded (again), for instance after something of it was changed."""
    outcome = trade(
        case.design,
        case.grid,
        case.resting,
        case.orders,
        case.capacity_wh,
        case.flow_wh,
        np.array([time_of(case.calendar)]),
        retail=case.retail,
        calendar=case.calendar,
    )
    return replace(case, outcome=outcome)


def time_of(calendar: SlotCalendar) -> int:
    """Slot in which all trials happen."""
    return calendar.first_of(DAY) + calendar.auction_slot_of_day


def plain_call(
    design: MarketDesign, grid: Grid, calendar: SlotCalendar, rng: np.random.Generator, markets: int
) -> Case:
    """Markets in which every order is new, and the only one of its party."""
    return run(_draw(design, grid, calendar, rng, markets, mixed=False))


def two_calls(
    design: MarketDesign, grid: Grid, calendar: SlotCalendar, rng: np.random.Generator, markets: int
) -> tuple[Case, Case]:
    """Two calls in a row, with immediate orders, cancels, replaces and parties with several orders."""
    first = run(_draw(design, grid, calendar, rng, markets, mixed=True))
    orders = _draw_orders(design, grid, rng, _slots_of(first), mixed=True, sequence=len(first.orders))
    state = first.outcome
    return first, run(replace(first, resting=state.resting, orders=orders, flow_wh=state.flow_wh))


def only(table: Table, market: int) -> Table:
    """The rows of one market, as market 0 of a call by itself."""
    rows: Table = table[table["market"] == market].copy()
    rows["market"] = 0
    return rows


def alone(case: Case, market: int) -> Case:
    """One market of a case traded by itself."""
    here = slice(market, market + 1)
    return run(
        replace(
            case,
            resting=only(case.resting, market),
            orders=only(case.orders, market),
            capacity_wh=case.capacity_wh[here],
            flow_wh=case.flow_wh[here],
            retail=case.retail[here],
        )
    )


def _draw(
    design: MarketDesign, grid: Grid, calendar: SlotCalendar, rng: np.random.Generator, markets: int, mixed: bool
) -> Case:
    first, stop = (int(edge) for edge in open_range(design, calendar, np.array(time_of(calendar))))
    slots = rng.integers(first, max(stop, first + 1), markets)
    orders = _draw_orders(design, grid, rng, slots, mixed, 0)
    shape = (markets, len(grid.lines), 2)
    capacity = rng.integers(0, 3 * LOTS, shape) * rng.integers(0, 2, shape) * design.lot_wh
    nothing = np.zeros(shape, np.int64)
    pays = rng.integers(1, PRICES, (markets, len(grid.areas)))
    asks = pays + rng.integers(0, PRICES, pays.shape)
    retail = np.stack([asks, pays], -1) * design.tick_mjpy_kwh
    return Case(
        design, grid, calendar, no_orders(), orders, capacity, nothing, retail, let_lapse(no_orders(), capacity)
    )


def _slots_of(case: Case) -> Int:
    """Slot of each market; where it had no orders, that of the first that had."""
    slots = np.full(case.markets, case.orders["slot"][:1].sum(), np.int64)
    slots[case.orders["market"]] = case.orders["slot"]
    return slots


def _draw_orders(
    design: MarketDesign, grid: Grid, rng: np.random.Generator, slots: Int, mixed: bool, sequence: int
) -> Table:
    market = np.repeat(np.arange(len(slots)), rng.integers(0, MOST_ORDERS + 1, len(slots)))
    count = len(market)
    table = np.zeros(count, ORDER)
    table["market"], table["slot"] = market, slots[market]
    table["side"] = rng.integers(1, 3, count)
    table["kind"] = rng.choice([1, 1, 1, 2, 3], count) if mixed else Kind.NEW
    table["time_in_force"] = rng.integers(1, 3, count) if mixed else TimeInForce.UNTIL_GATE
    table["area"] = rng.integers(0, len(grid.areas), count)
    table["energy"] = rng.integers(1, LOTS + 1, count) * design.lot_wh
    table["price"] = design.band_mjpy_kwh[0] + rng.integers(0, PRICES, count) * design.tick_mjpy_kwh
    table["party"] = rng.integers(0, PARTIES, count)
    table["sequence"] = sequence + rng.permutation(count)
    # every third number is used again, so that cancels and replaces find something
    table["reference"] = np.where(rng.integers(0, 3, count) == 0, rng.integers(0, 3, count), 10 + table["sequence"])
    if not mixed:
        table["party"] = np.arange(count) - np.searchsorted(market, market)
        table["reference"] = table["sequence"]
    table["energy"][table["kind"] == Kind.CANCEL] = 0
    return table
