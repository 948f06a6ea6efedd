"""The scenarios of the nation as text, written from the tables of `envs.japan_nine` and the fit of the backtest.

`japan-nine`, `japan-nine-2025` and `nation` have hundreds of figures that stand in those tables already: their files
are written by `python -m experiments.japan_scenarios`, never by hand, and a test holds them to what is written here.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np

from envs.japan_nine import (
    AREAS,
    CAPACITY_MW,
    DEMAND_GWH,
    FLEET_MW,
    FUELS,
    LINES,
    RUNS_ALWAYS_MW,
    SOLAR_MW,
    TODAY,
    nuclear_mw,
)
from envs.scenario import SCENARIO_FOLDER
from experiments.japan_model import FITTED

STEPS = (8, 12, 6, 3)
"""Units in which an area's coal, gas, oil and pumped storage are offered: half as many as in the backtest."""
ROUTER_KW = 20
FLOOR_JPY = 0.01
NATION_SITES = 50_000_000
"""Paper 3.2."""
PV_KW = 5
OPEN_HOURS = ((7, 17), (8, 18), (9, 20), (10, 22))
"""Assumption: from when to when offices and factories are busy, a quarter of them each."""
KINDS = (
    ("flat", "homes", 44_600_000, 4_047, 100),
    ("pv-home", "homes", 2_700_000, 4_047, 60),
    ("home", "homes", 400_000, 4_047, 40),
    ("store", "stores", 56_000, 170_000, 10),
    ("shop", "stores", 2_000_000, 20_000, 40),
    *((f"office-{opens}", "stores", 37_500, 1_300_000, 10) for opens, _ in OPEN_HOURS),
)
"""Kind of site, its group, sites in the nation, kWh a year of one, and parties in each area that stand for them."""
FACTORY_PARTIES, PLANT_PARTIES = 10, 10
NOTES = {
    "flat": "homes without PV",
    "pv-home": "homes with PV; 3.1 million in all with the next",
    "home": "homes with PV and a battery",
    "store": "convenience stores",
    "shop": "small shops and offices",
    "office": "large offices, hospitals, halls",
    "factory": "factories and all other use: sites left of 50 million (paper 3.2)",
}


def japan_nine_text(on: date, fiscal_year: int, name: str, title: str) -> str:
    """The nine areas as a wholesale market with the lines of a day, and demand and solar plant of a fiscal year."""
    parts = [_head(name, title, fiscal_year, _WHOLESALE_HEAD), *_lines(on)]
    for row, area in enumerate(AREAS):
        parts.append(f"""
[[stores]]
name = "buyer-{area}"           # who buys for all who use energy in the area
area = "{area}"
whole_area = true               # demand as published with --data, else with the shape of Tokyo's
count = 1                       # assumption: one buyer
load_kwh_year = {DEMAND_GWH[fiscal_year][row]}e6  # published by the utilities (DEMAND_GWH in envs/japan_nine.py)
size_spread = [1.0, 1.0]        # assumption: no spread
load_noise = 0.0

[[mall]]
name = "solar-{area}"
area = "{area}"
count = 1                       # assumption: offered as one
pv_kw = {ROUTER_KW}.0                    # paper 3.3: one router
routers = 1                     # paper 3.3
weight = {SOLAR_MW[fiscal_year][row] * 1_000 // ROUTER_KW}  # {_OUTPUT}
""")
        parts.extend(_plant(area, on))
    parts.append(_WHOLESALE_TERMS.format(imbalance="jp-2016" if fiscal_year < 2022 else "jp-2022"))
    return "".join(parts)


def nation_text() -> str:
    """Fifty million sites in the nine areas, as parties that stand for many."""
    on, year = date(2019, 4, 1), 2019
    parts = [_head("nation", "Fifty million sites in the nine areas", year, _NATION_HEAD), *_lines(on)]
    supply = []
    for row, area in enumerate(AREAS):
        part = DEMAND_GWH[year][row] / sum(DEMAND_GWH[year])
        for kind in KINDS:
            parts.append(_sites(area, part, *kind))
        each = _factories() // len(OPEN_HOURS)
        for opens, _ in OPEN_HOURS:
            parts.append(_sites(area, part, f"factory-{opens}", "stores", each, _factory_kwh(year), FACTORY_PARTIES))
        left = SOLAR_MW[year][row] - part * _homes_with_pv() * PV_KW / 1_000
        supply.append(f"""
[[mall]]
name = "solar-{area}"           # solar plant but that of homes
area = "{area}"
count = {PLANT_PARTIES}                      # assumption: parties
weight = {round(left * 1_000 / ROUTER_KW / PLANT_PARTIES)}  # {_OUTPUT}
pv_kw = {ROUTER_KW}.0                    # paper 3.3: one router
routers = 1                     # paper 3.3
""")
        supply.extend(_plant(area, on))
    return "".join([*parts, *supply, _NATION_TERMS])


