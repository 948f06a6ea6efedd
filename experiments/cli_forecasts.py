"""Studies of what parties foretell, and of what they can still change, on the command line."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Figures = Annotated[Path | None, typer.Option(help="Folder for the picture.")]
Seed = Annotated[int, typer.Option(min=0, help="Key of the first world; the same seed gives the same result.")]
Seeds = Annotated[int, typer.Option(min=1, max=20, help="Draws of each held-out week; 13 worlds each.")]
Name = Annotated[str, typer.Option(help="Scenario by name, or path of a TOML file.")]
Data = Annotated[Path | None, typer.Option(help="Folder with JEPX and JMA files; without it a synthetic year.")]
Sites = Annotated[int, typer.Option(min=10, max=5000, help="Size of a scenario that has one, as town.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the scenario: homes.count=3.")]
Days = Annotated[int, typer.Option(min=2, max=7, help="Days of each world; the first is not counted.")]


def study_retrade(
    scenario: Name = "urawa-misono",
    data: Data = None,
    seeds: Seeds = 1,
    seed: Seed = 10_000,
    sites: Sites = 100,
    days: Days = 7,
    settings: Settings = None,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Measure imbalance when plans and trades are fixed the day before, or revised until some hours before delivery.

    Example: `digitalgrid study retrade --seeds 2 --figures pictures`
    """
    from envs.scenario import parse_override
    from experiments.retrade_study import study_retrade as verb
    from experiments.screen import with_progress

    if figures:
        from experiments.lead_time_picture import check_folder
        from experiments.retrade_picture import save_pictures

        check_folder(figures)
    chosen = dict(parse_override(text) for text in settings or [])
    result = with_progress("playing", lambda progress: verb(scenario, data, seeds, seed, sites, days, chosen, progress))
    if figures:
        save_pictures(result, figures)
    _show(result, as_json)


def study_forecasts(
    scenario: Name = "urawa-misono",
    data: Data = None,
    seeds: Seeds = 1,
    seed: Seed = 10_000,
    sites: Sites = 100,
    days: Annotated[int, typer.Option(min=3, max=7, help="Days of each world; the first two are not counted.")] = 7,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Measure how far forecasts miss, by model, role and lead, with and without the newest readings.

    Example: `digitalgrid study forecasts --seeds 2 --figures pictures`
    """
    from experiments.forecast_study import study_forecasts as verb
    from experiments.screen import with_progress

    if figures:
        from experiments.forecast_picture import save_pictures
        from experiments.lead_time_picture import check_folder

        check_folder(figures)
    result = with_progress("playing", lambda progress: verb(scenario, data, seeds, seed, sites, days, progress))
    if figures:
        save_pictures(result, figures)
    _show(result, as_json)


def study_load_memory(
    data: Annotated[Path, typer.Option(help="Folder with the Ausgrid, CityLearn or Tokachi file, in it or below.")],
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Measure how long what a meter shows above or below the usual persists, in published load files.

    Example: `digitalgrid study load-memory --data loads --figures pictures`
    """
    from experiments.load_memory_study import study_load_memory as verb

    if figures:
        from experiments.lead_time_picture import check_folder
        from experiments.load_memory_picture import save_pictures

        check_folder(figures)
    result = verb(data)
    if figures:
        save_pictures(result, figures)
    _show(result, as_json)


def add_verbs(study_app: typer.Typer) -> None:
    """Put the studies beside the others."""
    study_app.command("forecasts")(study_forecasts)
    study_app.command("load-memory")(study_load_memory)
    study_app.command("retrade")(study_retrade)


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()
