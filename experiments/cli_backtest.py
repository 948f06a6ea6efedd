"""`digitalgrid backtest japan-nine` and `backtest calibrate`; `experiments.cli` puts the group on its command line."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from market.errors import ConfigError

backtest_app = typer.Typer(
    help="Check the simulated day-ahead market against published prices.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
Data = Annotated[Path, typer.Option(help="Folder with area_demand, jepx_spot and jma_hourly.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@backtest_app.command("japan-nine")
def japan_nine(
    data: Data,
    first: Annotated[str, typer.Option("--from", help="First day, yyyy-mm-dd, from 2018-10-29.")] = "2021-04-01",
    last: Annotated[str, typer.Option("--to", help="Last day, yyyy-mm-dd, until 2024-03-31.")] = "2024-03-31",
    fill: Annotated[bool, typer.Option("--fill", help="Fill missing demand instead of leaving its days out.")] = False,
    double: Annotated[list[str] | None, typer.Option(help="What if a line had twice its capacity.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="What if a fleet were not there: AREA:FUEL.")] = None,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="What if lines never filled.")] = False,
    figures: Annotated[Path | None, typer.Option(help="Folder for the pictures.")] = None,
    as_json: Json = False,
) -> None:
    """Simulate a real period from residual demand, fleets and dated lines, and compare with the published area prices.

    Example: `digitalgrid backtest japan-nine --data data --from 2022-04-01 --to 2023-03-31 --double kanmon`
    """
    from experiments.backtest import backtest as verb
    from experiments.screen import with_progress

    period = _day(first, "--from"), _day(last, "--to")
    if figures:
        from experiments.lead_time_picture import check_folder

        check_folder(figures)
    lines, fleets = tuple(double or ()), tuple(without or ())
    result = with_progress("simulating", lambda progress: verb(data, *period, fill, lines, fleets, no_limits, progress))
    if figures:
        from experiments.backtest_pictures import save_pictures

        save_pictures(result, figures)
    _show(result, as_json)


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

    _show(with_progress("trying", lambda progress: verb(data, tries, seed, keep, progress)), as_json)


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a day", where=where, do="write yyyy-mm-dd") from error


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()