def write_scenarios() -> None:
    """Write the three files into the package."""
    for name, text in scenario_texts().items():
        (SCENARIO_FOLDER / name).write_text(text, encoding="utf-8")


def scenario_texts() -> dict[str, str]:
    """What the three files hold, by file name."""
    title = "Japan's nine areas as a day-ahead market"
    return {
        "japan_nine.toml": japan_nine_text(date(2019, 4, 1), 2019, "japan-nine", f"{title}, FY2019"),
        "japan_nine_2025.toml": japan_nine_text(TODAY, 2023, "japan-nine-2025", f"{title}, lines of 2025"),
        "nation.toml": nation_text(),
    }


def _head(name: str, title: str, fiscal_year: int, text: str) -> str:
    areas = ", ".join(f'"{area}"' for area in AREAS)
    return f"""{_FIRST}
name = "{name}"
title = "{title}"
fiscal_year = {fiscal_year}              # year of demand, solar plant, weather and prices
areas = [{areas}]
site_area = "tokyo"             # assumption: where observations see the sun
sun_by_area = true              # each area has its own sun
{text}"""


def _lines(on: date) -> Iterator[str]:
    for name, source, target in LINES:
        step = [step for step in CAPACITY_MW[name] if step.since <= on][-1]
        yield f"""
[[lines]]
name = "{name}"
source = "{source}"
target = "{target}"
forward_kw = {step.forward}e3  # {step.source}
backward_kw = {step.backward}e3  # {step.source}
"""


def _plant(area: str, on: date) -> Iterator[str]:
    """What always runs, nuclear plant, and each fuel in steps of rising cost."""
    runs = round(FITTED.runs * RUNS_ALWAYS_MW[area])
    note = "RUNS_ALWAYS_MW in envs/japan_nine.py, times what calibration found"
    yield _units(f"{area}-runs", area, [runs], [FLOOR_JPY], note, "assumption: runs at any price")
    nuclear = round(float(nuclear_mw([on])[0, AREAS.index(area)]))
    if nuclear:
        note = "mean output of the calendar year (NUCLEAR_MW in envs/japan_nine.py)"
        yield _units(f"{area}-nuclear", area, [nuclear], [FLOOR_JPY], note, "assumption: runs at any price")
    for fuel, steps in enumerate(STEPS):
        each = round(FLEET_MW[area][fuel] * FITTED.available[fuel] / steps)
        costs = FITTED.cost[fuel] * (1 + FITTED.spread[fuel] * np.linspace(-1, 1, steps))
        note = "assumption: FLEET_MW in envs/japan_nine.py, as far as calibration found it offered; no planned outages"
        prices = [round(float(cost), 2) for cost in costs]
        yield _units(f"{area}-{FUELS[fuel]}", area, [each] * steps, prices, note, _COST)


def _units(name: str, area: str, power_mw: list[int], cost: list[float], power_note: str, cost_note: str) -> str:
    return f"""
[[thermal]]
name = "{name}"
area = "{area}"
units_kw = [{", ".join(f"{power}e3" for power in power_mw)}]  # {power_note}
cost_jpy_kwh = [{", ".join(map(str, cost))}]  # {cost_note}
"""


def _homes_with_pv() -> int:
    return sum(sites for name, _, sites, *_ in KINDS if name in ("pv-home", "home"))


def _factories() -> int:
    """Sites that are left of fifty million."""
    return NATION_SITES - sum(sites for _, _, sites, *_ in KINDS)


def _factory_kwh(year: int) -> int:
    """What a factory uses in a year [kWh]: the nation's demand less that of all other sites."""
    others = sum(sites * kwh for _, _, sites, kwh, _ in KINDS)
    return round((sum(DEMAND_GWH[year]) * 1_000_000 - others) / _factories() / 1_000) * 1_000


def _sites(area: str, part: float, name: str, group: str, sites: int, kwh: int, parties: int) -> str:
    """One kind of site in an area; `part` is the area's part of the nation's demand."""
    kind = name if name in NOTES else name.partition("-")[0]
    return f"""
[[{group}]]
name = "{name}-{area}"          # {NOTES[kind]}
area = "{area}"
count = {parties}                     # assumption: parties that stand for all
weight = {round(part * sites / parties)}  # assumption: {sites:,} in the nation, by the area's part of demand
load_kwh_year = {kwh}.0  # {_ENERGY[kind]}
{_DEVICES[kind]}{_HOURS.get(name, "")}"""


