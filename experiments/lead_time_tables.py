"""The tables of the lead-time study, for people: what each design loses, and how well contracts foretold the lines."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.lead_time import CASES, LEADS, LeadTime

SHARES = {
    "spot: traded without line limits": "spot_traded_without_limits",
    "spot: traded, areas split": "spot_traded",
    "spot: traded volume cancelled by splitting": "spot_cancelled",
    "spot: cross-area energy undone by splitting": "spot_cross_area_undone",
    "spot: cross-area energy that remains": "spot_cross_area",
    "contracts blind to lines: cancelled the day before": "blind_contracts_cancelled",
    "dgp: traded": "dgp_traded",
    "dgp: traded volume that never formed": "dgp_never_formed",
    "dgp: cross-area contracts that never formed": "dgp_cross_area_never_formed",
    "dgp: cross-area contracts formed": "dgp_cross_area",
    "dgp: cross-area energy after netting": "dgp_cross_area_net",
    "dgp: contracted more than 30 days ahead": "dgp_covered_ahead",
    "lines full, spot (part of line half hours)": "spot_lines_full",
    "lines full, dgp (part of line half hours)": "dgp_lines_full",
    "lines in the same state in both (same)": "same_lines_full",
    "flow of dgp and of spot: correlation within a line": "correlation_of_designs",
    "surplus, spot (truthful spot = 100 %)": "spot_welfare",
    "surplus, dgp (truthful spot = 100 %)": "dgp_welfare",
}
"""What a row of the first table shows; energies are parts of all demand in the flow."""

SKILL_COLUMNS = {
    "correlation with\nfinal flow": "correlation",
    "mean error,\npart of capacity": "error",
    "known full that\nended full": "precision",
    "ended full that\nwas known full": "recall",
    "error when joined\nwith other years": "joined_error",
}
USUAL = ("correlation", "error", "precision", "recall")
"""Measures that a forecast without contracts has too."""


def print_tables(study: LeadTime) -> None:
    """Shares by case, and skill by lead for each case, on standard output."""
    from rich.table import Table

    from experiments.screen import console

    screen = console()
    seeds = "one seed" if study.seeds == 1 else f"mean of {study.seeds} seeds (lowest to highest)"
    table = Table(title=f"the same orders under spot and dgp: {study.days} days, {seeds}")
    table.add_column("part of all demand, if not otherwise named")
    for case in CASES:
        table.add_column(case, justify="right")
    for heading, key in SHARES.items():
        percent = not key.startswith("correlation")
        cells = (spread([run.shares[key] for run in study.of_case(case)], percent) for case in CASES)
        table.add_row(heading, *(cell.replace(" (", "\n(") for cell in cells))
    screen.print(table)
    for case in CASES:
        screen.print(_skill_table(study, case, Table))


def spread(values: Iterable[float], percent: bool = True) -> str:
    """Mean over seeds with the lowest and highest in brackets if there are several, '-' where no seed has a value."""
    found = [value for value in values if not np.isnan(value)]
    if not found:
        return "-"
    factor, digits = (100, 1) if percent else (1, 2)
    mean, low, high = (factor * v for v in (sum(found) / len(found), min(found), max(found)))
    text = f"{mean:z.{digits}f}" + (" %" if percent else "")
    return text if len(found) == 1 else f"{text} ({low:z.{digits}f} to {high:z.{digits}f})"


def _skill_table(study: LeadTime, case: str, make: Any) -> Any:
    runs = study.of_case(case)
    table = make(title=f"{case}: what contracts foretold")
    table.add_column("known", justify="right")
    for heading in SKILL_COLUMNS:
        table.add_column(heading, justify="right")
    for row, lead in enumerate(LEADS):
        cells = [
            spread((float(getattr(run.skill, name)[row]) for run in runs), name != "correlation")
            for name in SKILL_COLUMNS.values()
        ]
        table.add_row(f"{lead} day" + "s" * (lead > 1), *cells)
    usual = (spread((getattr(run.skill, f"usual_{name}") for run in runs), name != "correlation") for name in USUAL)
    table.add_section()
    table.add_row("other years,\nno contracts", *usual, "")
    return table
