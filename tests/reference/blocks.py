"""Referee for blocks: every acceptance is cleared as an ordinary auction, losers are looked for, the best counts."""

from itertools import product
from typing import NamedTuple

import numpy as np

from market.blocks import BLOCK, Blocks
from market.design import MarketDesign
from market.exchange import trade
from market.grid import Grid
from market.orders import ORDER, Side, TimeInForce, no_orders
from market.tables import Table
from market.units import PPM, Int
from tests.reference.markets import random_orders, random_rooms


class Case(NamedTuple):
    """A random market with blocks."""

    grid: Grid
    orders: Table
    blocks: Blocks
    capacity_wh: Int
    flow_wh: Int


def make_blocks(rows: list[tuple[int, int, Side, int, list[int], int]]) -> Blocks:
    """Blocks of (market of the first slot, area, side, price, profile, least fill [ppm]) in order of arrival.

    Party is 1,000 more than the row, reference the row.
    """
    longest = max((len(row[4]) for row in rows), default=1)
    table, profile = np.zeros(len(rows), BLOCK), np.zeros((len(rows), longest), np.int64)
    for number, (market, area, side, price, energy, least) in enumerate(rows):
        until = TimeInForce.UNTIL_GATE
        table[number] = (
            side, area, until, 100 + market, len(energy), price, least, number, 0, market, 1_000 + number, number
        )  # fmt: skip
        profile[number, : len(energy)] = energy
    return Blocks(table, profile)


def random_blocks(
    rng: np.random.Generator, grid: Grid, markets: int, count: int, partial: float = 0.0, largest: int = 15
) -> Blocks:
    """Blocks of one to all slots at prices of `random_orders`; some alike, some may be filled in part."""
    rows: list[tuple[int, int, Side, int, list[int], int]] = []
    for _ in range(count):
        if rows and rng.random() < 0.1:
            rows.append(rows[-1])
            continue
        first = int(rng.integers(markets))
        slots = int(rng.integers(1, markets - first + 1))
        side = Side.BUY if rng.random() < 0.4 else Side.SELL
        flat = [int(rng.integers(1, largest))] * slots
        profile = flat if rng.random() < 0.5 else [int(e) for e in rng.integers(1, largest, slots)]
        least = int(rng.integers(0, PPM)) if rng.random() < partial else PPM
        rows.append((first, int(rng.integers(len(grid.areas))), side, int(rng.integers(10, 22)), profile, least))
    return make_blocks(rows)


def random_case(rng: np.random.Generator, grid: Grid, markets: int, count: int, partial: float = 0.0) -> Case:
    """Simple orders and blocks on a grid."""
    orders = random_orders(rng, grid, markets)
    capacity, flow = random_rooms(rng, grid, markets)
    return Case(grid, orders, random_blocks(rng, grid, markets, count, partial), capacity, flow)


def fills_of(profile: Int, least: int, lot: int) -> list[int]:
    """The smallest fill [ppm] of each different energy a block may have; 0 is nothing."""
    steps = {0, PPM, least} | {-(-k * lot * PPM // int(e)) for e in profile if e for k in range(int(e) // lot + 1)}
    found: dict[tuple[int, ...], int] = {}
    for fill in sorted(s for s in steps if s == 0 or max(least, 1) <= s <= PPM):
        found.setdefault(tuple(int(e) * fill // PPM // lot * lot for e in profile), fill)
    return list(found.values())


def clear_at(design: MarketDesign, case: Case, energy: Int) -> tuple[int, bool]:
    """Welfare of the auction at these energies (blocks, slots), and whether all of it trades and no block loses."""
    rows = np.zeros(0, ORDER)
    for number, block in enumerate(case.blocks.table):
        for slot in np.flatnonzero(energy[number]):
            row = np.zeros(1, ORDER)
            row["side"], row["kind"], row["area"], row["time_in_force"] = block["side"], 1, block["area"], 2
            row["slot"], row["market"] = block["slot"] + slot, block["market"] + slot
            row["price"] = design.band_mjpy_kwh[0 if block["side"] == Side.SELL else 1]
            row["energy"], row["party"], row["reference"] = energy[number, slot], block["party"], block["reference"]
            row["sequence"] = -1_000 + len(rows)
            rows = np.concatenate([rows, row])
    orders = np.concatenate([rows, case.orders])
    now = np.zeros(1, np.int64)
    done = trade(design, case.grid, no_orders(), orders, case.capacity_wh, case.flow_wh, now)
    assert done.price is not None
    valid = bool((done.filled_wh[: len(rows)] == rows["energy"]).all())
    sign = np.where(case.orders["side"] == Side.BUY, 1, -1)
    welfare = int((sign * case.orders["price"] * done.filled_wh[len(rows) :]).sum())
    for number, block in enumerate(case.blocks.table):
        sells = block["side"] == Side.SELL
        welfare += (-1 if sells else 1) * int(block["price"]) * int(energy[number].sum())
        paid = sum(
            int(energy[number, s]) * (int(done.price[block["market"] + s, block["area"]]) - int(block["price"]))
            for s in np.flatnonzero(energy[number])
        )
        valid = valid and (paid >= 0 if sells else paid <= 0)
    return welfare, valid


def best_acceptance(design: MarketDesign, case: Case) -> tuple[int, Int]:
    """Welfare [uJPY] and energies (blocks, slots) of the best acceptance: welfare, then energy, then arrival."""
    profile = case.blocks.profile_wh
    least = case.blocks.table["min_fill_ppm"]
    choices = [fills_of(p, int(m), design.lot_wh) for p, m in zip(profile, least, strict=True)]
    best: tuple[int, int, tuple[bool, ...]] | None = None
    chosen = np.zeros_like(profile)
    for fills in product(*choices):
        energy = profile * np.array(fills, np.int64).reshape(-1, 1) // PPM // design.lot_wh * design.lot_wh
        welfare, valid = clear_at(design, case, energy)
        key = (welfare, int(energy.sum()), tuple(bool(e) for e in energy.sum(1)))
        if valid and (best is None or key > best):
            best, chosen = key, energy
    assert best is not None, "to accept nothing is always valid"
    return best[0], chosen
