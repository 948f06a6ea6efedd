"""The study of the optimising bidder on the command line."""

import json
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def study_optimiser(
    seeds: Annotated[int, typer.Option(min=1, help="Draws of each held-out week; 13 worlds each.")] = 2,
    seed: Annotated[int, typer.Option(help="Key of the first world; the same seed gives the same result.")] = 10_000,
    data: Annotated[
        Path | None, typer.Option(help="Folder with JEPX and JMA files; without it a synthetic year.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for the pictures.")] = None,
    as_json: Json = False,
) -> None:
    """Set what homes save by planning ahead against the most they could save, and against the best fixed mark-up.

    Example: `digitalgrid study optimiser --seeds 2 --figures pictures`
    """
    from experiments.oracle_study import study_optimiser as verb
    from experiments.screen import with_progress

    if figures:
        from experiments.lead_time_picture import check_folder
        from experiments.oracle_pictures import save_pictures

        check_folder(figures)
    result = with_progress("playing", lambda progress: verb(seeds, seed, data, progress))
    if figures:
        save_pictures(result, figures)
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()


def add_verbs(study_app: typer.Typer) -> None:
    """Put the study beside the others."""
    study_app.command("optimiser")(study_optimiser)
