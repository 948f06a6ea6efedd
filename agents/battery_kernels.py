"""Kernel of the battery plan, compiled by numba; import only inside functions.

The value of stored energy is a concave, piecewise linear function of what is stored, kept as its marginal values: runs
of cells [Wh] with one value each [mJPY/kWh], the dearest first. What the meter costs is convex and piecewise linear in
what passes the battery, so a slot is a few such runs too, and one step of the dynamic programme merges the two lists
and cuts the result to the battery (the supremal convolution of concave functions sorts their slopes: Rockafellar,
Convex Analysis, 1970, theorem 16.4). There is no grid: only prices per Wh of cells are rounded, down to 1 mJPY/kWh.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from market.units import PPM, Int

PIECES = 4
"""Runs of one slot, at most: what passes the battery is cut where the meter is at zero, at the position, or idle."""


@njit(cache=True)
def in_cells(passed: int, charge_ppm: int, give_ppm: int) -> int:
    """Change of stored energy for what passes the terminals, as `agents.devices.stored_after` rounds it."""
    return passed * charge_ppm // PPM if passed >= 0 else passed * PPM // give_ppm


@njit(cache=True)
def lay_slot(slot: Int, network: int, unit: Int, ends: Int, cells: Int, value: Int) -> int:
    """Runs of one slot, most charging first: where each ends [Wh at the terminals], its cells, its value.

    slot: net, position, sell and buy price; unit: charge power, discharge power, efficiencies, wear, export limit.
    `ends` (PIECES + 1,) begins with the charge power. Returns how many runs there are.
    """
    net, position, sell, buy = slot
    most, give_ppm, charge_ppm, wear = unit[0], unit[3], unit[2], unit[4]
    least = -min(unit[1], max(unit[5] + net, 0))
    first = min(max(-net, least), most)
    second = min(max(position - net, least), most)
    marks = (max(first, second, 0), max(min(first, second), min(max(first, second), 0)), min(first, second, 0), least)
    count, high = 0, most
    ends[0] = most
    for low in marks:
        if low >= high:
            continue
        cost = (buy if net + low >= position else sell) + (network if net + low >= 0 else 0)
        value[count] = cost * PPM // charge_ppm if low >= 0 else (cost - wear) * give_ppm // PPM
        cells[count] = in_cells(high, charge_ppm, give_ppm) - in_cells(low, charge_ppm, give_ppm)
        count += 1
        ends[count] = high = low
    return count


@njit(cache=True)
def comes_first(value: int, end: int, stored_value: int) -> bool:
    """Whether a run of the slot is taken before one of the stored energy; where they are equal the battery rests."""
    return value > stored_value or (value == stored_value and end >= 0)


@njit(cache=True)
def step_back(
    cells: Int,
    value: Int,
    ends: Int,
    count: int,
    after: Int,
    after_value: Int,
    size: int,
    room: int,
    now: Int,
    worth: Int,
) -> int:
    """Marginal values of what is stored before a slot from those after it; returns how many runs `now` has."""
    skip = 0
    for piece in range(count):
        skip += cells[piece] if ends[piece + 1] >= 0 else 0
    piece = run = made = filled = 0
    while filled < room:
        slot_turn = piece < count and (run >= size or comes_first(value[piece], ends[piece + 1], after_value[run]))
        length, price = (cells[piece], value[piece]) if slot_turn else (after[run], after_value[run])
        piece, run = (piece + 1, run) if slot_turn else (piece, run + 1)
        cut = min(skip, length)
        skip, length = skip - cut, min(length - cut, room - filled)
        if length == 0:
            continue
        filled += length
        if made and worth[made - 1] == price:
            now[made - 1] += length
        else:
            now[made], worth[made] = length, price
            made += 1
    return made


@njit(cache=True)
def step_on(
    cells: Int, value: Int, ends: Int, count: int, after: Int, after_value: Int, size: int, above: int, unit: Int
) -> tuple[int, int]:
    """What passes the terminals with `above` stored over the lowest charge, and the value of one more stored after."""
    left = above
    for piece in range(count):
        left += cells[piece] if ends[piece + 1] >= 0 else 0
    passed, piece, run = ends[0], 0, 0
    while left > 0 and (piece < count or run < size):
        if piece < count and (run >= size or comes_first(value[piece], ends[piece + 1], after_value[run])):
            low = ends[piece + 1]
            if cells[piece] <= left:
                passed = low
            else:
                passed -= left * PPM // unit[2] if low >= 0 else left * unit[3] // PPM
            left -= min(cells[piece], left)
            piece += 1
        else:
            if after[run] > left:
                return passed, after_value[run]
            left -= after[run]
            run += 1
    return passed, after_value[run] if run < size else -1


class Scratch(NamedTuple):
    """Working memory of one battery: runs of each slot (T, PIECES) and of what is stored before each (T + 1, runs)."""

    ends: Int
    cells: Int
    value: Int
    pieces: Int
    curve: Int
    worth: Int
    size: Int


@njit(cache=True)
def plan_row(unit: Int, ends_at: Int, network: int, slots: Int, use: Scratch, out: Int, kept: Int) -> None:
    """Plan of one battery over `slots` (T, 4), into `out` and `kept`; `ends_at`: room, lowest, end value, stored."""
    room, lowest, end, stored = ends_at
    count = len(slots)
    use.curve[count, 0], use.worth[count, 0], use.size[count] = room, end, 1
    for t in range(count - 1, -1, -1):
        use.pieces[t] = lay_slot(slots[t], network, unit, use.ends[t], use.cells[t], use.value[t])
        runs = (use.cells[t], use.value[t], use.ends[t], use.pieces[t])
        after = (use.curve[t + 1], use.worth[t + 1], use.size[t + 1])
        use.size[t] = step_back(*runs, *after, room, use.curve[t], use.worth[t])
    for t in range(count):
        runs = (use.cells[t], use.value[t], use.ends[t], use.pieces[t])
        after = (use.curve[t + 1], use.worth[t + 1], use.size[t + 1])
        above = max(stored - lowest, 0)
        passed, kept[t] = step_on(*runs, *after, above, unit)
        most = min(unit[0], max(lowest + room - stored, 0) * PPM // unit[2])
        out[t] = min(max(passed, -min(unit[1], above * unit[3] // PPM)), most)
        stored += in_cells(out[t], unit[2], unit[3])


@njit(cache=True)
def plan_rows(units: Int, ends_at: Int, network: int, slots: Int, out: Int, kept: Int) -> None:
    """Plans of n batteries: units (n, 6), ends_at (n, 4), slots (n, T, 4); into `out` and `kept` (n, T)."""
    count = slots.shape[1]
    runs = (count + 1, PIECES * count + 1)
    use = Scratch(
        np.empty((count, PIECES + 1), np.int64),
        np.empty((count, PIECES), np.int64),
        np.empty((count, PIECES), np.int64),
        np.empty(count, np.int64),
        np.empty(runs, np.int64),
        np.empty(runs, np.int64),
        np.empty(count + 1, np.int64),
    )
    for row in range(len(units)):
        if ends_at[row, 0] > 0:
            plan_row(units[row], ends_at[row], network, slots[row], use, out[row], kept[row])
