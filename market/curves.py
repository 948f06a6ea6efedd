"""Published bid curves (入札カーブ) as orders of books: step curves of supply and demand, cleared by the one engine.

A curve lists, by rising price, the energy offered at that price or less and the energy wanted at that price or more,
both cumulated; it begins with a row at price 0 and ends with one at 999.99 JPY/kWh. The difference from row to row is
an order: a sale at the price at which the offer rises, a purchase at the price after which demand falls. At equal
prices the last row counts for sales and the first for purchases, which differences do by themselves.

Source: JEPX day-ahead bid curves as published; accepted block orders and flows between groups of areas are inside.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.orders import ORDER, Kind, Side, TimeInForce
from market.tables import Table
from market.uniform import clear_books
from market.units import ENERGY_BOUND, Int

FIRST_PRICE, LAST_PRICE = 0, 999_990
"""Prices of the rows that close a curve [mJPY/kWh]."""


class Curves(NamedTuple):
    """Any number of bid curves, one after another.

    start (curves + 1,) first row of each, and the end; price (rows,) [mJPY/kWh]; sell (rows,) energy offered at that
    price or less, buy (rows,) wanted at that price or more [Wh].
    """

    start: Int
    price: Int
    sell: Int
    buy: Int


class Fault(NamedTuple):
    """Row of a curve that cannot be, and why."""

    row: int
    what: str
    do: str


def find_fault(curves: Curves) -> Fault | None:
    """The first row that makes a set of curves unusable, None when all are well formed."""
    start, price, sell, buy = curves
    rows = len(price)
    if rows == 0:
        return Fault(0, "no curve", "give a file with rows")
    first, last = np.zeros((2, rows), np.bool_)
    first[start[:-1]] = True
    last[start[1:] - 1] = True
    inner = ~first
    change = [np.diff(column, prepend=column[:1]) for column in (price, sell, buy)]
    same = inner & (change[0] == 0) & (change[1] == 0) & (change[2] == 0)
    rules: tuple[tuple[npt.NDArray[np.bool_], str, str], ...] = (
        ((sell < 0) | (buy < 0), "energy is below zero", "cumulated energy is zero or more"),
        ((sell >= ENERGY_BOUND) | (buy >= ENERGY_BOUND), "energy is too large", "one side stays below 2^38 Wh"),
        (first & (price != FIRST_PRICE), "the curve does not begin at price 0", "add its closing row at price 0"),
        (inner & (change[0] < 0), "the price falls within a curve", "list each curve once, by rising price"),
        (same, "the row stands twice", "drop one of them"),
        (inner & (change[1] < 0), "the energy offered falls as the price rises", "cumulate sales from low prices up"),
        (inner & (change[2] > 0), "the energy wanted rises with the price", "cumulate purchases from high prices down"),
        (last & (price != LAST_PRICE), "the curve does not end at price 999.99", "add its closing row at 999.99"),
    )
    found = [(int(bad.argmax()), place) for place, (bad, _, _) in enumerate(rules) if bad.any()]
    if not found:
        return None
    row, place = min(found)
    return Fault(row, *rules[place][1:])


def clear_curves(curves: Curves, floor: int) -> tuple[Int, Int]:
    """Price and volume of each curve, (curves,) int64 [mJPY/kWh, Wh]; NO_PRICE and 0 without trade.

    `floor` is the lowest price of the band [mJPY/kWh]. Raises nothing: see `find_fault` first.
    """
    count = len(curves.price)
    energy = np.empty((count, 2), np.int64)
    energy[:, 0], energy[:, 1] = _differences(curves)
    side = np.empty((count, 2), np.uint8)
    side[:] = Side.SELL, Side.BUY
    price = np.repeat(curves.price, 2)
    # a sale below the band is one at its floor
    price[::2] = np.maximum(price[::2], floor)
    return clear_books(2 * curves.start, side.reshape(-1), price, energy.reshape(-1), floor)


def curve_orders(curves: Curves) -> Table:
    """The order table of curves: area 0, `market` the number of the curve, one order for each step of a side.

    Sequence and reference are the row's number; sales stand before purchases of the same row.
    """
    energy = np.stack(_differences(curves), 1)
    rows, sides = np.nonzero(energy)
    table = np.zeros(len(rows), ORDER)
    table["side"] = np.where(sides == 0, int(Side.SELL), int(Side.BUY))
    table["kind"], table["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    table["energy"], table["price"] = energy[rows, sides], curves.price[rows]
    table["market"] = np.searchsorted(curves.start, rows, side="right") - 1
    table["reference"] = table["sequence"] = np.arange(len(rows))
    return table


def _differences(curves: Curves) -> tuple[Int, Int]:
    """Energy of the sale and of the purchase at each row, (rows,) each [Wh]."""
    sell = np.diff(curves.sell, prepend=0)
    sell[curves.start[:-1]] = curves.sell[curves.start[:-1]]
    buy = -np.diff(curves.buy, append=0)
    ends = curves.start[1:] - 1
    buy[ends] = curves.buy[ends]
    return sell, buy


def take_flow(curves: Curves, flow_wh: Int) -> Curves:
    """Curves without the flow that each of them holds as an order at any price.

    flow_wh (curves,): > 0 leaves, held as a purchase: taken from every row's demand but the last; < 0 arrives, held as
    a sale: taken from every row's offer but the first. What would fall below zero stays zero.
    """
    rows = np.diff(curves.start)
    flow = np.repeat(flow_wh, rows)
    leaving, arriving = np.maximum(flow, 0), np.maximum(-flow, 0)
    leaving[curves.start[1:] - 1] = 0
    arriving[curves.start[:-1]] = 0
    return curves._replace(
        sell=np.maximum(curves.sell - arriving, 0),
        buy=np.maximum(curves.buy - leaving, 0),
    )
