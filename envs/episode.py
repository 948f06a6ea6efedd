"""One episode's outside world: loads, sun, outside prices and line capacities of every parallel world.

All of it is drawn before the first step from `agents.draw`, so a world alone equals the same world in
a batch. Loads are mean x size x shape x noise; size is drawn per world and party, noise per slot. The
published solar forecast is the smoothed real yield times a slow lognormal error per six hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.draw import Purpose, below, draw, lognormal_ppm
from agents.fleet import Fleet, Role
from agents.forecasting import HISTORY_DAYS, seasonal_naive
from agents.metering import read_series
from envs.population import rows_of_groups
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.units import PPM, Int

AHEAD = 2 * HALF_HOURS.per_day
"""Slots known beyond the last one of an episode, for forecasts and prices."""
ERROR_SLOTS = 12
SMOOTHING = 5
WEEK_DAYS = 7
HELD_OUT_EVERY = 4
DRAWN_TOGETHER = 2**18
"""Values drawn at a time."""


@dataclass(frozen=True)
class Episode:
    """Columns of w worlds over T slots plus AHEAD, energies [Wh], prices [mJPY/kWh].

    first_slot (w,); load_wh, solar_wh, net_forecast_wh (w, parties, T + AHEAD); solar_forecast_wh_kw
    (w, T + AHEAD); history_wh (w, parties, HISTORY_DAYS x 48): readings of load before the start;
    outside (w, areas, T + AHEAD); capacity_wh (w, T, lines, 2).
    """

    first_slot: Int
    slots: int
    load_wh: Int
    solar_wh: Int
    net_forecast_wh: Int
    solar_forecast_wh_kw: Int
    history_wh: Int
    outside: Int
    capacity_wh: Int


def draw_episode(
    scenario: Scenario,
    fleet: Fleet,
    year: PublicYear,
    seed: int,
    first_slot: Int,
    slots: int,
    loads: Mapping[str, Int] | None = None,
) -> Episode:
    """Draw every series for worlds starting at `first_slot` (w,), each at midnight.

    `loads` holds measured loads by group name, (slots of the public year, parties of the group) [Wh]; they take the
    place of drawn ones. Raises ConfigError where a series is missing, has another shape, or the year ends too soon.
    """
    _check_end(year, int(first_slot.max()), slots)
    history = HISTORY_DAYS * HALF_HOURS.per_day
    worlds = np.arange(len(first_slot))
    at = first_slot[:, None] - year.first_slot + np.arange(-history, slots + AHEAD)
    load = _draw_load(fleet, year, seed, worlds, at, first_slot[:, None] + np.arange(-history, slots + AHEAD))
    _take_loads(load, scenario, year, at, loads or {})
    seen = load if scenario.meter.resolution_wh == 1 else read_series(load, scenario.meter.resolution_wh)
    sun = year.solar_wh_per_kw[at]
    solar = _solar_of(fleet, sun[:, history:])
    forecast_sun = _forecast_sun(scenario, year, seed, worlds, at[:, history:], first_slot)
    if scenario.forecast == "perfect":
        net = load[..., history:] - solar
    else:
        expected = seasonal_naive(seen, HALF_HOURS.per_day)
        naive_sun = seasonal_naive(sun, HALF_HOURS.per_day)
        believed = forecast_sun if scenario.forecast == "weather" else naive_sun
        net = expected - _solar_of(fleet, believed)
    outside = np.moveaxis(year.outside_mjpy_kwh[at[:, history:]], -1, 1)
    return Episode(
        first_slot=first_slot,
        slots=slots,
        load_wh=load[..., history:],
        solar_wh=solar,
        net_forecast_wh=net,
        solar_forecast_wh_kw=forecast_sun,
        history_wh=seen[..., :history],
        outside=np.ascontiguousarray(outside),
        capacity_wh=_draw_capacity(scenario, seed, worlds, first_slot, slots),
    )


def _check_end(year: PublicYear, first_slot: int, slots: int) -> None:
    """Raise ConfigError when an episode needs forecasts and prices from after the public year."""
    begins = first_slot - year.first_slot
    room = year.slots - begins - AHEAD - SMOOTHING // 2
    if slots > room:
        raise ConfigError(
            f"{slots // HALF_HOURS.per_day} days from day {begins // HALF_HOURS.per_day} run past the public year",
            do=f"choose at most {max(room, 0) // HALF_HOURS.per_day} days",
        )


def _solar_of(fleet: Fleet, sun_wh_kw: Int) -> Int:
    """What the parties' PV gives of a yield (w, slots) [Wh per kW], as far as their inverters pass it."""
    return np.asarray(np.minimum(sun_wh_kw[:, None] * fleet.solar_w[:, None] // 1000, fleet.solar_limit_wh[:, None]))


def start_charge(fleet: Fleet, seed: int, first_slot: Int) -> Int:
    """Stored energy at the start (w, parties) [Wh], drawn between the scenario's bounds."""
    parties, worlds = np.arange(fleet.count), np.arange(len(first_slot))
    spread = fleet.start_high_wh - fleet.start_low_wh
    bits = draw(seed, worlds[:, None], parties, first_slot[:, None], Purpose.CHARGE)
    return np.asarray(fleet.start_low_wh + below(bits, spread + 1))


def training_starts(year: PublicYear, seed: int, worlds: int, days: int) -> Int:
    """First slots (worlds,) of training episodes: midnights whose days all lie in training weeks."""
    possible = _midnights(year, days, held_out=False)
    return possible[below(draw(seed, np.arange(worlds), 0, 0, Purpose.START), len(possible))]


def held_out_starts(year: PublicYear, worlds: int, days: int) -> Int:
    """First slots (worlds,) of evaluation episodes: the first days of the held-out weeks, in turn."""
    possible = _midnights(year, min(days, WEEK_DAYS), held_out=True)
    firsts = possible[np.diff(possible, prepend=-HALF_HOURS.year) > HALF_HOURS.per_day]
    return firsts[np.arange(worlds) % len(firsts)]


def is_held_out(day: int) -> bool:
    """True for the days of every fourth week of the year; no training episode touches them."""
    return day // WEEK_DAYS % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def _midnights(year: PublicYear, days: int, held_out: bool) -> Int:
    last = 364 - max(days, 1)
    good = [
        day
        for day in range(HISTORY_DAYS, last + 1)
        if all(is_held_out(day + ahead) == held_out for ahead in range(days))
    ]
    if not good:
        # longer than any run of weeks of one kind: every start is as good, and the caller reports the split
        good = list(range(HISTORY_DAYS, max(last, HISTORY_DAYS) + 1))
    return year.first_slot + np.array(good, np.int64) * HALF_HOURS.per_day


def _draw_load(fleet: Fleet, year: PublicYear, seed: int, worlds: Int, at: Int, slot: Int) -> Int:
    """Load (w, parties, slots) [Wh]; zero for parties without one.

    Parties of one role, noise and opening hours are drawn together, some at a time to keep arrays in the cache.
    """
    load = np.zeros((len(worlds), fleet.count, at.shape[1]), np.int64)
    shapes = {Role.HOME: year.household_ppm, Role.STORE: year.store_ppm}
    parties = np.flatnonzero(fleet.load_wh > 0)
    kinds = np.stack([fleet.role, fleet.load_noise_ppm, fleet.opens, fleet.closes, fleet.closed_ppm])[:, parties]
    for kind in np.unique(kinds, axis=1).T:
        role, noise_ppm, *hours = kind.tolist()
        shape = _open_shape(shapes[Role(role)], year, *hours)[at] if any(hours) else shapes[Role(role)][at]
        members = parties[(kinds == kind[:, None]).all(0)]
        some = max(DRAWN_TOGETHER // at.size, 1)
        for rows in np.split(members, range(some, len(members), some)):
            bits = draw(seed, worlds[:, None], rows, 0, Purpose.SIZE)
            low, high = fleet.size_low_ppm[rows], fleet.size_high_ppm[rows]
            mean = fleet.load_wh[rows] * (low + below(bits, high - low + 1)) // PPM
            noise = lognormal_ppm(
                draw(seed, worlds[:, None, None], rows[:, None], slot[:, None], Purpose.LOAD), noise_ppm / PPM
            )
            load[:, rows] = mean[..., None] * shape[:, None] // PPM * noise // PPM
    return load


def _take_loads(load: Int, scenario: Scenario, year: PublicYear, at: Int, loads: Mapping[str, Int]) -> None:
    """Put measured loads in the place of drawn ones."""
    for name, rows in rows_of_groups(scenario).items():
        if name in loads:
            expected = (year.slots, rows.stop - rows.start)
            if loads[name].shape != expected:
                what = f"loads of {name!r} have the shape {loads[name].shape}"
                raise ConfigError(what, do=f"give {expected[0]} half hours by {expected[1]} parties")
            load[:, rows] = np.moveaxis(loads[name][at], -1, 1)
    for group in (*scenario.homes, *scenario.stores):
        if group.load_file and group.name not in loads:
            raise ConfigError(f"the load file of group {group.name!r} was not read", do="give its loads to the world")


def _open_shape(shape_ppm: Int, year: PublicYear, opens: int, closes: int, closed_ppm: int) -> Int:
    """A shape of use with less of it while closed, the mean of a day's factors being one (slots,) [ppm]."""
    half_hour = (year.first_slot + np.arange(len(shape_ppm))) % HALF_HOURS.per_day
    is_open = (half_hour >= opens) & (half_hour < closes)
    weight = (closes - opens) * PPM + (HALF_HOURS.per_day - closes + opens) * closed_ppm
    return np.asarray(shape_ppm * np.where(is_open, PPM, closed_ppm) // PPM * HALF_HOURS.per_day * PPM // weight)


def _forecast_sun(scenario: Scenario, year: PublicYear, seed: int, worlds: Int, at: Int, first_slot: Int) -> Int:
    """Published solar forecast (w, slots) [Wh per kW]."""
    reach = SMOOTHING // 2
    near = np.stack([year.solar_wh_per_kw[np.maximum(at + shift, 0)] for shift in range(-reach, reach + 1)])
    smooth = near.sum(0) // SMOOTHING
    block = (first_slot[:, None] + np.arange(at.shape[1])) // ERROR_SLOTS
    error = lognormal_ppm(draw(seed, worlds[:, None], 0, block, Purpose.WEATHER), scenario.solar_error)
    return np.asarray(smooth * error // PPM)


def _draw_capacity(scenario: Scenario, seed: int, worlds: Int, first_slot: Int, slots: int) -> Int:
    """Room of each line (w, slots, lines, 2) [Wh]: one of its levels per hold period."""
    capacity = np.zeros((len(worlds), slots, len(scenario.lines), 2), np.int64)
    for row, line in enumerate(scenario.lines):
        levels = np.array(line.levels_wh, np.int64)
        period = (first_slot[:, None] + np.arange(slots)) // line.hold_slots
        choice = below(draw(seed, worlds[:, None], row, period, Purpose.LINE), len(levels))
        capacity[:, :, row] = levels[choice]
    return capacity
