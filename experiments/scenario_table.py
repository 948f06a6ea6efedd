"""scenarios: which worlds there are, who lives in them, and what of a user's folder is usable."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from agents.fleet import ROLE_NAMES, Fleet, Role
from envs.half_hour_series import Gap, Series, tell_gaps
from envs.own_folder import (
    PRICES,
    SOLAR,
    WEATHER,
    consumers,
    find_file,
    folder_of,
    open_series,
    read_own,
)
from envs.population import fleet_of
from envs.published_year import STATIONS
from envs.scenario import known_scenarios, load_scenario
from envs.scenario_schema import Scenario
from experiments.scenario_figures import FigureLine, read_figures, scenario_path
from market.errors import DigitalGridError
from market.slots import HALF_HOURS


@dataclass(frozen=True)
class Summary:
    """A scenario in one line: parties without retailers, areas, lines, and the data it can run on."""

    name: str
    title: str
    parties: int
    areas: tuple[str, ...]
    lines: int
    data: str


@dataclass(frozen=True)
class ScenarioList:
    """The scenarios that come with the package."""

    summaries: tuple[Summary, ...]

    def rows(self) -> dict[str, Any]:
        """What is known of each, by name."""
        return {summary.name: asdict(summary) for summary in self.summaries}

    def print(self) -> None:
        """A table on standard output."""
        from rich.table import Table

        from experiments.screen import console

        table = Table(title="scenarios", show_lines=True)
        for heading in ("name", "title", "parties", "areas", "lines", "data it can use"):
            table.add_column(heading, justify="right" if heading in ("parties", "lines") else "left")
        for row in self.summaries:
            areas = ", ".join(row.areas)
            table.add_row(row.name, row.title, f"{row.parties:,}", areas, str(row.lines), row.data)
        console().print(table)


@dataclass(frozen=True)
class ScenarioFigures:
    """One scenario: who lives in which area, and every figure with its source."""

    summary: Summary
    parties: tuple[tuple[str, str, int], ...]
    figures: tuple[FigureLine, ...]

    def rows(self) -> dict[str, Any]:
        """Everything as plain data."""
        parties = [dict(zip(("area", "role", "count"), row, strict=True)) for row in self.parties]
        return asdict(self.summary) | {"party_counts": parties, "figures": [asdict(row) for row in self.figures]}

    def print(self) -> None:
        """Parties and figures on standard output."""
        from rich.table import Table

        from experiments.screen import console

        screen = console()
        screen.print(f"{self.summary.name}: {self.summary.title}", markup=False)
        screen.print(f"data it can use: {self.summary.data}\n", markup=False)
        for area, role, count in self.parties:
            screen.print(f"{area:<10} {count:>6,} {role}")
        table = Table(title="figures")
        for heading in ("key", "value", "source"):
            table.add_column(heading)
        for row in self.figures:
            table.add_row(row.key, row.value.replace("[", r"\["), row.source.replace("[", r"\["))
        screen.print(table)


@dataclass(frozen=True)
class Coverage:
    """What a file covers: its columns, first and last half hour, and what is missing."""

    file: str
    columns: tuple[str, ...]
    first: str
    stop: str
    gaps: tuple[Gap, ...]

    @property
    def text(self) -> str:
        """One line."""
        missing = tell_gaps(self.gaps) if self.gaps else "no gaps"
        columns = "1 column" if len(self.columns) == 1 else f"{len(self.columns):,} columns"
        return f"{self.file}: {columns}, {self.first} to {self.stop}, {missing}"


@dataclass(frozen=True)
class ScenarioCheck:
    """What was found in a scenario and its folder, and the first error, if any."""

    summary: Summary
    parties: tuple[tuple[str, str, int], ...]
    line_names: tuple[str, ...]
    coverage: tuple[Coverage, ...] = ()
    notes: tuple[str, ...] = ()
    error: DigitalGridError | None = field(default=None, compare=False)

    def rows(self) -> dict[str, Any]:
        """Everything as plain data; `error` is null when all is well."""
        files = [asdict(row) | {"gaps": [asdict(gap) for gap in row.gaps]} for row in self.coverage]
        return asdict(self.summary) | {
            "party_counts": [dict(zip(("area", "role", "count"), row, strict=True)) for row in self.parties],
            "files": files,
            "notes": list(self.notes),
            "error": str(self.error) if self.error else None,
        }

    def print(self) -> None:
        """Parties, lines, files and notes on standard output."""
        from experiments.screen import console

        screen = console()
        screen.print(f"{self.summary.name}: {self.summary.title}", markup=False)
        for area, role, count in self.parties:
            screen.print(f"{area:<10} {count:>6,} {role}")
        screen.print(f"lines: {', '.join(self.line_names) or 'none'}", markup=False)
        for text in (*(row.text for row in self.coverage), *self.notes):
            screen.print(text, markup=False, soft_wrap=True)
        if self.error is None:
            screen.print("all is well")


def list_scenarios() -> ScenarioList:
    """Every scenario that comes with the package."""
    return ScenarioList(tuple(summarise(load_scenario(name)) for name in known_scenarios()))


def show_scenario(name_or_path: str) -> ScenarioFigures:
    """Parties and figures of a scenario; raises ConfigError where a figure has no source."""
    path = scenario_path(name_or_path)
    scenario = load_scenario(path)
    return ScenarioFigures(summarise(scenario), count_parties(scenario), tuple(read_figures(path)))


def check_scenario(name_or_path: str) -> ScenarioCheck:
    """A scenario and the files beside it; raises ConfigError when the scenario itself is wrong.

    A wrong file does not raise: what was found before it is kept, with the error.
    """
    path = scenario_path(name_or_path)
    scenario = load_scenario(path)
    found = ScenarioCheck(summarise(scenario), count_parties(scenario), tuple(line.name for line in scenario.lines))
    folder = folder_of(path)
    if folder is None:
        return replace(found, notes=("no files of its own: it runs on the synthetic year, or on --data",))
    coverage: list[Coverage] = []
    notes: tuple[str, ...] = ()
    error: DigitalGridError | None = None
    try:
        for _, series in open_series(scenario, folder):
            coverage.append(_coverage(series))
        read_own(scenario, folder)
        notes = tuple(_notes(scenario, folder, coverage))
        read_figures(path)
    except DigitalGridError as caught:
        error = caught
    return replace(found, coverage=tuple(coverage), notes=notes, error=error)


def summarise(scenario: Scenario) -> Summary:
    """A scenario in one line."""
    station = STATIONS.get(scenario.site_area)
    weather = f"JMA weather of {station[0].capitalize()}" if station else "no weather station: --data does not fit"
    return Summary(
        scenario.name,
        scenario.title,
        fleet_of(scenario).count - len(scenario.areas),
        scenario.areas,
        len(scenario.lines),
        f"synthetic year; JEPX prices of FY{scenario.fiscal_year}; {weather}",
    )


def count_parties(scenario: Scenario) -> tuple[tuple[str, str, int], ...]:
    """Area, role and number of parties, in the order of areas and roles; only those that are there."""
    return tuple(_count(scenario, fleet_of(scenario)))


def _count(scenario: Scenario, fleet: Fleet) -> Iterator[tuple[str, str, int]]:
    for row, area in enumerate(scenario.areas):
        for role in Role:
            count = int(((fleet.area == row) & (fleet.role == role)).sum())
            if count:
                yield area, ROLE_NAMES[role], count


def _coverage(series: Series) -> Coverage:
    first, stop = HALF_HOURS.label(series.first_slot), HALF_HOURS.label(series.stop_slot)
    return Coverage(series.path.name, series.names, first, stop, tuple(series.gaps))


def _notes(scenario: Scenario, folder: Path, coverage: list[Coverage]) -> Iterator[str]:
    """What the folder does not have, and what takes its place."""
    files = [row.file.removesuffix(".xz") for row in coverage]
    if PRICES not in files:
        yield f"no {PRICES}: prices are those of --data or the synthetic year"
    weather = find_file(folder, WEATHER)
    if weather:
        yield f"{weather.name}: covers the fiscal year"
    elif SOLAR not in files:
        yield f"no {SOLAR} or {WEATHER}: the sun is that of --data or the synthetic year"
    drawn = [group.name for group in consumers(scenario) if not group.load_file]
    if drawn:
        yield f"loads of {', '.join(drawn)} are drawn; a load_file would give them"
