"""Japan's nine areas as a day-ahead market sees them: lines with dated capacities, fleets by fuel, what must run.

Every figure has a source beside it or the word assumption. Sources by short name:
- OCCTO 2017a: operating capacities of the interconnections, 2017-03-01 (各連系線の運用容量算出方法・結果);
- OCCTO 2017b: long-term plan of margins FY2018 to FY2025, 2017-02-22; the entries of both directions of a line add up
  to the sum of its two capacities, how that sum is shared between them is an assumption;
- list of 2022: Japanese Wikipedia, 日本の地域間連系線, state of 2022-07-24;
- OCCTO 2025: median of the half-hourly operating capacities of April 2025 to June 2026 (系統情報サービス, CSV type 04),
  as collected by All-Japan-Grid;
- Electricity Maps: capacities and yearly shares of the mix by area, config/zones of electricitymaps-contrib.
Capacities are physical and dated: no run fits them. Margins (マージン) are not taken off: since the indirect auction of
2018-10 all capacity but a small part goes to the spot market.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.grid import Grid, Line

Floats = npt.NDArray[np.float64]

AREAS = ("hokkaido", "tohoku", "tokyo", "chubu", "hokuriku", "kansai", "chugoku", "shikoku", "kyushu")
"""JEPX price areas from north to south; Okinawa has none."""

LINES = (
    ("kita-hon", "hokkaido", "tohoku"),
    ("soma-futaba", "tohoku", "tokyo"),
    ("frequency-converters", "tokyo", "chubu"),
    ("mie-higashiomi", "chubu", "kansai"),
    ("minami-fukumitsu", "chubu", "hokuriku"),
    ("echizen-reinan", "hokuriku", "kansai"),
    ("seiban-higashiokayama", "kansai", "chugoku"),
    ("anan-kihoku", "kansai", "shikoku"),
    ("honshi", "chugoku", "shikoku"),
    ("kanmon", "chugoku", "kyushu"),
)
"""Name, source and target of the ten interconnections (連系線)."""


class Step(NamedTuple):
    """From a day on a line can carry so much forward and backward [MW]; `source` says where that is from."""

    since: date
    forward: int
    backward: int
    source: str


START, TODAY = date(2018, 4, 1), date(2025, 4, 1)
CAPACITY_MW = {
    "kita-hon": (
        Step(START, 600, 600, "OCCTO 2017a"),
        Step(date(2019, 3, 28), 900, 900, "OCCTO 2017a: 300 MW more by the new line, in service on 2019-03-28"),
        Step(TODAY, 700, 900, "OCCTO 2025"),
    ),
    "soma-futaba": (
        Step(START, 4_950, 700, "assumption; OCCTO 2017b: both directions 5,650"),
        Step(date(2021, 4, 1), 5_300, 1_070, "assumption; OCCTO 2017b: both directions 6,370 from FY2021"),
        Step(date(2022, 7, 24), 6_050, 2_360, "list of 2022"),
        Step(TODAY, 4_810, 2_360, "OCCTO 2025"),
    ),
    "frequency-converters": (
        Step(START, 1_200, 1_200, "OCCTO 2017a"),
        Step(date(2021, 4, 1), 2_100, 2_100, "OCCTO 2017b: both directions 4,200 from FY2021; list of 2022"),
        Step(TODAY, 1_800, 1_800, "OCCTO 2025"),
    ),
    "mie-higashiomi": (
        Step(START, 1_920, 2_500, "assumption; OCCTO 2017b: both directions 4,420"),
        Step(date(2022, 7, 24), 1_340, 2_500, "list of 2022"),
        Step(TODAY, 1_030, 2_500, "OCCTO 2025"),
    ),
    "minami-fukumitsu": (Step(START, 300, 300, "OCCTO 2017a"),),
    "echizen-reinan": (
        Step(START, 1_620, 1_300, "assumption; OCCTO 2017b: both directions 2,920"),
        Step(TODAY, 1_900, 900, "OCCTO 2025"),
    ),
    "seiban-higashiokayama": (
        Step(START, 2_780, 4_050, "assumption; OCCTO 2017b: both directions 5,726"),
        Step(TODAY, 3_260, 4_600, "OCCTO 2025"),
    ),
    "anan-kihoku": (
        Step(START, 1_400, 1_400, "OCCTO 2017a, limit of the equipment"),
        Step(TODAY, 0, 70, "OCCTO 2025"),
    ),
    "honshi": (Step(START, 1_200, 1_200, "OCCTO 2017b: 1,197 towards Shikoku"),),
    "kanmon": (
        Step(START, 450, 2_780, "assumption; OCCTO conditions of lines: 2,780 in summer out of Kyushu"),
        Step(TODAY, 370, 2_010, "OCCTO 2025"),
    ),
}
"""What each line can carry, oldest first."""

FUELS = ("coal", "gas", "oil", "pumped")
FLEET_MW = {
    "hokkaido": (2_250, 600, 1_900, 800),
    "tohoku": (6_500, 6_500, 1_500, 460),
    "tokyo": (8_000, 28_500, 6_000, 10_000),
    "chubu": (4_700, 14_500, 1_500, 4_200),
    "hokuriku": (2_900, 420, 1_500, 110),
    "kansai": (4_500, 8_900, 5_000, 5_000),
    "chugoku": (5_500, 3_500, 2_500, 2_100),
    "shikoku": (3_500, 1_000, 1_400, 690),
    "kyushu": (6_300, 4_700, 2_000, 2_300),
}
"""Assumption: thermal and pumped-storage plant by fuel, order of magnitude, all years alike. Beside them the largest
half hour of units that OCCTO discloses, 2026, coal and gas: Tohoku 6,900 and 7,900, Tokyo 6,800 and 27,900, Kansai
4,700 and 7,200, Kyushu 5,300 and 3,300; Electricity Maps has for Hokkaido 2,250 coal, 569 gas, 1,815 oil,
800 pumped."""

RUNS_ALWAYS_MW = {
    "hokkaido": 900, "tohoku": 1_800, "tokyo": 2_800, "chubu": 1_800, "hokuriku": 1_000,
    "kansai": 1_600, "chugoku": 700, "shikoku": 500, "kyushu": 1_200,
}  # fmt: skip
"""Assumption: mean output of hydro, biomass, geothermal and wind. Tokyo FY2019 by TEPCO: 1,470 hydro, 215 biomass and
120 wind; the rest stands for industrial plant."""

NUCLEAR_MW = {
    "kansai": {2018: 2_990, 2019: 3_340, 2020: 1_210, 2021: 3_270, 2022: 2_790, 2023: 4_180, 2024: 4_640},
    "kyushu": {2018: 2_010, 2019: 2_750, 2020: 2_340, 2021: 3_260, 2022: 1_860, 2023: 3_050, 2024: 3_100},
    "shikoku": {2018: 200, 2019: 870, 2020: 0, 2021: 70, 2022: 800, 2023: 800, 2024: 800},
}
"""Nuclear output by calendar year, mean: Electricity Maps' share of the mix times mean demand for Kansai and Kyushu;
Ikata of Shikoku is an assumption (890 MW; stopped from the end of 2019 to the end of 2021). A year's mean is known
only after it: it stands in for the calendar of outages that operators publish before, which is not in the data."""

DEMAND_GWH = {
    2019: (30_400, 80_800, 283_700, 133_200, 28_900, 143_400, 59_900, 27_000, 84_400),
    2023: (30_100, 79_700, 279_300, 129_900, 27_800, 140_300, 56_900, 26_000, 84_900),
}
"""Demand of a fiscal year by area: sums of the hours that the utilities published (でんき予報), rounded to 0.1 TWh."""

SOLAR_MW = {
    2019: (1_740, 5_460, 14_480, 8_780, 850, 5_480, 6_080, 2_380, 8_570),
    2023: (2_680, 7_420, 19_790, 11_730, 1_250, 6_760, 8_230, 3_220, 10_270),
}
"""Solar plant of a fiscal year by area, so large that with the sun of the area's station it gives the output of the
year: published, or modelled from irradiance (`envs.japan_nine_data.model_solar`). What is installed may be more."""

PEAK_MW = {
    "hokkaido": 5_200, "tohoku": 13_000, "tokyo": 52_000, "chubu": 24_000, "hokuriku": 5_200,
    "kansai": 27_000, "chugoku": 10_500, "shikoku": 5_500, "kyushu": 15_500,
}  # fmt: skip
"""OCCTO 2023, rounded, as collected by All-Japan-Grid; Hokkaido from its winter figure. Tells MW from other units."""


def japan_grid() -> Grid:
    """The nine areas and their ten lines."""
    return Grid(AREAS, tuple(Line(name, AREAS.index(s), AREAS.index(t)) for name, s, t in LINES))


def line_capacity_mw(days: list[date]) -> Floats:
    """What each line could carry on each day, (days, lines, 2) forward and backward [MW].

    Days before the first figure (April 2018) have the first.
    """
    table = np.empty((len(days), len(LINES), 2))
    for line, (name, _, _) in enumerate(LINES):
        steps = CAPACITY_MW[name]
        for row, day in enumerate(days):
            step = [step for step in steps if step.since <= day][-1:] or [steps[0]]
            table[row, line] = step[0].forward, step[0].backward
    return table


def fleet_mw() -> Floats:
    """Plant by area and fuel, (areas, fuels) [MW]."""
    return np.array([FLEET_MW[area] for area in AREAS], np.float64)


def runs_always_mw() -> Floats:
    """Output of what always runs, nuclear plant apart, (areas,) [MW]."""
    return np.array([RUNS_ALWAYS_MW[area] for area in AREAS], np.float64)


def nuclear_mw(days: list[date]) -> Floats:
    """Mean nuclear output of the calendar year of each day, (days, areas) [MW]; years off the table: the nearest."""
    table = np.zeros((len(days), len(AREAS)))
    for area, by_year in NUCLEAR_MW.items():
        first, last = min(by_year), max(by_year)
        table[:, AREAS.index(area)] = [by_year[min(max(day.year, first), last)] for day in days]
    return table
