"""Which order rows may enter a market, by the rules that need no clock; every refusal is a value.

The first broken rule of this list is a row's code: known side, kind, time in force; known area; energy above zero,
energy and price within the bounds of `market.units`, whole lots, whole ticks, price in the band (numbers are not read
in a cancel); the codes of the clock, which the caller gives; reference new within the party's step. What is left keeps
one side of one slot below the bound of `market.units`; rows that would not are too large.

Source: lot, tick and band of the day-ahead market, JEPX trading rules; bounds so that sums of price x energy stay
exact in int64.
"""

import numpy as np
import numpy.typing as npt

from market.design import MarketDesign
from market.errors import Refusal
from market.grid import Grid
from market.orders import Kind, Side, TimeInForce
from market.tables import Table
from market.units import ENERGY_BOUND, PRICE_BOUND, Int

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

PARTY_BITS = 20
"""A world has fewer than 2^20 parties."""


def check_orders(design: MarketDesign, grid: Grid, orders: Table, clock: Codes | None = None) -> Codes:
    """Refusal code of each order row, (n,) uint8; 0 where it may enter.

    Args:
        design: lot, tick and band.
        grid: areas.
        orders: ORDER rows of any number of worlds.
        clock: (n,) codes of rows that are closed or not yet open, 0 for the others; None where gates are open. It
            becomes the result.
    """
    codes = np.zeros(len(orders), np.uint8) if clock is None else clock
    if not len(orders):
        return codes
    kind = np.ascontiguousarray(orders["kind"])
    # written from the last rule to the first, so that the first broken one stays
    again = find_duplicates(orders)
    if len(again):
        codes[again[codes[again] == 0]] = Refusal.DUPLICATE_REFERENCE
    _check_numbers(design, orders, kind == Kind.CANCEL, codes)
    codes[orders["area"] >= len(grid.areas)] = Refusal.UNKNOWN_AREA
    codes[
        _is_unknown(orders["side"], len(Side))
        | _is_unknown(kind, int(Kind.REPLACE))
        | _is_unknown(orders["time_in_force"], len(TimeInForce))
    ] = Refusal.UNKNOWN_KIND
    check_sums(orders, codes)
    return codes


def find_duplicates(orders: Table) -> Int:
    """Rows whose world, party and reference stand in an earlier row too."""
    party = (orders["world"].astype(np.int64) << PARTY_BITS) | orders["party"]
    reference = orders["reference"]
    later = party[1:] > party[:-1]
    if (later | ((party[1:] == party[:-1]) & (reference[1:] > reference[:-1]))).all():
        return np.zeros(0, np.int64)
    order = np.lexsort((reference, party))
    again = (party[order][1:] == party[order][:-1]) & (reference[order][1:] == reference[order][:-1])
    return np.asarray(order[1:][again], np.int64)


def _check_numbers(design: MarketDesign, orders: Table, cancels: Mask, codes: Codes) -> None:
    energy = np.ascontiguousarray(orders["energy"])
    price = np.ascontiguousarray(orders["price"])
    low, high = design.band_mjpy_kwh
    for code, broken in (
        (Refusal.OUT_OF_BAND, (price < low) | (price > high)),
        (Refusal.OFF_TICK, _is_off(price, design.tick_mjpy_kwh)),
        (Refusal.OFF_LOT, _is_off(energy, design.lot_wh)),
        (Refusal.TOO_LARGE, (energy >= ENERGY_BOUND) | (price >= PRICE_BOUND) | (price <= -PRICE_BOUND)),
        (Refusal.NOT_POSITIVE, energy <= 0),
    ):
        if broken.any():
            codes[broken & ~cancels] = code


def check_sums(orders: Table, codes: Codes) -> None:
    """Keep one side of one slot below the bound that keeps sums of price x energy exact, first rows first; in place."""
    enters = (codes == 0) & (orders["kind"] != Kind.CANCEL)
    if orders["energy"].sum(where=enters) < ENERGY_BOUND:
        return
    rows = np.flatnonzero(enters)
    rows = rows[np.lexsort((orders["side"][rows], orders["slot"][rows], orders["world"][rows]))]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = False
    for name in ("world", "slot", "side"):
        column = orders[name][rows]
        begins[1:] |= column[1:] != column[:-1]
    # Python integers would be exact without end; 2^25 rows below 2^38 Wh each still fit an int64
    upto = np.cumsum(orders["energy"][rows])
    before = (upto - orders["energy"][rows])[begins][np.cumsum(begins) - 1]
    codes[rows[upto - before >= ENERGY_BOUND]] = Refusal.TOO_LARGE


def _is_off(values: Int, step: int) -> Mask:
    return values % step != 0 if step > 1 else np.zeros(len(values), np.bool_)


def _is_unknown(values: npt.NDArray[np.uint8], last: int) -> Mask:
    """Values outside 1 .. last; zero wraps around to 255."""
    return np.asarray(values - np.uint8(1) >= last, np.bool_)
