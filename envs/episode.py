"""One episode's outside world: loads, sun, outside prices and line capacities of every parallel world.

All of it is drawn before the first step from `agents.draw`, so a world alone equals the same world in
a batch. Loads are mean x size x shape x noise; size is drawn per world and party, noise per slot. The
published solar forecast is the smoothed real yield times a slow lognormal error per six hours.
"""

from dataclasses import dataclass

import numpy as np

from agents.draw import Purpose, below, draw
from agents.fleet import Fleet
from agents.forecasting import HISTORY_DAYS, seasonal_naive
from agents.metering import read_series
from envs.forecasts import forecast_load, forecast_sun
from envs.loads import WEEK_DAYS, draw_load, is_held_out
from envs.public_year import PublicYear
from envs.published_sun import SMOOTHED, draw_published_sun
from envs.scenario_schema import Scenario
from envs.updates import Beliefs, fit_updates
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.units import Int

AHEAD = 2 * HALF_HOURS.per_day
"""Slots known beyond the last one of an episode, for forecasts and prices."""


@dataclass(frozen=True)
class Episode:
    """Columns of w worlds over T slots plus AHEAD, energies [Wh], prices [mJPY/kWh].

    first_slot (w,); load_wh, solar_wh, net_forecast_wh (w, parties, T + AHEAD); solar_forecast_wh_kw
    (w, T + AHEAD); history_wh (w, parties, HISTORY_DAYS x 48): readings of load before the start;
    load_seen_wh (w, parties, T + AHEAD): load as meters count it; outside (w, areas, T + AHEAD); capacity_wh (w, T,
    lines, 2); beliefs where forecasts are updated on the way.
    """

    first_slot: Int
    slots: int
    load_wh: Int
    solar_wh: Int
    net_forecast_wh: Int
    solar_forecast_wh_kw: Int
    history_wh: Int
    load_seen_wh: Int
    outside: Int
    capacity_wh: Int
    beliefs: Beliefs | None = None


def draw_episode(
    scenario: Scenario,
    fleet: Fleet,
    year: PublicYear,
    seed: int,
    first_slot: Int,
    slots: int,
) -> Episode:
    """Draw every series for worlds starting at `first_slot` (w,), each at midnight.

    Raises ConfigError where the year ends too soon or measured loads do not fit.
    """
    _check_end(year, int(first_slot.max()), slots)
    history = HISTORY_DAYS * HALF_HOURS.per_day
    worlds = np.arange(len(first_slot))
    at = first_slot[:, None] - year.first_slot + np.arange(-history, slots + AHEAD)
    load = draw_load(scenario, fleet, year, seed, worlds, at, first_slot[:, None] + np.arange(-history, slots + AHEAD))
    seen = load if scenario.meter.resolution_wh == 1 else read_series(load, scenario.meter.resolution_wh)
    sun = year.solar_wh_per_kw[at]
    published = draw_published_sun(year, seed, worlds, at[:, history:], first_slot, scenario.solar_error)
    beliefs = None
    if scenario.forecast == "perfect":
        load_ahead, sun_ahead = load[..., history:], sun[:, history:]
    else:
        load_ahead = forecast_load(scenario.forecast, scenario, fleet, year, seen, at)
        sun_ahead = forecast_sun(scenario.forecast, year, sun, published, at, scenario.solar_error)
        if scenario.forecast_updates:
            updates = fit_updates(scenario, fleet, year, scenario.forecast)
            beliefs = Beliefs(load_ahead, seen[..., history:], sun_ahead, sun[:, history:], updates)
    sun = sun[:, history:]
    if year.area_wh_per_kw is not None:
        sun, sun_ahead = _suns_of_areas(scenario, year, seed, worlds, at, first_slot)
    outside = np.moveaxis(year.outside_mjpy_kwh[at[:, history:]], -1, 1)
    return Episode(
        first_slot=first_slot,
        slots=slots,
        load_wh=load[..., history:],
        solar_wh=solar_of(fleet, sun),
        net_forecast_wh=load_ahead - solar_of(fleet, sun_ahead),
        solar_forecast_wh_kw=published,
        history_wh=seen[..., :history],
        load_seen_wh=seen[..., history:],
        outside=np.ascontiguousarray(outside),
        capacity_wh=_draw_capacity(scenario, seed, worlds, first_slot, slots),
        beliefs=beliefs,
    )


def _suns_of_areas(
    scenario: Scenario, year: PublicYear, seed: int, worlds: Int, at: Int, first_slot: Int
) -> tuple[Int, Int]:
    """Real and expected yield of every area, (w, areas, n) each [Wh per kW].

    Models learned for the site's sun do not serve the areas: they have the weather forecast.
    """
    assert year.area_wh_per_kw is not None
    history = HISTORY_DAYS * HALF_HOURS.per_day
    past = np.moveaxis(year.area_wh_per_kw[at], -1, 1)
    real = past[..., history:]
    if scenario.forecast == "perfect":
        return real, real
    if scenario.forecast == "naive":
        return real, seasonal_naive(past, HALF_HOURS.per_day)
    ahead, error = at[:, history:], scenario.solar_error
    published = draw_published_sun(year, seed, worlds, ahead, first_slot, error, year.area_wh_per_kw)
    return real, np.moveaxis(published, -1, 1)


def _check_end(year: PublicYear, first_slot: int, slots: int) -> None:
    """Raise ConfigError when an episode needs forecasts and prices from after the public year."""
    begins = first_slot - year.first_slot
    room = year.slots - begins - AHEAD - SMOOTHED // 2
    if slots > room:
        raise ConfigError(
            f"{slots // HALF_HOURS.per_day} days from day {begins // HALF_HOURS.per_day} run past the public year",
            do=f"choose at most {max(room, 0) // HALF_HOURS.per_day} days",
        )


def solar_of(fleet: Fleet, sun_wh_kw: Int, rows: slice = slice(None)) -> Int:
    """What the PV of some parties gives of a yield [Wh per kW], as far as their inverters pass it.

    The yield is that of the site (w, slots), or of every area (w, areas, slots).
    """
    of_party = sun_wh_kw[:, None] if sun_wh_kw.ndim == 2 else sun_wh_kw[:, fleet.area[rows]]
    given = of_party * fleet.solar_w[rows, None] // 1000
    return np.asarray(np.minimum(given, fleet.solar_limit_wh[rows, None]))


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


def _draw_capacity(scenario: Scenario, seed: int, worlds: Int, first_slot: Int, slots: int) -> Int:
    """Room of each line (w, slots, lines, 2) [Wh]: one of its levels per hold period."""
    capacity = np.zeros((len(worlds), slots, len(scenario.lines), 2), np.int64)
    for row, line in enumerate(scenario.lines):
        levels = np.array(line.levels_wh, np.int64)
        period = (first_slot[:, None] + np.arange(slots)) // line.hold_slots
        choice = below(draw(seed, worlds[:, None], row, period, Purpose.LINE), len(levels))
        capacity[:, :, row] = levels[choice]
    return capacity
