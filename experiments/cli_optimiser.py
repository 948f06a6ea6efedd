"""The study of the optimising bidder on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study


def study_optimiser(
    seeds: Annotated[int, typer.Option(min=1, help="Draws of each held-out week; 13 worlds each.")] = 2,
    seed: Annotated[int, typer.Option(help="Key of the first world; the same seed gives the same result.")] = 10_000,
    data: Annotated[
        Path | None, typer.Option(help="Folder with JEPX and JMA files; without it a synthetic year.")
    ] = None,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Set what homes save by planning ahead against the most they could save, and against the best fixed mark-up.

    Example: `digitalgrid study optimiser --seeds 2 --figures pictures`
    """
    from experiments.oracle_pictures import save_pictures
    from experiments.oracle_study import study_optimiser as verb

    play_study("playing", lambda progress: verb(seeds, seed, data, progress), figures, save_pictures, as_json)


def add_verbs(study_app: typer.Typer) -> None:
    """Put the study beside the others."""
    study_app.command("optimiser")(study_optimiser)
