"""scenarios new: a folder with a scenario and example data in the forms that a folder of one's own may have.

The scenario is a copy of one that comes with the package, so every figure keeps its source. The data are the synthetic
year of that scenario and drawn loads: they run as they are, and are there to be replaced.
"""

import csv
import io
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agents.draw import Purpose, between, draw
from agents.fleet import Fleet, Role
from envs.half_hour_series import Series, fill_gaps
from envs.load_files import START, read_table
from envs.load_noise import Noise, draw_noise
from envs.own_folder import LOADS, PRICES, SOLAR, YIELD_COLUMN, kind_of
from envs.population import fleet_of
from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from experiments.scenario_figures import SCENARIO_FILE, scenario_path
from market.errors import ConfigError
from market.slots import HALF_HOURS
from market.units import PPM, Int

MOST_COLUMNS = 40
"""Parties of homes and stores up to which the example has loads; a larger scenario's are drawn."""
SEED = 0
README = """# {name}

A scenario of digitalgrid with data of its own. It runs as it is; replace what you know better.

    digitalgrid scenarios check {folder}
    digitalgrid simulate {folder}/scenario.toml --days 2

| file | columns | unit |
|---|---|---|
| `scenario.toml` | parties, lines, terms; each figure says its source or `assumption` | kW, kWh, JPY/kWh |
| `prices.csv` | `start`, one column for each area | JPY/kWh, what energy costs outside the market |
| `solar.csv` | `start,kwh_per_kw` | kWh that one kW of PV yields in the half hour |
| `loads.csv` | `start`, one column for each party of the groups with `load_file` | kWh used in the half hour |

The example data are synthetic: the model year of `{source}`, loads drawn with seed {seed}. A file may be left out, with
the `load_file` keys for the loads: what is not given is drawn. In place of `solar.csv` a `weather.csv` of the Japan
Meteorological Agency's form will do (`date,hour,ghi_mj_m2,temp_c`, hour 1 to 24 = hour ending, MJ/m2).

`start` is Japanese local time at the beginning of the row, such as `2018-04-01T00:30`. Rows are half hours or hours and
cover the whole fiscal year of the scenario. A missing value is left empty; `digitalgrid scenarios fill` fills gaps.
"""


def new_scenario(folder: Path, source: str = "urawa-misono") -> list[Path]:
    """Write the folder and return its files; raises ConfigError when it is not empty or cannot be written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError("not an empty folder", where=str(folder), do="give another, or empty it")
    path = scenario_path(source)
    scenario = load_scenario(path)
    year = public_year(scenario)
    rows = _metered_rows(scenario)
    texts: dict[str, Callable[[], str]] = {
        SCENARIO_FILE: lambda: _scenario_text(path, folder, source, len(rows) > 0),
        PRICES: lambda: table_text(_fiscal(year, year.outside_mjpy_kwh), year.first_slot, scenario.areas),
        SOLAR: lambda: table_text(_fiscal(year, year.solar_wh_per_kw[:, None]), year.first_slot, (YIELD_COLUMN,)),
        LOADS: lambda: table_text(*_loads(scenario, year, rows)),
        "README.md": lambda: README.format(name=folder.name, folder=folder, source=scenario.name, seed=SEED),
    }
    if not len(rows):
        del texts[LOADS]
    part = folder.with_name(f".{folder.name}.part")
    try:
        part.mkdir(parents=True)
        for name, text in texts.items():
            (part / name).write_text(text(), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(folder), do="give another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [folder / name for name in texts]


def fill_file(path: Path, out: Path) -> Series:
    """Write a table again with its gaps filled and return it; raises DataError, or ConfigError when `out` is there."""
    if out.exists():
        raise ConfigError("a file is there already", where=str(out), do="give another --out")
    series = fill_gaps(read_table(path, kind_of(path.name)))
    try:
        out.write_text(table_text(series.values, series.first_slot, series.names), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(out), do="give another --out") from error
    return series


def table_text(values: Int, first_slot: int, names: tuple[str, ...]) -> str:
    """`start,NAME,...` with thousandths as decimals, (slots, names) to CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((START, *names))
    for row, cells in enumerate(values.tolist()):
        start = HALF_HOURS.label(first_slot + row).replace(" ", "T")
        writer.writerow((start, *(f"{cell // 1_000}.{cell % 1_000:03d}" for cell in cells)))
    return out.getvalue()


def _scenario_text(path: Path, folder: Path, source: str, with_loads: bool) -> str:
    """The scenario's file under another name, its groups of homes and stores with a load file."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")
    name = name if name[:1].isalpha() else f"own-{name}".strip("-")
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^name = .*$", f'name = "{name}"', text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^title = .*$", f'title = "{name}, made from {source}"', text, count=1, flags=re.MULTILINE)
    if with_loads:
        key = f'load_file = "{LOADS}"         # loads by party; without this key they are drawn'
        text = re.sub(r"^\[\[?(?:homes|stores)\]\]?.*$", rf"\g<0>\n{key}", text, flags=re.MULTILINE)
    head = f"# Made from {source}: change what differs. Each figure says its source, or that it is an assumption.\n#\n"
    return head + text


def _fiscal(year: PublicYear, series: Int) -> Int:
    return series[: year.days * HALF_HOURS.per_day]


def _metered_rows(scenario: Scenario) -> Int:
    """Rows of the homes and stores; none when there are too many for an example."""
    rows = np.flatnonzero(fleet_of(scenario).load_wh > 0)
    return rows if len(rows) <= MOST_COLUMNS else rows[:0]


def _loads(scenario: Scenario, year: PublicYear, rows: Int) -> tuple[Int, int, tuple[str, ...]]:
    """Drawn loads (slots, parties) [Wh]: mean x size x shape x noise, each rounded down."""
    fleet = fleet_of(scenario)
    loads = np.stack([_load_of(fleet, int(row), year) for row in rows], 1)
    return _fiscal(year, loads), year.first_slot, tuple(fleet.names[row] for row in rows)


def _load_of(fleet: Fleet, row: int, year: PublicYear) -> Int:
    shape = year.household_ppm if fleet.role[row] == Role.HOME else year.store_ppm
    slot = year.first_slot + np.arange(year.slots)
    size = int(
        between(draw(SEED, 0, row, 0, Purpose.SIZE), int(fleet.size_low_ppm[row]), int(fleet.size_high_ppm[row]))
    )
    columns = (fleet.load_noise_ppm, fleet.load_memory_minutes, fleet.load_memory_ppm)
    kind = Noise(*(int(column[row]) for column in columns))
    noise = draw_noise(kind, SEED, np.zeros(1, np.int64), np.array([row]), slot[None])[0, 0]
    return np.asarray(int(fleet.load_wh[row]) * size // PPM * shape // PPM * noise // PPM, np.int64)
