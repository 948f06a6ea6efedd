"""designs: the registered market designs, their choices and claims, and the contract test of one of them."""

from dataclasses import dataclass
from typing import Any

from market.checking import PLAIN_GRID, Report, check_design
from market.design import DESIGNS, MarketDesign, find_design
from market.slots import SlotCalendar

CHOICES = ("accepts", "pairs", "capacity", "rule", "book")
"""The choices shown side by side; `designs NAME` prints all."""
LENGTHS = (30, 15)
"""Slot lengths at which a design is tried [minutes]."""


@dataclass(frozen=True)
class DesignTable:
    """Some designs, and for each length of slot what the contract test found, where it was asked."""

    designs: tuple[MarketDesign, ...]
    reports: tuple[Report, ...] = ()

    @property
    def ok(self) -> bool:
        """False where a claim failed."""
        return not any(report.failed for report in self.reports)

    def rows(self) -> list[dict[str, Any]]:
        """One record for each design; what was found beside its choices."""
        found = [
            {
                "minutes": minutes,
                "markets": report.markets,
                "proved": list(report.proved),
                "failed": report.failed,
                "not_claimed": report.not_claimed,
            }
            for minutes, report in zip(LENGTHS, self.reports, strict=False)
        ]
        return [design.choices() | ({"check": found} if found else {}) for design in self.designs]

    def print(self) -> None:
        """A table of all, or every choice of one and what was found, on standard output."""
        from experiments.screen import console

        screen = console()
        if len(self.designs) > 1:
            screen.print(self._table())
            return
        for name, value in self.designs[0].choices().items():
            screen.print(f"{name:<15} {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
        for minutes, report in zip(LENGTHS, self.reports, strict=False):
            screen.print(f"\nslots of {minutes} minutes, {report}", markup=False)

    def _table(self) -> Any:
        from rich.table import Table

        table = Table(title="market designs", show_lines=True)
        for heading in ("design", *CHOICES):
            table.add_column(heading, no_wrap=True)
        table.add_column("claims", ratio=1)
        for design in self.designs:
            chosen = (str(getattr(design, name)) or "-" for name in CHOICES)
            table.add_row(design.name, *chosen, ", ".join(sorted(design.claims)))
        return table


def list_designs(name: str | None = None, check: bool = False, seed: int = 0) -> DesignTable:
    """All designs, or the one of that name; `check` looks for counterexamples at every slot length.

    Raises ConfigError for an unknown name.
    """
    designs = (find_design(name),) if name else tuple(DESIGNS.values())
    if not (check and name):
        return DesignTable(designs)
    lengths = (SlotCalendar(minutes) for minutes in LENGTHS)
    return DesignTable(
        designs, tuple(check_design(designs[0], PLAIN_GRID, seed, calendar=calendar) for calendar in lengths)
    )
