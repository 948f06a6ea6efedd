"""What planning ahead is worth to homes: the rolling optimiser between self-use and the oracle, on held-out weeks.

Under `retail` the saving over the self-use plan is set against the most that could be saved (`experiments.oracle`), in
settings with little and with much to save, with perfect and with real forecasts. A run ends on a day that only the
oracle knows, so the share is also given for an oracle that leaves as much stored as the run did. Under `dgp`, where no
oracle exists, the gain is set against the best fixed mark-up.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from agents.optimising import Optimising
from agents.policies import TRUTHFUL_POLICY
from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from envs.world import World
from experiments.commitment_study import UnitProfit, judge_units
from experiments.evaluate import HELD_OUT_WEEKS, JUDGE_SEED, Judge, find_bar, gain_of, t_interval
from experiments.findings import Estimate
from experiments.oracle import Course, find_best, play_course
from market.design import find_design
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

DAYS = 7
FORECASTS = ("perfect", "weather", "naive")
BIDDERS = (TRUTHFUL_POLICY, Optimising())
SELF_USE, PLANNED = (bidder.name for bidder in BIDDERS)
NIGHT, DAY_RATE = 6.0, 16.0
"""Outside price of the time-of-day tariff from 23:00 to 07:00 and else [JPY/kWh] (assumption)."""
CHARGES = ("wheeling", "surcharge", "retail_margin", "feed_in_discount", "feed_in_floor", "fee")
WHOLESALE = {f"terms.{name}_jpy_kwh": 0.0 for name in CHARGES}


@dataclass(frozen=True)
class Setting:
    """One place to save in: overrides of `urawa-misono`, and whether the tariff has two rates."""

    title: str
    overrides: Mapping[str, object]
    two_rates: bool = False


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "tariff": Setting("as shipped: tariff = outside price + 17 JPY/kWh, feed-in = outside price - 1", {}),
        "two rates": Setting("the same with an outside price of 6 JPY/kWh by night and 16 by day", {}, True),
        "outside price": Setting("energy bought and sold at the outside price, without charges", WHOLESALE),
        "outside price, wear": Setting(
            "the same with battery wear of 4 JPY/kWh", WHOLESALE | {"homes.battery.wear_jpy_kwh": 4.0}
        ),
    }
)


@dataclass(frozen=True)
class Saving:
    """One setting and forecast, means per home [JPY/day] and shares of the oracle's saving, 95 % intervals over worlds.

    loss: what the optimiser has less than with a perfect forecast; share_same_end: before the end, see the module.
    """

    setting: str
    forecast: str
    self_use_cost: float
    oracle: Estimate
    optimiser: Estimate
    loss: float
    share: Estimate
    share_same_end: Estimate


@dataclass(frozen=True)
class Gain:
    """Gain over truthful bidding under `dgp` per home [JPY/day]."""

    forecast: str
    mark_up: str
    mark_up_gain: Estimate
    optimiser_gain: Estimate


@dataclass(frozen=True)
class Example:
    """One home's day: outside price [JPY/kWh] (48,) and stored energy [kWh] (49,) of each bidder and the oracle."""

    day: str
    price: Floats
    stored: Mapping[str, Floats]


