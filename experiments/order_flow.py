"""A synthetic year-ahead order flow over Japan's nine areas, for comparing when orders come and when lines are known.

Every order has a lead: whole days before delivery on which it arrives. A party's 48 half hours of a day share lead and
limit, so that a long contract is a bundle of half-hour ones (paper 1.3). Quantities are whole lots of 50 kWh; nothing
is calibrated to a market. Figures without a published source are marked "assumption".
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.draw import Purpose, draw, lognormal_ppm, uniform
from market.grid import Grid, Line
from market.orders import ORDER, Kind, Side, TimeInForce
from market.slots import HALF_HOURS
from market.tables import Table
from market.units import PPM, Int

Floats = npt.NDArray[np.float64]

YEAR_START = date(2018, 4, 1)
LONGEST_LEAD = 365
LOT_WH = 50_000
TICK = 10
WH_PER_SLOT_OF_MW = 500_000
SEED_STRIDE = 1_000
"""World i of a seed has the key seed + i: seeds are kept apart by more than the days of a study."""

PEAK_MW = {
    "hokkaido": 5_200, "tohoku": 13_000, "tokyo": 52_000, "chubu": 24_000, "hokuriku": 5_200,
    "kansai": 27_000, "chugoku": 10_500, "shikoku": 5_500, "kyushu": 15_500,
}  # fmt: skip
"""Area peaks: OCCTO 2023, rounded, as collected by All-Japan-Grid; Hokkaido from its winter figure."""

LINES_MW = (
    ("kita-hon", "hokkaido", "tohoku", 600, 600),  # OCCTO, FY2018
    ("soma-futaba", "tohoku", "tokyo", 4_950, 700),  # assumption; OCCTO FY2018: both directions sum to 5,650
    ("frequency-converters", "tokyo", "chubu", 1_200, 1_200),  # OCCTO, FY2018
    ("mie-higashiomi", "chubu", "kansai", 1_920, 2_500),  # assumption; OCCTO FY2018: sum 4,420
    ("minami-fukumitsu", "chubu", "hokuriku", 300, 300),  # OCCTO, FY2018
    ("echizen-reinan", "hokuriku", "kansai", 1_620, 1_300),  # assumption; OCCTO FY2018: sum 2,920
    ("seiban-higashiokayama", "kansai", "chugoku", 2_780, 4_050),  # assumption; OCCTO FY2018: sum 5,726
    ("anan-kihoku", "kansai", "shikoku", 1_400, 1_400),  # equipment limit, OCCTO
    ("honshi", "chugoku", "shikoku", 1_200, 1_200),  # OCCTO, FY2018 (1,197)
    ("kanmon", "chugoku", "kyushu", 450, 2_780),  # assumption; OCCTO FY2018: 2,780 in summer out of Kyushu
)
"""Name, source, target, capacity forward and backward [MW]: directions differ by up to seven times."""

TECHNOLOGIES = {"nuclear and hydro": 1_500, "coal": 3_200, "gas": 10_000, "oil": 24_000}
"""Marginal cost [mJPY/kWh]: thermal from the UCGRB test data of 2016 to 2020, the first is an assumption."""

MIX = {
    "hokkaido": (0.15, 0.45, 0.10, 0.40, 0.25), "tohoku": (0.20, 0.55, 0.45, 0.10, 0.40),
    "tokyo": (0.05, 0.12, 0.75, 0.15, 0.25), "chubu": (0.10, 0.20, 0.65, 0.10, 0.30),
    "hokuriku": (0.35, 0.55, 0.10, 0.15, 0.15), "kansai": (0.35, 0.15, 0.40, 0.15, 0.20),
    "chugoku": (0.05, 0.50, 0.30, 0.20, 0.40), "shikoku": (0.30, 0.60, 0.10, 0.15, 0.45),
    "kyushu": (0.35, 0.40, 0.30, 0.10, 0.55),
}  # fmt: skip
"""Assumption: capacity of each technology, then of solar, as a part of the area's peak demand."""

