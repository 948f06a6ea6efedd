"""Studies of what parties foretell, and of what they can still change, on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study

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
    from experiments.retrade_picture import save_pictures
    from experiments.retrade_study import study_retrade as verb

    chosen = dict(parse_override(text) for text in settings or [])
    play_study(
        "playing",
        lambda progress: verb(scenario, data, seeds, seed, sites, days, chosen, progress),
        figures,
        save_pictures,
        as_json,
    )


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
    from experiments.forecast_picture import save_pictures
    from experiments.forecast_study import study_forecasts as verb

    play_study(
        "playing",
        lambda progress: verb(scenario, data, seeds, seed, sites, days, progress),
        figures,
        save_pictures,
        as_json,
    )


def study_load_memory(
    data: Annotated[Path, typer.Option(help="Folder with the Ausgrid, CityLearn or Tokachi file, in it or below.")],
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Measure how long what a meter shows above or below the usual persists, in published load files.

    Example: `digitalgrid study load-memory --data loads --figures pictures`
    """
    from experiments.load_memory_picture import save_pictures
    from experiments.load_memory_study import study_load_memory as verb

    play_study("reading", lambda _: verb(data), figures, save_pictures, as_json)


def add_verbs(study_app: typer.Typer) -> None:
    """Put the studies beside the others."""
    study_app.command("forecasts")(study_forecasts)
    study_app.command("load-memory")(study_load_memory)
    study_app.command("retrade")(study_retrade)
