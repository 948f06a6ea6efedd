"""Thermal units as array steps on integers [Wh per slot]: minimum load, ramp, run and standstill, cost and CO2.

A unit that runs makes between its minimum and its most, and changes by at most its ramp from slot to slot. It starts at
up to the larger of minimum load and ramp, after its minimum standstill; it stops from no more than that, after its
minimum run, so a stop from full load comes down through minimum load first. What is wanted is followed as nearly as
that allows; halfway between standstill and minimum load a unit runs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.devices import within
from market.slots import HALF_HOURS
from market.units import PPM, WH_PER_KWH, Int, divide_half_even

Mask = npt.NDArray[np.bool_]

SLOTS_PER_HOUR = 60 // HALF_HOURS.minutes


@dataclass(frozen=True)
class UnitType:
    """One kind of unit.

    cost_mjpy_kwh of each kWh made, idle_mjpy_kwh of each kWh it could make while it runs; least_ppm of its most;
    ramp_ppm of its most per minute; up_hours and down_hours at least; start_mjpy_kw per kW for each start;
    co2_g_kwh of each kWh made, idle_g_kwh of each kWh it could make while it runs.
    """

    name: str
    cost_mjpy_kwh: int
    idle_mjpy_kwh: int
    least_ppm: int
    ramp_ppm: int
    up_hours: int
    down_hours: int
    start_mjpy_kw: int
    co2_g_kwh: int
    idle_g_kwh: int


COAL = UnitType("coal", 2_924, 272, 300_000, 20_000, 4, 8, 1_500, 694, 65)
GTCC = UnitType("gtcc", 8_095, 2_062, 400_000, 50_000, 1, 4, 226, 247, 63)
OIL = UnitType("oil", 22_402, 1_793, 150_000, 40_000, 2, 8, 2_816, 580, 46)
FREE = UnitType("free", 0, 0, 0, PPM, 0, 0, 0, 0, 0)
"""A unit without limits makes exactly what is wanted."""
UNIT_TYPES = {kind.name: kind for kind in (COAL, GTCC, OIL, FREE)}
"""Units of 1,000, 780 and 350 MW of UCGRB test data, costs of 2016 to 2020 (github YamaLabTUS/ucgrb, commit bc735559,
data-example, thermal): fuel slope, no-load cost and start cost divided by the rating; CO2 from its heat rates at full
and minimum load, as a line. At full load they cost 3.2, 10.2 and 24.2 JPY/kWh and emit 759, 310 and 626 g/kWh."""


@dataclass(frozen=True)
class ThermalUnits:
    """Columns of units, any common shape; most_wh of zero means none.

    most_wh, least_wh, ramp_wh [Wh per slot, ramp from slot to slot]; up_slots, down_slots at least; cost and idle cost
    [mJPY/kWh]; start_ujpy for each start; co2_g_kwh, idle_g_kwh; idle figures are per kWh it could make while it runs.
    """

    most_wh: Int
    least_wh: Int
    ramp_wh: Int
    up_slots: Int
    down_slots: Int
    cost_mjpy_kwh: Int
    idle_mjpy_kwh: Int
    start_ujpy: Int
    co2_g_kwh: Int
    idle_g_kwh: Int

    @property
    def first_wh(self) -> Int:
        """Most output of a starting unit, and of one that stops in the next slot."""
        return np.maximum(self.least_wh, self.ramp_wh)


@dataclass(frozen=True)
class UnitState:
    """After a slot: output_wh of it, and run_slots, the slots it has run (> 0) or stood still (<= 0, negated)."""

    output_wh: Int
    run_slots: Int


def units_of(kinds: tuple[UnitType, ...], most_wh: Int) -> ThermalUnits:
    """Columns (units,) of units of these kinds; shares of the rating are rounded down, the minimum load up."""

    def column(name: str) -> Int:
        return np.array([getattr(kind, name) for kind in kinds], np.int64)

    most = np.asarray(most_wh, np.int64)
    ramp_ppm = np.minimum(column("ramp_ppm") * HALF_HOURS.minutes, PPM)
    return ThermalUnits(
        most_wh=most,
        least_wh=-(-most * column("least_ppm") // PPM),
        ramp_wh=most * ramp_ppm // PPM,
        up_slots=column("up_hours") * SLOTS_PER_HOUR,
        down_slots=column("down_hours") * SLOTS_PER_HOUR,
        cost_mjpy_kwh=column("cost_mjpy_kwh"),
        idle_mjpy_kwh=column("idle_mjpy_kwh"),
        # Wh in a slot x slots in an hour is W; mJPY/kW is uJPY/W
        start_ujpy=most * SLOTS_PER_HOUR * column("start_mjpy_kw"),
        co2_g_kwh=column("co2_g_kwh"),
        idle_g_kwh=column("idle_g_kwh"),
    )


def units_at_rest(units: ThermalUnits, worlds: int) -> UnitState:
    """Every unit has stood still long enough to start, (worlds, units)."""
    shape = (worlds, *units.most_wh.shape)
    return UnitState(np.zeros(shape, np.int64), np.broadcast_to(-units.down_slots, shape).copy())


def run_units(units: ThermalUnits, state: UnitState, wanted_wh: Int) -> tuple[Int, UnitState, Mask]:
    """The feasible output nearest to what is wanted; (output [Wh], state after, where a unit started)."""
    before, ran = state.output_wh, state.run_slots > 0
    low = np.where(ran, np.maximum(units.least_wh, before - units.ramp_wh), units.least_wh)
    high = np.where(ran, before + units.ramp_wh, units.first_wh)
    running = within(wanted_wh, low, np.minimum(high, units.most_wh))
    may_run = ran | ((-state.run_slots >= units.down_slots) & (units.most_wh > 0))
    may_rest = ~ran | ((state.run_slots >= units.up_slots) & (before <= units.first_wh))
    rests = may_rest & (~may_run | (wanted_wh <= 0) | (wanted_wh < np.abs(running - wanted_wh)))
    output = np.where(rests, 0, running)
    run_slots = np.where(rests, np.where(ran, 0, state.run_slots) - 1, np.where(ran, state.run_slots, 0) + 1)
    return output, UnitState(output, run_slots), ~ran & ~rests


def fuel_cost(units: ThermalUnits, state: UnitState) -> Int:
    """Cost of the slot that ended in this state [uJPY]: what was made, and running idle."""
    idle = np.where(state.run_slots > 0, units.most_wh * units.idle_mjpy_kwh, 0)
    return state.output_wh * units.cost_mjpy_kwh + idle


def start_cost(units: ThermalUnits, started: Mask) -> Int:
    """Cost of starts [uJPY]."""
    return np.where(started, units.start_ujpy, 0)


def co2_g(units: ThermalUnits, state: UnitState) -> Int:
    """CO2 of the slot that ended in this state [g], rounded half to even."""
    idle = np.where(state.run_slots > 0, units.most_wh * units.idle_g_kwh, 0)
    return divide_half_even(state.output_wh * units.co2_g_kwh + idle, WH_PER_KWH)
