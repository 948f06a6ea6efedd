"""The tables of the study of forecasts, for people: one for each role."""

from collections.abc import Sequence

from experiments.forecast_study import LEADS, ErrorRow, ForecastErrors
from experiments.retrade_tables import say

FIRST = next(iter(LEADS))


def print_tables(study: ForecastErrors) -> None:
    """Error by lead of each model, with bias, relative error and skill at the shortest lead."""
    from experiments.screen import console

    screen = console()
    screen.print(study.played)
    for role in dict.fromkeys(row.role for row in study.errors):
        screen.print(_table(role, [row for row in study.errors if row.role == role]))


def _table(role: str, rows: Sequence[ErrorRow]) -> object:
    from rich.table import Table

    table = Table("forecast", title=f"{role}: mean absolute error by lead [Wh for each party and half hour]")
    for head in (*LEADS, f"bias {FIRST}", f"RMSE {FIRST} [%]", f"skill {FIRST} [%]"):
        table.add_column(head, justify="right")
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        first = own[0]
        figures = say(first.bias_wh, 0), f"{first.relative_rmse:.1%}"[:-1], say(first.skill, 1, 100)
        table.add_row(model, *(f"{row.mae_wh.mean:,.1f}" for row in own), *figures)
    return table