@dataclass(frozen=True)
class OptimiserStudy:
    """All of it."""

    source: str
    worlds: int
    savings: tuple[Saving, ...]
    gains: tuple[Gain, ...]
    units: tuple[UnitProfit, ...]
    example: Example

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "source": self.source,
            "worlds": self.worlds,
            "savings": [asdict(saving) for saving in self.savings],
            "gains": [asdict(gain) for gain in self.gains],
            "units": [asdict(unit) for unit in self.units],
        }

    def print(self) -> None:
        """Tables of savings, of gains and of thermal units."""
        from experiments.screen import console

        screen = console()
        screen.print(self._savings())
        screen.print(self._gains())
        screen.print(self._units())

    def _savings(self) -> Any:
        from rich.table import Table

        title = f"retail, {self.source}: saving of a home over self-use [JPY/day], {self.worlds} worlds of {DAYS} days"
        table = Table(title=title)
        for head in ("setting", "forecast", "self-use pays", "oracle", "optimiser", "loss", "share", "same end"):
            table.add_column(head, justify="left" if head in ("setting", "forecast") else "right")
        for s in self.savings:
            table.add_row(
                s.setting,
                s.forecast,
                f"{s.self_use_cost:,.1f}",
                _show(s.oracle, 1),
                _show(s.optimiser, 1),
                f"{s.loss:,.1f}",
                _show(s.share, 2),
                _show(s.share_same_end, 2),
            )
        return table

    def _gains(self) -> Any:
        from rich.table import Table

        table = Table(title=f"dgp, {self.source}: gain of a home over truthful bidding [JPY/day]")
        for head in ("forecast", "best mark-up", "its gain", "optimiser"):
            table.add_column(head, justify="left" if head == "forecast" else "right")
        for g in self.gains:
            table.add_row(g.forecast, g.mark_up, _show(g.mark_up_gain, 1), _show(g.optimiser_gain, 1))
        return table

    def _units(self) -> Any:
        from rich.table import Table

        table = Table(title=f"thermal units as combined cycle, {self.source}: per unit and day")
        for head in ("design", "bidder", "before starts JPY", "after starts JPY", "starts", "sold kWh"):
            table.add_column(head, justify="left" if head in ("design", "bidder") else "right")
        for u in self.units:
            money = (_show(u.paid, 0), _show(u.profit, 0))
            table.add_row(u.design, u.bidder, *money, f"{u.starts:.1f}", f"{u.sold_kwh:,.0f}")
        return table


def _show(value: Estimate, digits: int) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:,.{digits}f}"
    return f"{value.mean:,.{digits}f} ({value.low:,.{digits}f} .. {value.high:,.{digits}f})"


def study_optimiser(
    seeds: int = 2, seed: int = JUDGE_SEED, data_dir: Path | None = None, progress: Progress | None = None
) -> OptimiserStudy:
    """Play every setting and forecast on the held-out weeks, `seeds` draws of each week.

    Args:
        seeds: draws of loads and weather; 13 worlds each.
        seed: key of the first world; the same seed gives the same figures.
        data_dir: folder of published prices and weather; the synthetic year if None.
        progress: called with parts done and parts in all.
    """
    worlds, parts = seeds * HELD_OUT_WEEKS, (len(SETTINGS) + 1) * len(FORECASTS) + 1
    savings: list[Saving] = []
    gains: list[Gain] = []
    examples: dict[str, Example] = {}
    for name, setting in SETTINGS.items():
        best: Floats | None = None
        perfect: Saving | None = None
        for forecast in FORECASTS:
            scenario = load_scenario("urawa-misono", {"forecast": forecast, **setting.overrides})
            year = _two_rates(public_year(scenario, data_dir), setting.two_rates)
            courses = {b.name: play_course(_world(scenario, year, b, worlds, seed)) for b in BIDDERS}
            homes = courses[PLANNED].world.fleet.rows(Role.HOME).tolist()
            if best is None:
                # what really happens is the same whatever was forecast, and so is the best that can be made of it
                oracle = find_best(courses[PLANNED], homes)
                best = oracle.money_ujpy
                examples[name] = _pick_day(courses, oracle.stored_wh[0, 0], homes[0])
            savings.append(_saving(name, forecast, courses, best, homes, perfect))
            perfect = perfect or savings[-1]
            if progress:
                progress(len(savings), parts)
    for forecast in FORECASTS:
        scenario = load_scenario("urawa-misono", {"forecast": forecast})
        gains.append(_gain(forecast, scenario, public_year(scenario, data_dir), worlds, seed))
        if progress:
            progress(len(savings) + len(gains), parts)
    plain = load_scenario("urawa-misono")
    year = public_year(plain, data_dir)
    units = judge_units(plain, year, worlds, DAYS, seed)
    if progress:
        progress(parts, parts)
    return OptimiserStudy(year.source, worlds, tuple(savings), tuple(gains), units, examples["outside price"])


