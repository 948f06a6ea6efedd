"""The study of year-ahead trade on the command line."""

from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study


def study_year_ahead(
    days: Annotated[int, typer.Option(min=6, max=350, help="Days of a play; its second half is judged.")] = 56,
    share: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="Part of the expected need bought ahead, again for more; 0, 0.5 and 0.9."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Worlds of each share.")] = 3,
    seed: Annotated[
        int, typer.Option(min=0, help="Key of the first world; the same seed gives the same result.")
    ] = 10_000,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Buy a share of the need in blocks up to half the play ahead, and hold it against half-hour orders only.

    Example: `digitalgrid study year-ahead --days 28 --seeds 3 --figures pictures`
    """
    from experiments.year_ahead_picture import save_pictures
    from experiments.year_ahead_study import study_year_ahead as verb

    shares = tuple(share or (0.0, 0.5, 0.9))
    play_study("playing", lambda progress: verb(days, shares, seeds, seed, progress), figures, save_pictures, as_json)


def add_verbs(study_app: typer.Typer) -> None:
    """Put the study beside the others."""
    study_app.command("year-ahead")(study_year_ahead)
