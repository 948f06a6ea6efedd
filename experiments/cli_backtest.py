"""`digitalgrid backtest japan-nine` and `backtest calibrate`; `experiments.cli` puts the group on its command line."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study, show_result
from market.errors import ConfigError

backtest_app = typer.Typer(
    help="Check the simulated day-ahead market against published prices.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
Data = Annotated[Path, typer.Option(help="Folder with area_demand, jepx_spot and jma_hourly.")]


@backtest_app.command("japan-nine")
def japan_nine(
    data: Data,
    first: Annotated[str, typer.Option("--from", help="First day, yyyy-mm-dd, from 2018-10-29.")] = "2021-04-01",
    last: Annotated[str, typer.Option("--to", help="Last day, yyyy-mm-dd, until 2024-03-31.")] = "2024-03-31",
    fill: Annotated[bool, typer.Option("--fill", help="Fill missing demand instead of leaving its days out.")] = False,
    double: Annotated[list[str] | None, typer.Option(help="What if a line had twice its capacity.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="What if a fleet were not there: AREA:FUEL.")] = None,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="What if lines never filled.")] = False,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Simulate a real period from residual demand, fleets and dated lines, and compare with the published area prices.

    Example: `digitalgrid backtest japan-nine --data data --from 2022-04-01 --to 2023-03-31 --double kanmon`
    """
    from experiments.backtest import backtest as verb
    from experiments.backtest_pictures import save_pictures

    period = _day(first, "--from"), _day(last, "--to")
    lines, fleets = tuple(double or ()), tuple(without or ())
    play_study(
        "simulating",
        lambda progress: verb(data, *period, fill, lines, fleets, no_limits, progress),
        figures,
        save_pictures,
        as_json,
    )


@backtest_app.command("calibrate")
def calibrate(
    data: Data,
    tries: Annotated[int, typer.Option(help="Fits to try.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed and tries give the same fit.")] = 0,
    keep: Annotated[Path | None, typer.Option(help="File that keeps the search; it goes on from there.")] = None,
    as_json: Json = False,
) -> None:
    """Fit costs, spreads and availabilities on 2018-10-01 to 2021-03-31 without the spike of that winter.

    Takes about a second a try; lines and fleets stay as they are. What it finds is used once it stands in the code.
    Example: `digitalgrid backtest calibrate --data data --tries 500 --keep search.json`
    """
    from experiments.japan_calibration import calibrate as verb
    from experiments.screen import with_progress

    show_result(with_progress("trying", lambda progress: verb(data, tries, seed, keep, progress)), as_json)


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a day", where=where, do="write yyyy-mm-dd") from error
