"""What parties use: loads drawn from a scenario's figures, or read from a meter's file.

A drawn load is mean x size x shape x noise; size is drawn per world and party, noise (`envs.load_noise`) per slot.
Parties that share role, noise and opening hours are one *cohort* and are drawn together. A group with measured loads in
the public year has them in every world.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.draw import Purpose, below, draw
from agents.fleet import Fleet, Role
from envs.load_noise import Noise, draw_noise
from envs.population import rows_of_groups
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.units import PPM, Int

WEEK_DAYS = 7
HELD_OUT_EVERY = 4
DRAWN_TOGETHER = 2**18
"""Values drawn at a time."""


class Cohort(NamedTuple):
    """What parties drawn together share; `measured` names the group whose loads were read from a file.

    role; noise_ppm log standard deviation of a slot, of whose variance memory_ppm fades in memory_minutes; opens,
    closes [half hours], closed_ppm use when closed; of its first party mean_wh per slot and the bounds of the drawn
    size [ppm].
    """

    role: int
    noise_ppm: int
    memory_minutes: int
    memory_ppm: int
    opens: int
    closes: int
    closed_ppm: int
    mean_wh: int
    low_ppm: int
    high_ppm: int
    measured: str = ""


def cohorts_of(scenario: Scenario, fleet: Fleet, year: PublicYear) -> Iterator[tuple[Cohort, Int]]:
    """Cohorts of the parties with a load, and their rows; raises ConfigError where measured loads do not fit."""
    columns = _columns_of(fleet)[:7]
    measured = _measured_rows(scenario, year)
    for name, rows in measured.items():
        yield _cohort(_columns_of(fleet), int(rows[0]))._replace(measured=name), rows
    drawn = np.setdiff1d(np.flatnonzero(fleet.load_wh > 0), np.concatenate([*measured.values(), np.zeros(0, np.int64)]))
    kinds = np.stack(columns)[:, drawn]
    for kind in np.unique(kinds, axis=1).T:
        rows = drawn[(kinds == kind[:, None]).all(0)]
        yield _cohort(_columns_of(fleet), int(rows[0])), rows


def expected_load(fleet: Fleet, year: PublicYear, name: str, rows: slice) -> Int:
    """Load that a party of a group is expected to have (slots of the public year,) [Wh]: the mean of sizes and noise.

    `name` and `rows` are those of the group. Measured loads are averaged over its parties.
    """
    if name in year.load_wh:
        return np.asarray(year.load_wh[name].sum(1) // (rows.stop - rows.start))
    cohort = _cohort(_columns_of(fleet), rows.start)
    mean = cohort.mean_wh * (cohort.low_ppm + cohort.high_ppm) // (2 * PPM)
    return mean * _shape_of(cohort, year) // PPM


def _columns_of(fleet: Fleet) -> tuple[Int, ...]:
    """Columns of a `Cohort`, in its order; the first seven tell cohorts apart."""
    return (
        fleet.role,
        fleet.load_noise_ppm,
        fleet.load_memory_minutes,
        fleet.load_memory_ppm,
        fleet.opens,
        fleet.closes,
        fleet.closed_ppm,
        fleet.load_wh,
        fleet.size_low_ppm,
        fleet.size_high_ppm,
    )


def _cohort(columns: Sequence[Int], row: int) -> Cohort:
    return Cohort._make([*(int(column[row]) for column in columns), ""])


def draw_load(scenario: Scenario, fleet: Fleet, year: PublicYear, seed: int, worlds: Int, at: Int, slot: Int) -> Int:
    """Load (w, parties, slots) [Wh] at rows `at` (w, slots) of the public year; zero for parties without one."""
    load = np.zeros((len(worlds), fleet.count, at.shape[1]), np.int64)
    for cohort, members in cohorts_of(scenario, fleet, year):
        if cohort.measured:
            load[:, members] = np.moveaxis(year.load_wh[cohort.measured][at], -1, 1)
            continue
        some = max(DRAWN_TOGETHER // at.size, 1)
        for rows in np.split(members, range(some, len(members), some)):
            low, high = fleet.size_low_ppm[rows], fleet.size_high_ppm[rows]
            bits = draw(seed, worlds[:, None], rows, 0, Purpose.SIZE)
            mean = fleet.load_wh[rows] * (low + below(bits, high - low + 1)) // PPM
            load[:, rows] = draw_members(cohort, year, seed, worlds, rows, at, slot, mean)
    return load


def _measured_rows(scenario: Scenario, year: PublicYear) -> dict[str, Int]:
    """Rows of the groups whose loads were measured."""
    measured = {}
    for name, rows in rows_of_groups(scenario).items():
        if name in year.load_wh:
            expected, found = (year.slots, rows.stop - rows.start), year.load_wh[name].shape
            if found != expected:
                what = f"loads of {name!r} have the shape {found}"
                raise ConfigError(what, do=f"give {expected[0]} half hours by {expected[1]} parties")
            measured[name] = np.arange(rows.start, rows.stop)
    for group in (*scenario.homes, *scenario.stores):
        if group.load_file and group.name not in measured:
            raise ConfigError(f"the load file of group {group.name!r} was not read", do="give its loads to the world")
    return {name: rows for name, rows in measured.items() if len(rows)}


def draw_members(
    cohort: Cohort, year: PublicYear, seed: int, worlds: Int, rows: Int, at: Int, slot: Int, mean_wh: Int | None = None
) -> Int:
    """Load (w, rows, slots) [Wh] of parties of a drawn cohort; `mean_wh` (w, rows), that of the cohort if not given."""
    shape = _shape_of(cohort, year)[at]
    mean = np.full((len(worlds), len(rows)), cohort.mean_wh) if mean_wh is None else mean_wh
    kind = Noise(cohort.noise_ppm, cohort.memory_minutes, cohort.memory_ppm)
    noise = draw_noise(kind, seed, worlds, rows, slot)
    return np.asarray(mean[..., None] * shape[:, None] // PPM * noise // PPM)


def is_held_out(day: int) -> bool:
    """True for the days of every fourth week of the year; no training episode touches them."""
    return day // WEEK_DAYS % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def past_weeks(year: PublicYear, before: int) -> npt.NDArray[np.bool_]:
    """Slots of the public year that lie in training weeks with all of the `before` days in front of them (slots,)."""
    held = np.array([is_held_out(day) for day in range(-(-year.slots // HALF_HOURS.per_day))])
    clear = np.array([day >= before and not held[day - before : day + 1].any() for day in range(len(held))])
    return np.repeat(clear, HALF_HOURS.per_day)[: year.slots]


def _shape_of(cohort: Cohort, year: PublicYear) -> Int:
    """Use of a cohort's parties over their mean (slots of the year,) [ppm]."""
    shape = year.household_ppm if cohort.role == Role.HOME else year.store_ppm
    if not (cohort.opens or cohort.closes or cohort.closed_ppm):
        return shape
    return _open_shape(shape, year, cohort.opens, cohort.closes, cohort.closed_ppm)


def _open_shape(shape_ppm: Int, year: PublicYear, opens: int, closes: int, closed_ppm: int) -> Int:
    """A shape of use with less of it while closed, the mean of a day's factors being one (slots,) [ppm]."""
    half_hour = (year.first_slot + np.arange(len(shape_ppm))) % HALF_HOURS.per_day
    is_open = (half_hour >= opens) & (half_hour < closes)
    weight = (closes - opens) * PPM + (HALF_HOURS.per_day - closes + opens) * closed_ppm
    return np.asarray(shape_ppm * np.where(is_open, PPM, closed_ppm) // PPM * HALF_HOURS.per_day * PPM // weight)