def _world(scenario: Scenario, year: PublicYear, bidder: Any, worlds: int, seed: int) -> World:
    design = find_design("retail")
    return World(
        scenario,
        design,
        worlds,
        seed,
        policies={Role.HOME: bidder},
        year=year,
        days=DAYS,
        held_out=True,
        ledger="off",
    )


def _two_rates(year: PublicYear, applies: bool) -> PublicYear:
    """The year with the two rates as its outside price."""
    if not applies:
        return year
    hour = np.arange(year.slots) % HALF_HOURS.per_day / 2
    rate = np.where((hour >= 23) | (hour < 7), NIGHT, DAY_RATE) * MJPY_PER_JPY
    return replace(year, outside_mjpy_kwh=np.repeat(rate.astype(np.int64)[:, None], year.outside_mjpy_kwh.shape[1], 1))


def _saving(
    name: str, forecast: str, courses: Mapping[str, Course], best: Floats, homes: list[int], perfect: Saving | None
) -> Saving:
    """Compare the two bidders' money with the oracle's."""
    money = {who: _per_day(course.money_ujpy[:, homes]) for who, course in courses.items()}
    missed = {
        who: _per_day(find_best(course, homes, same_end=True).money_ujpy) - money[who]
        for who, course in courses.items()
    }
    most, own = _per_day(best) - money[SELF_USE], money[PLANNED] - money[SELF_USE]
    cost = -float(money[SELF_USE].mean())
    loss = 0.0
    if perfect is not None:
        loss = float(cost - own.mean()) - (perfect.self_use_cost - perfect.optimiser.mean)
    return Saving(
        name,
        forecast,
        cost,
        t_interval(most),
        t_interval(own),
        loss,
        ratio_interval(own, most),
        ratio_interval(missed[SELF_USE] - missed[PLANNED], missed[SELF_USE]),
    )


def _per_day(money_ujpy: npt.NDArray[Any]) -> Floats:
    """Mean of a world's homes (w,) [JPY/day]."""
    return np.asarray(money_ujpy.mean(1) / UJPY_PER_JPY / DAYS, np.float64)


def ratio_interval(part: Floats, whole: Floats) -> Estimate:
    """Ratio of two sums over worlds with its 95 % interval, from what leaving out each world changes (jackknife)."""
    count, ratio = len(part), float(part.sum() / whole.sum())
    if count < 2:
        return Estimate(ratio)
    without = (part.sum() - part) / (whole.sum() - whole)
    found = t_interval(count * ratio - (count - 1) * without)
    if found.low is None or found.high is None:
        return Estimate(ratio)
    half = (found.high - found.low) / 2
    return Estimate(ratio, ratio - half, ratio + half)


def _gain(forecast: str, scenario: Scenario, year: PublicYear, worlds: int, seed: int) -> Gain:
    """The optimiser of homes beside the best fixed mark-up under `dgp`."""
    judge = Judge(scenario, find_design("dgp").with_horizon(scenario.horizon), year, worlds, DAYS, seed)
    bar = find_bar(judge, Role.HOME)
    own = gain_of(judge, bar, Optimising())
    return Gain(forecast, f"markup:{bar.fraction:g}", t_interval(bar.gain), t_interval(own))


def _pick_day(courses: Mapping[str, Course], oracle_wh: Floats, home: int) -> Example:
    """The first world's day, not the first or the last, whose outside price spreads most."""
    world = courses[PLANNED].world
    outside = world.episode.outside[0, world.fleet.area[home], : world.slots].reshape(DAYS, -1)
    day = 1 + int(np.argmax(np.ptp(outside[1:-1], axis=1)))
    slots = slice(day * HALF_HOURS.per_day, (day + 1) * HALF_HOURS.per_day + 1)
    stored = {who: course.stored_wh[0, home, slots] / WH_PER_KWH for who, course in courses.items()}
    return Example(
        str(HALF_HOURS.day_of(int(world.episode.first_slot[0]) + slots.start)),
        outside[day] / MJPY_PER_JPY,
        stored | {"oracle": oracle_wh[slots] / WH_PER_KWH},
    )
