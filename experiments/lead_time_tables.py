"""The tables of the lead-time study, for people: what each design loses, and how well contracts foretold the lines."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.lead_time import CASES, LEADS, LeadTime

SHARES = {
    "spot: traded without line limits": "spot_traded_without_limits",
    "spot: traded, areas split": "spot_traded",
    "spot: volume cancelled by splitting": "spot_cancelled",
    "spot: cross-area deals undone by splitting": "spot_cross_area_undone",
    "spot: cross-area energy that remains": "spot_cross_area",
    "dgp: traded": "dgp_traded",
    "dgp: never formed for lack of room": "dgp_never_formed",
    "dgp: cross-area energy that never formed": "dgp_cross_area_never_formed",
    "dgp: cross-area energy contracted": "dgp_cross_area",
    "dgp: covered more than 30 days ahead": "dgp_covered_over_30_days",
    "contracts blind to lines: cancelled the day before": "blind_contracts_cancelled",
    "line half hours full, spot": "spot_lines_full",
    "line half hours full, dgp": "dgp_lines_full",
    "line half hours with the same state in both": "same_lines_full",
    "final flows of spot and dgp, correlation within a line": "correlation_of_designs",
    "surplus, spot (truthful spot = 100 %)": "spot_welfare",
    "surplus, dgp (truthful spot = 100 %)": "dgp_welfare",
}
"""What a row of the first table shows; energies are parts of all demand in the flow."""

SKILL_HEADINGS = (
    "known",
    "correlation with\nfinal flow",
    "mean error,\npart of capacity",
    "known full that\nended full",
    "ended full that\nwas known full",
)


def print_tables(study: LeadTime) -> None:
    """Shares by case, and skill by lead for each case, on standard output."""
    from rich.table import Table

    from experiments.screen import console

    screen = console()
    seeds = f"{study.days} days, mean of {study.seeds} seeds (lowest to highest)"
    table = Table(title=f"the same orders under spot and dgp: {seeds}")
    table.add_column("part of all demand, if not otherwise named")
    for case in CASES:
        table.add_column(case, justify="right")
    for heading, key in SHARES.items():
        percent = not key.startswith("correlation")
        cells = (spread([run.shares[key] for run in study.of_case(case)], percent) for case in CASES)
        table.add_row(heading, *cells)
    screen.print(table)
    for case in CASES:
        screen.print(_skill_table(study, case, Table))


def spread(values: Iterable[float], percent: bool = True) -> str:
    """Mean over seeds with the lowest and highest, '-' where no seed has a value."""
    found = [value for value in values if not np.isnan(value)]
    if not found:
        return "-"
    factor, digits = (100, 1) if percent else (1, 2)
    mean, low, high = (factor * v for v in (sum(found) / len(found), min(found), max(found)))
    return f"{mean:.{digits}f}" + (" %" if percent else "") + f" ({low:.{digits}f} to {high:.{digits}f})"


def _skill_table(study: LeadTime, case: str, make: Any) -> Any:
    runs = study.of_case(case)
    usual = spread((run.skill.usual_correlation for run in runs), percent=False)
    error = spread(run.skill.usual_error for run in runs)
    table = make(
        title=f"{case}: what contracts foretold", caption=f"without contracts, mean of other days: {usual}, {error}"
    )
    for heading in SKILL_HEADINGS:
        table.add_column(heading, justify="right")
    for row, lead in enumerate(LEADS):
        cells = [
            spread((float(getattr(run.skill, name)[row]) for run in runs), percent=name != "correlation")
            for name in ("correlation", "error", "precision", "recall")
        ]
        table.add_row(f"{lead} day" + "s" * (lead > 1), *cells)
    return table
