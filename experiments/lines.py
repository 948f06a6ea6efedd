"""lines: what contracts commit on each line, slot by slot, as of any time: the paper's promise (1.4, items 20, 22).

Read from a run folder: contracts from its signed ledger, after verifying it, when there is one, else from its table;
capacities from its table of slots. Contracts and capacities are those that outages left.
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from envs.scenario_schema import read_settings
from experiments.run_ledger import nobody
from experiments.runs import RunFolder, open_run
from experiments.statement import Deals, newest_run, read_deals
from experiments.trace import Columns, read_trace
from ledger.audit import KeysOf
from market.committed import COMMITTED_FIELDS, Committed, LineAhead, known_at, look_ahead, use_of
from market.design import find_design
from market.errors import ConfigError, DataError
from market.grid import Grid
from market.slots import HALF_HOURS
from market.statements import name_paths
from market.tables import Table
from market.units import WH_PER_KWH, Int

TIME = "%Y-%m-%d %H:%M"
ENERGIES = tuple(field.name for field in COMMITTED_FIELDS if field.unit == "Wh")


@dataclass(frozen=True)
class Lines:
    """Committed flow of a run's lines for the slots from one hour after `at` on, or all of them where it is None."""

    ahead: Committed
    at: int | None
    contracts: int
    origin: str

    def rows(self) -> dict[str, Any]:
        """Everything in plain values, for `--json`."""
        slots = self.ahead.slot
        return {
            "at": None if self.at is None else HALF_HOURS.label(self.at),
            "from": HALF_HOURS.label(int(slots[0])),
            "to": HALF_HOURS.label(int(slots[-1])),
            "slots": len(slots),
            "contracts": self.contracts,
            "origin": self.origin,
            "lines": [self._row(line) for line in self.ahead.lines()],
        }

    def print(self) -> None:
        """One row per line on standard output."""
        from rich.table import Table as RichTable

        from experiments.screen import console

        told, screen = self.rows(), console()
        known = "after the last" if self.at is None else f"at {told['at']}"
        table = RichTable(title=f"committed {known}, delivery {told['from']} to {told['to']} ({told['slots']} slots)")
        headings = ("line", "slots with flow", "most forward kWh", "most back kWh", "all kWh", "full forward")
        for heading in (*headings, "full back", "first full"):
            table.add_column(heading, justify="left" if heading in ("line", "first full") else "right")
        for line in told["lines"]:
            energies = (f"{line[name]:,.1f}" for name in ("most_forward_kwh", "most_backward_kwh", "flow_kwh"))
            counts = (str(line[name]) for name in ("full_forward", "full_backward"))
            ways = f"{line['name']} ({line['source']} to {line['target']})"
            table.add_row(ways, str(line["committed"]), *energies, *counts, line["first_full"] or "-")
        screen.print(table)
        screen.print(f"{self.contracts} contracts {self.origin}", soft_wrap=True)

    def write_csv(self, path: Path) -> None:
        """Every slot and line as CSV, energies in Wh; raises ConfigError when the file cannot be written."""
        names = [line.name for line in self.ahead.grid.lines]
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["time", "slot", "line", *(f"{name}_wh" for name in ENERGIES), "full"])
                for row in self.ahead.table():
                    time, energies = HALF_HOURS.label(int(row["slot"])), (int(row[name]) for name in ENERGIES)
                    writer.writerow([time, int(row["slot"]), names[row["line"]], *energies, int(row["full"])])
        except OSError as error:
            raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --out") from error

    def _row(self, line: LineAhead) -> dict[str, Any]:
        grid = self.ahead.grid
        (ends,) = (known for known in grid.lines if known.name == line.name)
        return {
            "name": line.name,
            "source": grid.areas[ends.source],
            "target": grid.areas[ends.target],
            "committed": line.committed,
            "most_forward_kwh": line.most_forward_wh / WH_PER_KWH,
            "most_backward_kwh": line.most_backward_wh / WH_PER_KWH,
            "flow_kwh": line.flow_wh / WH_PER_KWH,
            "full_forward": line.full_forward,
            "full_backward": line.full_backward,
            "first_full": None if line.first_full is None else HALF_HOURS.label(line.first_full),
        }


def read_lines(run: Path | None = None, *, at: str | None = None, keys_of: KeysOf = nobody) -> Lines:
    """Committed flow of every line of a run; raises ConfigError, DataError, LedgerError.

    `run` is a run folder, the newest in `runs/` if None. `at` is a time, `2018-04-22 10:00`: contracts that had formed
    by then count, and slots whose gate was still open are shown. `keys_of`: the administrators whose epochs count.
    """
    folder = open_run(newest_run() if run is None else run)
    config = folder.read_json("config")
    design, grid = find_design(str(config.get("design"))), _read_grid(folder, config)
    slot, capacity = _read_slots(folder, grid)
    deals = read_deals(folder, keys_of)
    contracts, now = _number_paths(deals, grid, folder), None
    if at is not None:
        now = _read_time(at, slot)
        contracts, still_open = known_at(contracts, now), slot > now + HALF_HOURS.gate
        slot, capacity = slot[still_open], capacity[still_open]
    use = use_of(grid, contracts, int(slot[0]), len(slot))
    inside = (contracts["slot"] >= slot[0]) & (contracts["path"] > 0)
    return Lines(look_ahead(design, grid, slot, capacity, use), now, int(inside.sum()), deals.origin)


def _read_grid(folder: RunFolder, config: dict[str, Any]) -> Grid:
    """The grid of the run's scenario; raises ConfigError when it has no line."""
    try:
        grid = read_settings(config["scenario"]).grid()
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise DataError(
            "not the settings of a run", where=str(folder.path / "config.json"), do="simulate it again"
        ) from error
    if not grid.lines:
        raise ConfigError("the scenario of this run has no line", where=str(folder.path), do="give another run")
    return grid


def _read_slots(folder: RunFolder, grid: Grid) -> tuple[Int, Int]:
    """Delivery slots (slots,) and capacity of each line (slots, lines, 2) [Wh]."""
    try:
        columns: Columns = read_trace(folder.tables).slots
        ways = [[columns[f"{way}_wh:{line.name}"] for way in ("forward", "backward")] for line in grid.lines]
        return columns["slot"], np.moveaxis(np.array(ways, np.int64), -1, 0)
    except (OSError, LookupError, ValueError) as error:
        raise DataError(
            "not the slots of a run", where=str(folder.tables / "slots.csv"), do="simulate it again"
        ) from error


def _number_paths(deals: Deals, grid: Grid, folder: RunFolder) -> Table:
    """The run's contracts with paths numbered as the grid does, from their words."""
    rows = {words: row for row, words in enumerate(name_paths(grid))}
    unknown = [words for words in deals.paths if words not in rows]
    if unknown:
        raise DataError(f"unknown path {unknown[0]!r}", where=str(folder.path), do="simulate it again")
    contracts = deals.contracts.copy()
    contracts["path"] = np.array([rows[words] for words in deals.paths], np.int64)[contracts["path"]]
    return contracts


def _read_time(text: str, slot: Int) -> int:
    """The half hour in which a time lies; raises ConfigError unless slots of the run are still open then."""
    try:
        time = datetime.strptime(text, TIME)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a time", where="--at", do="write yyyy-mm-dd hh:mm") from error
    now = HALF_HOURS.first_of(time.date()) + (60 * time.hour + time.minute) // HALF_HOURS.minutes
    last = int(slot[-1]) - HALF_HOURS.gate - 1
    if now > last:
        raise ConfigError("no slot of the run is open then", where="--at", do=f"give {HALF_HOURS.label(last)} at most")
    return now
