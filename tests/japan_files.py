"""A made-up autumn of nine areas in the published forms: demand, solar, weather and prices of late 2018."""

from collections.abc import Callable
from datetime import date, timedelta
from math import cos, pi, sin
from pathlib import Path

from envs.japan_nine import AREAS, PEAK_MW
from envs.japan_nine_data import HAS_SOLAR, SHORT

FIRST, LAST = date(2018, 9, 27), date(2018, 12, 31)
DEMAND = "area_demand/area_demand_hourly_mw_201804_201903.csv"
SPOT = "jepx_spot/spot_summary_2018.csv"
CITIES = ("sapporo", "sendai", "tokyo", "nagoya")
LEVEL = (12.0, 10.0, 10.0, 8.0, 8.0, 8.0, 8.0, 8.0, 7.0)


def days_of(first: date, last: date) -> list[date]:
    """Days from first to last, both included."""
    return [first + timedelta(days=d) for d in range((last - first).days + 1)]


def shape(day: date, hour: float) -> float:
    """Demand as a part of the peak: a daily and a weekly rhythm, and a slow one."""
    slow = 0.04 * sin(2 * pi * day.toordinal() / 11)
    return 0.62 + 0.12 * cos(2 * pi * (hour - 17) / 24) - 0.08 * (day.weekday() >= 5) + slow


def demand_lines(change: Callable[[list[str]], list[str]] = lambda row: row) -> list[str]:
    """Hourly demand and solar; `change` may rewrite a row."""
    columns = [f"{s}_demand" for s in SHORT] + [f"{s}_solar" for s in HAS_SOLAR]
    lines = [",".join(["date", "hour", *columns])]
    for day in days_of(FIRST, LAST):
        for hour in range(24):
            sun = max(0.0, sin(pi * (hour - 6) / 12))
            row = [day.isoformat(), str(hour), *(f"{PEAK_MW[area] * shape(day, hour):.1f}" for area in AREAS)]
            row += [f"{0.1 * PEAK_MW[AREAS[SHORT.index(s)]] * sun:.1f}" for s in HAS_SOLAR]
            lines.append(",".join(change(row)))
    return lines


def spot_lines() -> list[str]:
    """Prices of fiscal year 2018 that follow demand; Hokkaido is blank until its market came back."""
    lines = [",".join(["date", "slot", *AREAS])]
    for day in days_of(date(2018, 4, 1), date(2019, 3, 31)):
        for slot in range(1, 49):
            rises = 1 + 3 * (shape(day, slot / 2) - 0.62)
            prices = [f"{level * rises:.2f}" for level in LEVEL]
            if day < FIRST:
                prices[0] = ""
            lines.append(",".join([day.isoformat(), str(slot), *prices]))
    return lines


def weather_lines() -> list[str]:
    """The same weather every day, blank at night."""
    lines = ["date,hour,temp_c,ghi_mj_m2"]
    for day in days_of(FIRST, LAST):
        for hour in range(1, 25):
            sun = f"{2.5 * sin(pi * (hour - 6.5) / 12):.2f}" if 7 <= hour <= 18 else ""
            lines.append(f"{day.isoformat()},{hour},{15 + hour / 10:.1f},{sun}")
    return lines


def write_files(folder: Path) -> Path:
    """All files below a folder; returns it."""
    content = {DEMAND: demand_lines(), SPOT: spot_lines()}
    content |= {f"jma_hourly/jma_{city}_hourly_2018.csv": weather_lines() for city in CITIES}
    for name, lines in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return folder