_COST = "fitted on 2018-10 to 2021-03: FITTED in experiments/japan_model.py, in fewer steps"
_ENERGY = {
    **dict.fromkeys(("flat", "pv-home", "home"), "Ministry of the Environment, household CO2 survey FY2019, purchased"),
    "store": "published store figures lie between 164,000 and 173,000 kWh a year",
    "shop": "assumption: five homes, as in town",
    "office": "assumption: so that all but homes and factories use 245 TWh",
    "factory": "what is left of the area's published demand",
}
_HOME = """size_spread = [0.7, 1.3]        # assumption, as in town
load_noise = 0.4                # assumption, as in town
"""
_NO_BATTERY = "battery = { kw = 0.0, kwh = 0.0 }\n"
_PV = """pv_kw = 5.0                     # paper 3.3
export_limit_kw = 7.5           # paper 3.3: house-to-house interchange of one router
"""
_DEVICES = {
    "flat": _HOME + "pv_kw = 0.0\nexport_limit_kw = 0.0\n" + _NO_BATTERY,
    "pv-home": _HOME + _PV + _NO_BATTERY,
    "home": _HOME + _PV + "battery = { kw = 5.0, kwh = 10.0 }  # paper 3.3; JEMA shipments FY2025: 10.06 kWh a unit\n",
    "store": """size_spread = [0.9, 1.1]        # assumption, as in town
load_noise = 0.1                # assumption, as in town
""",
    "shop": """size_spread = [0.5, 1.5]        # assumption, as in town
load_noise = 0.2                # assumption, as in town
open_hours = [9.0, 19.0]        # assumption, as in town
closed_part = 0.25              # assumption, as in town
""",
    "office": """size_spread = [0.5, 1.5]        # assumption
load_noise = 0.1                # assumption
closed_part = 0.45              # assumption
""",
    "factory": """size_spread = [0.5, 1.5]        # assumption
load_noise = 0.1                # assumption
closed_part = 0.85              # assumption: most run around the clock
""",
}
_HOURS = {
    f"{kind}-{opens}": f"open_hours = [{opens}.0, {closes}.0]  # assumption: a quarter of them\n"
    for kind in ("office", "factory")
    for opens, closes in OPEN_HOURS
}
_OUTPUT = "as many as give the area's output of the year (SOLAR_MW in envs/japan_nine.py)"
_FIRST = """# Written by `python -m experiments.japan_scenarios` from the tables of envs/japan_nine.py and the
# calibration of the backtest (docs/japan-nine.md): change those, not this file. Powers are kW, prices JPY/kWh.
"""
_WHOLESALE_HEAD = """forecast = "perfect"            # assumption: actual demand and sun stand in for forecasts
horizon = 48                    # assumption: open slots after the gate, where a design has them
episode_days = 7                # assumption: days of an episode
lot_wh = 50000                  # JEPX: 0.1 MW in a half hour
"""
_NATION_HEAD = """forecast = "weather"            # assumption: naive, weather or perfect
solar_error = 0.15              # assumption: sd of the slow lognormal error of the solar forecast
horizon = 4                     # assumption: open slots after the gate
episode_days = 1                # assumption: days of an episode
lot_wh = 1                      # assumption: direct membership with a 1 Wh lot
"""
_WHOLESALE_TERMS = """
[terms]
wheeling_jpy_kwh = 0.0          # a wholesale market: wheeling, surcharge and margins come after it
surcharge_jpy_kwh = 0.0
fee_jpy_kwh = 0.03              # JEPX's fee on a kWh, 2016 (itmedia, 2016-01-28)
retail_margin_jpy_kwh = 50.0    # assumption: energy that nobody offers costs 50 more than the price outside, about the
                                # 60 of the backtest
feed_in_discount_jpy_kwh = 1000.0  # assumption: unsold solar output earns nothing but the floor
feed_in_floor_jpy_kwh = 0.01    # lowest price of JEPX
imbalance_penalty_jpy_kwh = 0.0
imbalance = "{imbalance}"           # the rule of the year
"""
_NATION_TERMS = """
[terms]
wheeling_jpy_kwh = 9.44         # Tokyo area low-voltage average incl. tax, April 2024, taken for all sites (assumption)
surcharge_jpy_kwh = 2.95        # renewable surcharge FY2019 (METI)
fee_jpy_kwh = 0.66              # assumption: platform fee, paid by the buyer, as in urawa-misono
retail_margin_jpy_kwh = 4.66    # assumption: as in urawa-misono
feed_in_discount_jpy_kwh = 1.0  # assumption: surplus earns the outside price less this
feed_in_floor_jpy_kwh = 0.5     # assumption: and never less than this
imbalance_penalty_jpy_kwh = 3.0 # assumption: as in urawa-misono
imbalance = "flat"              # assumption: as in urawa-misono
"""

if __name__ == "__main__":
    write_scenarios()