SUMMER = (
    29.9, 27.9, 26.9, 26.6, 26.6, 27.0, 29.0, 33.0, 38.5, 42.7, 44.6, 45.9,
    45.9, 46.7, 46.6, 46.2, 45.6, 43.8, 42.6, 41.3, 39.2, 37.0, 34.9, 32.7,
)  # fmt: skip
WINTER = (
    30.1, 28.9, 28.5, 28.5, 28.9, 30.5, 33.8, 36.9, 39.0, 39.3, 38.1, 37.1,
    35.6, 35.7, 35.5, 35.8, 37.1, 38.7, 39.2, 38.8, 38.1, 36.6, 34.6, 32.5,
)  # fmt: skip
SOLAR = (0, 0, 0, 0, 0, 0.4, 2.0, 4.7, 7.4, 9.7, 11.2, 12.1, 12.0, 10.8, 8.9, 6.4, 3.5, 1.2, 0.1, 0, 0, 0, 0, 0)
"""Tokyo area by hour [GW], TEPCO data of FY2025: demand in summer and winter, solar in summer; used for every area."""
MILD = 0.82
"""Assumption: demand of spring and autumn over the mean of summer and winter."""

BUYERS, UNITS = 20, 6
"""Assumption: buyers in each area; units of each technology in each area, and solar sellers."""
MUST_BUY = 14
"""Assumption: buyers of an area that bid 20 to 40 JPY/kWh; the others bid 5 to 18 and wait for cheap energy."""
SOLAR_PRICE, WEATHER_PRICE = 500, 30_000
"""Assumption: what solar asks, and what a buyer that needs more than it thought bids [mJPY/kWh]."""
DEMAND_ERROR, CLOUD_ERROR = 0.05, 0.4
"""Assumption: log standard deviations of an area's weather of the day, in demand and in solar output."""
SOLAR_LEAD, WEATHER_LEAD = 14, 7
"""Assumption: nobody knows the weather earlier; solar is offered, and demand corrected, at most so many days ahead."""
SHADE = 0.1
"""Assumption: how far from the usual price those who know it still trade."""

ARRIVALS = {
    "uniform": "every lead from 1 to 365 days is equally likely",
    "log": "the logarithm of the lead is uniform: 42 % come over 30 days ahead, 22 % over 100",
    "late": "nine in ten come in the last fortnight, the others as in `log`",
}
"""When orders come, other than those that need the weather; `log` is the study's base case."""


class Flow(NamedTuple):
    """Orders of all sampled days; world = sampled day, market = world x slot.

    `lead` (orders,) is how many days ahead each arrives, `follows` (orders,) what its energy follows,
    `first_slot` (days,) the first slot of each day.
    """

    orders: Table
    lead: Int
    follows: Int
    first_slot: Int

    @property
    def markets(self) -> int:
        """Markets: sampled days x 48."""
        return len(self.first_slot) * HALF_HOURS.per_day

    @property
    def wanted_wh(self) -> int:
        """Energy of all buy orders."""
        return int(self.orders["energy"][self.orders["side"] == Side.BUY].sum())


@dataclass(frozen=True)
class _Parties:
    """One row for each party: area, side, part of the area's peak, mean limit [mJPY/kWh], what its shape follows."""

    area: Int
    side: Int
    part: Floats
    price: Int
    follows: Int


DEMAND, FIRM, SUN, WEATHER = range(4)


def japan_grid() -> Grid:
    """The nine areas and their ten lines."""
    areas = tuple(PEAK_MW)
    return Grid(areas, tuple(Line(n, areas.index(s), areas.index(t)) for n, s, t, _, _ in LINES_MW))


