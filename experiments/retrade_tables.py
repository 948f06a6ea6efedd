"""The tables of the study of re-trading, for people."""

from collections.abc import Sequence
from itertools import groupby

from experiments.findings import Estimate
from experiments.retrade_play import LEADS
from experiments.retrade_study import Retrade, Row

LAST = list(LEADS)[-1]


def print_tables(study: Retrade) -> None:
    """What is left of imbalance by forecast and lead, and what each design trades."""
    from experiments.screen import console

    screen = console()
    screen.print(study.played)
    metered = ", ".join(f"{role} {say(share, 1, 100)} %" for role, share in study.share.items())
    screen.print(f"imbalance of what is metered, forecast weather, plans of the day before: {metered}")
    screen.print(_lead_table(study.leads))
    screen.print(_saved_table(study.leads))
    screen.print(_way_table(study.ways))


def say(value: Estimate, digits: int, scale: float = 1.0) -> str:
    """A mean with its interval in brackets."""
    mean, *bounds = (
        None if number is None else f"{number * scale:z,.{digits}f}" for number in (value.mean, value.low, value.high)
    )
    return f"{mean} ({bounds[0]} .. {bounds[1]})" if bounds[0] is not None else str(mean)


def _lead_table(rows: Sequence[Row]) -> object:
    from rich.table import Table

    table = Table("forecast", "battery", title="imbalance of all sites by when plans are fixed [kWh/day]")
    for lead in LEADS:
        table.add_column(lead, justify="right")
    for (forecast, battery), group in groupby(rows, lambda row: (row.forecast, row.battery)):
        table.add_row(forecast, _yes(battery), *(f"{row.imbalance_kwh['all'].mean:,.1f}" for row in group))
    return table


def _saved_table(rows: Sequence[Row]) -> object:
    from rich.table import Table

    table = Table("forecast", "battery", title=f"part of it gone at {LAST} against the day before [%]")
    for role in rows[0].saved:
        table.add_column(role, justify="right")
    for row in rows:
        if row.lead == LAST:
            table.add_row(row.forecast, _yes(row.battery), *(say(part, 1, 100) for part in row.saved.values()))
    return table


def _way_table(rows: Sequence[Row]) -> object:
    from rich.table import Table

    table = Table("design", "plans fixed", title="designs, all sites a day; differences against the first row")
    for head in ("imbalance [kWh]", "gone [%]", "from and to retailer [kWh]", "traded [kWh]", "cheaper [JPY]"):
        table.add_column(head, justify="right")
    for row in rows:
        energies = (row.imbalance_kwh["all"], row.resort_kwh, row.traded_kwh)
        imbalance, resort, traded = (f"{energy.mean:,.1f}" for energy in energies)
        gone, cheaper = say(row.saved["all"], 1, 100), say(row.cheaper_jpy, 0)
        table.add_row(row.design, row.lead, imbalance, gone, resort, traded, cheaper)
    return table


def _yes(battery: bool) -> str:
    return "yes" if battery else "no"
