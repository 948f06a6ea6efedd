"""The day-ahead market of the nine areas simulated: offers from fleets by fuel, cleared by `spot` with splitting.

In each half hour an area buys its demand less its solar output at any price; what always runs (hydro, nuclear and
such) is sold at the floor, each fuel in steps of rising cost, and what nobody serves has a price of its own. One
clearing, `market.splitting.clear`, sets prices and flows. Costs and availabilities are fitted
(`experiments.japan_calibration`) on 2018-10-01 to 2021-03-31 without the spike of that winter; fleets and lines are
those of `envs.japan_nine`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np

from envs.japan_nine import AREAS, FUELS, LINES, Floats, japan_grid
from market.design import find_design
from market.errors import ConfigError
from market.orders import ORDER, Kind, Side, TimeInForce
from market.slots import HALF_HOURS
from market.splitting import clear
from market.tables import Table
from market.units import Int

WH_PER_SLOT_OF_MW = 500_000
STEPS = (16, 24, 12, 6)
"""Assumption: steps in which coal, gas, oil and pumped storage are offered in each area."""
MAINTAINED = (0, 0, 0.5, 1, 1, 0.5, 0, 0, 0.5, 1, 1, 0)
"""Assumption: planned outages by month, January first: in spring and autumn, none when demand peaks."""
UNSERVED = 60_000
"""Assumption: what demand beyond all plant costs [mJPY/kWh]."""
UNSERVED_MW = 80_000
NO_LIMIT_MW = 200_000.0
"""More than the nation's peak."""
FLOOR, CAP, TICK = 10, 999_990, 10
"""Lowest and highest price of JEPX, and its tick [mJPY/kWh]."""
CHUNK_DAYS = 20


class Fit(NamedTuple):
    """What is fitted: for coal, gas, oil and pumped storage mean cost, spread and availability; and what always runs.

    - cost: middle of the steps' cost [JPY/kWh]; spread: the dearest and cheapest step are so much above and below,
      as a part of it; available: part of the fleet that is offered;
    - maintained: part of what is available that is out in the months of `MAINTAINED`;
    - runs: factor on the output of what always runs, nuclear plant apart.
    """

    cost: tuple[float, ...]
    spread: tuple[float, ...]
    available: tuple[float, ...]
    maintained: float
    runs: float


FITTED = Fit((4.04, 7.46, 11.566, 8.586), (0.884, 0.95, 0.723, 0.298), (0.576, 0.961, 0.975, 0.559), 0.153, 0.859)
"""Found by `digitalgrid backtest calibrate --tries 500`."""
MOVE = 0.7
"""How much of the simulated change from yesterday moves yesterday's price, found by the same search."""


@dataclass(frozen=True)
class Nation:
    """What the simulation is given of each day.

    Attributes:
        days: the days.
        net_mw: (days, 48, areas) demand less solar [MW]; a day with a missing value is not simulated.
        nuclear_mw: (days, areas) [MW].
        capacity_mw: (days, lines, 2) [MW].
        fleet_mw: (areas, fuels) [MW].
        runs_mw: (areas,) [MW].
    """

    days: list[date]
    net_mw: Floats
    nuclear_mw: Floats
    capacity_mw: Floats
    fleet_mw: Floats
    runs_mw: Floats

    def part(self, rows: Int) -> "Nation":
        """The same of some of the days."""
        return replace(
            self,
            days=[self.days[row] for row in rows],
            net_mw=self.net_mw[rows],
            nuclear_mw=self.nuclear_mw[rows],
            capacity_mw=self.capacity_mw[rows],
        )

    def with_line_doubled(self, name: str) -> "Nation":
        """Twice the capacity of a line both ways; raises ConfigError for a line that does not exist."""
        names = [line for line, _, _ in LINES]
        if name not in names:
            raise ConfigError(f"no line {name!r}", where="--double", do=f"known: {', '.join(names)}")
        capacity = self.capacity_mw.copy()
        capacity[:, names.index(name)] *= 2
        return replace(self, capacity_mw=capacity)

    def without_limits(self) -> "Nation":
        """Lines that never fill: all areas share the system price (システムプライス)."""
        return replace(self, capacity_mw=np.full_like(self.capacity_mw, NO_LIMIT_MW))

    def without_fleet(self, text: str) -> "Nation":
        """Without the plant named AREA:FUEL, nuclear among the fuels; raises ConfigError for what does not exist."""
        area, _, fuel = text.partition(":")
        if area not in AREAS or fuel not in (*FUELS, "nuclear"):
            do = f"AREA:FUEL of {', '.join(AREAS)} and {', '.join(FUELS)}, nuclear"
            raise ConfigError(f"no fleet {text!r}", where="--without", do=do)
        fleet, nuclear = self.fleet_mw.copy(), self.nuclear_mw.copy()
        if fuel == "nuclear":
            nuclear[:, AREAS.index(area)] = 0
        else:
            fleet[AREAS.index(area), FUELS.index(fuel)] = 0
        return replace(self, fleet_mw=fleet, nuclear_mw=nuclear)


def simulate_prices(
    nation: Nation, fit: Fit = FITTED, slots: Int | None = None, progress: Callable[[int, int], None] | None = None
) -> Floats:
    """Clear the half hours `slots` (0..47, all if not given) of every day at area prices.

    Returns (days, slots, areas) [JPY/kWh], NaN on days that are not simulated. An area in which nothing is traded has
    the floor. Equal prices of two areas are equal exactly.
    """
    which = np.arange(HALF_HOURS.per_day) if slots is None else slots
    prices = np.full((len(nation.days), len(which), len(AREAS)), np.nan)
    known = np.flatnonzero(~np.isnan(nation.net_mw).any((1, 2)))
    offers = _offers(nation, fit)
    for begin in range(0, len(known), CHUNK_DAYS):
        rows = known[begin : begin + CHUNK_DAYS]
        prices[rows] = _clear_days(nation.part(rows), fit, which, offers)
        if progress:
            progress(min(begin + CHUNK_DAYS, len(known)), len(known))
    return prices


def _offers(nation: Nation, fit: Fit) -> tuple[Int, Floats]:
    """Price [mJPY/kWh] (steps,) and power [MW] (areas, steps) of the plant when nothing is maintained."""
    price, power = [], []
    for fuel, steps in enumerate(STEPS):
        cost = fit.cost[fuel] * (1 + fit.spread[fuel] * np.linspace(-1, 1, steps))
        price.append(np.rint(cost * 1_000 / TICK).astype(np.int64) * TICK)
        each = nation.fleet_mw[:, fuel] * fit.available[fuel] / steps
        power.append(np.repeat(each[:, None], steps, 1))
    return np.maximum(np.concatenate(price), FLOOR), np.concatenate(power, 1)


def _clear_days(nation: Nation, fit: Fit, slots: Int, offers: tuple[Int, Floats]) -> Floats:
    runs = fit.runs * nation.runs_mw + nation.nuclear_mw
    net = nation.net_mw[:, slots] - runs[:, None, :]
    markets = len(nation.days) * len(slots)
    price, power = offers
    there = 1 - fit.maintained * np.array([MAINTAINED[day.month - 1] for day in nation.days])
    orders = _book(_wh(net).reshape(markets, -1), price, np.repeat(_wh(there[:, None, None] * power), len(slots), 0))
    capacity = np.repeat(_wh(nation.capacity_mw), len(slots), 0)
    found = clear(find_design("spot"), japan_grid(), orders, capacity, np.zeros_like(capacity)).result.price
    return np.maximum(found, FLOOR).reshape(len(nation.days), len(slots), -1) / 1_000


def _wh(megawatt: Floats) -> Int:
    return np.rint(megawatt * WH_PER_SLOT_OF_MW).astype(np.int64)


def _book(net_wh: Int, price: Int, energy: Int) -> Table:
    """Orders of every market (markets, areas): steps of the plant, what is dear, and net demand or surplus.

    Demand is bid at the cap, surplus offered at the floor.
    """
    steps = len(price)
    orders = np.zeros((*net_wh.shape, steps + 2), ORDER)
    orders["kind"], orders["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    orders["market"] = np.arange(len(net_wh))[:, None, None]
    orders["area"] = orders["party"] = np.arange(net_wh.shape[1])[:, None]
    orders["side"], orders["price"][..., :steps], orders["energy"][..., :steps] = Side.SELL, price, energy
    orders["price"][..., steps], orders["energy"][..., steps] = UNSERVED, UNSERVED_MW * WH_PER_SLOT_OF_MW
    buys = net_wh > 0
    orders["side"][..., -1] = np.where(buys, Side.BUY, Side.SELL)
    orders["price"][..., -1] = np.where(buys, CAP, FLOOR)
    orders["energy"][..., -1] = np.abs(net_wh)
    flat = orders.reshape(-1)
    flat = flat[flat["energy"] > 0]
    flat["sequence"] = np.arange(len(flat))
    return flat