def line_capacity_wh(markets: int) -> Int:
    """Capacities (markets, lines, 2) [Wh in a half hour], the same in all slots."""
    each = np.array([[forward, backward] for *_, forward, backward in LINES_MW], np.int64) * WH_PER_SLOT_OF_MW
    return np.broadcast_to(each, (markets, *each.shape)).copy()


def make_flow(seed: int, days: int, arrivals: str = "log", finer: int = 1) -> Flow:
    """Orders for days spread evenly over fiscal year 2018; each party stands for `finer` smaller ones.

    A seed fixes quantities and limits, however they arrive.
    """
    parties = _list_parties(finer)
    day = [YEAR_START + timedelta(days=LONGEST_LEAD * (2 * row + 1) // (2 * days)) for row in range(days)]
    count, world = len(parties.area), np.arange(days)[:, None]
    stream, who = seed * SEED_STRIDE, np.arange(count)
    megawatt = _megawatts(parties, day, stream)
    limit = parties.price * lognormal_ppm(draw(stream, world, who, 0, Purpose.BID), 0.1) // (PPM * TICK) * TICK
    lead = _leads(parties, uniform(draw(stream, world, who, 1, Purpose.ARRIVAL)), arrivals)
    lots = np.rint(np.abs(megawatt) * WH_PER_SLOT_OF_MW / LOT_WH).astype(np.int64)
    at = np.nonzero(lots)
    first_slot = np.array([HALF_HOURS.first_of(d) for d in day])
    orders = np.zeros(len(at[0]), ORDER)
    orders["kind"], orders["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    # weather corrections buy where more is needed than was thought and sell where less is
    surplus = megawatt[at] < 0
    orders["side"] = np.where(surplus, Side.SELL, parties.side[at[1]])
    orders["area"], orders["party"] = parties.area[at[1]], at[1]
    orders["energy"], orders["price"] = lots[at] * LOT_WH, limit[at[:2]]
    orders["price"][surplus] = TECHNOLOGIES["nuclear and hydro"]
    orders["slot"], orders["world"] = first_slot[at[0]] + at[2], at[0]
    orders["market"] = at[0] * HALF_HOURS.per_day + at[2]
    orders["reference"] = 1 + np.arange(len(orders))
    orders["sequence"] = _rank(lead[at[:2]], draw(stream, at[0], at[1], 2, Purpose.ARRIVAL), orders["slot"])
    return Flow(orders, lead[at[:2]], parties.follows[at[1]], first_slot)


def shade_limits(flow: Flow, usual_price: Floats) -> Table:
    """The same orders from bidders who know the usual price (48, areas) [mJPY/kWh] of each half hour of the day.

    Thermal sellers ask at least SHADE below it and buyers bid at most SHADE above it, within their true limits;
    solar and weather corrections keep theirs.
    """
    orders, follows = flow.orders.copy(), flow.follows
    usual = usual_price[orders["market"] % HALF_HOURS.per_day, orders["area"]]
    low, high = (np.rint(usual * part / TICK).astype(np.int64) * TICK for part in (1 - SHADE, 1 + SHADE))
    price = orders["price"]
    asks, bids = np.maximum(price, low), np.minimum(price, high)
    orders["price"] = np.where(follows == FIRM, asks, np.where(follows == DEMAND, bids, price))
    return orders


def _list_parties(finer: int) -> _Parties:
    rows: list[tuple[int, int, float, int, int]] = []
    for area, name in enumerate(PEAK_MW):
        for part, price in _buyers(finer):
            rows.append((area, Side.BUY, part, price, DEMAND))
        *parts, solar = MIX[name]
        units = UNITS * finer
        for part, cost in zip(parts, TECHNOLOGIES.values(), strict=True):
            rows += [(area, Side.SELL, part / units, cost, FIRM)] * units
        rows += [(area, Side.SELL, solar / units, SOLAR_PRICE, SUN)] * units
        rows.append((area, Side.BUY, 1.0, WEATHER_PRICE, WEATHER))
    return _Parties(*(np.array(column) for column in zip(*rows, strict=True)))


def _buyers(finer: int) -> list[tuple[float, int]]:
    """Part of the area's demand and mean limit of each buyer: those that must buy, then those that can wait."""
    must, wait = MUST_BUY * finer, (BUYERS - MUST_BUY) * finer
    prices = [*np.linspace(20_000, 40_000, must), *np.linspace(5_000, 18_000, wait)]
    return [(1 / len(prices), int(price)) for price in prices]


def _megawatts(parties: _Parties, days: list[date], stream: int) -> Floats:
    """Power of every party (days, parties, 48); negative where a weather correction sells."""
    world, areas = np.arange(len(days))[:, None], np.arange(len(PEAK_MW))
    bits = [draw(stream, world, areas, about, Purpose.WEATHER) for about in range(2)]
    shock = lognormal_ppm(bits[0], DEMAND_ERROR) / PPM - 1
    cloud = np.minimum(lognormal_ppm(bits[1], CLOUD_ERROR) / PPM, 1.25)
    demand, sun = (np.array([shape(day) for day in days])[:, None, :] for shape in (_demand_shape, _solar_shape))
    part = (parties.part * np.array(list(PEAK_MW.values()))[parties.area])[None, :, None]
    area = parties.area
    shapes = (demand, np.ones_like(demand), sun * cloud[:, area, None], demand * shock[:, area, None])
    follows = parties.follows[None, :, None]
    return np.asarray(part * np.select([follows == kind for kind in range(len(shapes))], shapes))


def _demand_shape(day: date) -> Floats:
    """Demand in each half hour as a part of the summer peak: summer and winter days, and milder ones between."""
    angle = 2 * np.pi * np.array([(day - date(2018, 8, 5)).days, (day - date(2019, 1, 25)).days]) / 365
    hot, cold = np.maximum(np.cos(angle), 0)
    summer, winter = np.array(SUMMER), np.array(WINTER)
    mild = max(0.0, 1 - hot - cold)
    hours = (hot * summer + cold * winter + mild * MILD * (summer + winter) / 2) / (hot + cold + mild) / max(SUMMER)
    return np.repeat(hours, 2)


def _solar_shape(day: date) -> Floats:
    """Clear-sky output in each half hour as a part of the installed power; 0.6 of the summer's in midwinter."""
    season = 0.8 + 0.2 * float(np.cos(2 * np.pi * (day - date(2018, 6, 21)).days / 365))
    return np.repeat(np.array(SOLAR) / max(SOLAR) * 0.75 * season, 2)


def _leads(parties: _Parties, chance: Floats, arrivals: str) -> Int:
    """Whole days ahead (days, parties), at least 1."""
    log = _log_uniform(chance, LONGEST_LEAD)
    # the first tenth of the chances is spread over all of `log`, the rest over the last fortnight
    early, rest = np.minimum(chance / 0.1, 1), np.maximum(chance - 0.1, 0) / 0.9
    late = np.where(chance < 0.1, _log_uniform(early, LONGEST_LEAD), _log_uniform(rest, SOLAR_LEAD))
    known = {"uniform": 1 + (chance * LONGEST_LEAD).astype(np.int64), "log": log, "late": late}[arrivals]
    solar, weather = _log_uniform(chance, SOLAR_LEAD), _log_uniform(chance, WEATHER_LEAD)
    return np.where(parties.follows == SUN, solar, np.where(parties.follows == WEATHER, weather, known))


def _log_uniform(chance: Floats, most: int) -> Int:
    return np.floor(np.power(1.0 + most, chance)).astype(np.int64)


def _rank(lead: Int, bits: npt.NDArray[np.uint64], slot: Int) -> Int:
    """Arrival numbers: longest lead first; within a day parties in a drawn order, each with its half hours in order."""
    order = np.lexsort((slot, bits, -lead))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank
