"""The study of link and meters on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study


def study_link(
    scenario: Annotated[str, typer.Option(help="A scenario by name, or the path of a TOML file.")] = "urawa-misono",
    seeds: Annotated[int, typer.Option(help="Draws of each held-out week; 13 worlds each.")] = 2,
    days: Annotated[int, typer.Option(help="Days of each world.")] = 7,
    seed: Annotated[int, typer.Option(min=0, help="Key of the first world; the same seed gives the same result.")] = (
        10_000
    ),
    data: Annotated[
        Path | None, typer.Option(help="Folder with JEPX and JMA files; without it a synthetic year.")
    ] = None,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Lose and delay the DGCs' messages, count in coarser meters, and see what it costs in the same worlds.

    Example: `digitalgrid study link --scenario town --seeds 1 --days 1 --figures pictures`
    """
    from experiments.link_pictures import save_pictures
    from experiments.link_study import study_link as verb

    play_study(
        "playing",
        lambda progress: verb(scenario, seeds=seeds, days=days, seed=seed, data=data, progress=progress),
        figures,
        save_pictures,
        as_json,
    )


def add_verbs(study_app: typer.Typer) -> None:
    """Put the study beside the others."""
    study_app.command("link")(study_link)
