"""The study of link and meters on the command line."""

import json
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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
    figures: Annotated[Path | None, typer.Option(help="Folder for the pictures.")] = None,
    as_json: Json = False,
) -> None:
    """Lose and delay the DGCs' messages, count in coarser meters, and see what it costs in the same worlds.

    Example: `digitalgrid study link --scenario town --seeds 1 --days 1 --figures pictures`
    """
    from experiments.link_study import study_link as verb
    from experiments.screen import with_progress

    if figures:
        from experiments.lead_time_picture import check_folder

        check_folder(figures)
    result = with_progress(
        "playing",
        lambda progress: verb(scenario, seeds=seeds, days=days, seed=seed, data=data, progress=progress),
    )
    if figures:
        from experiments.link_pictures import save_pictures

        save_pictures(result, figures)
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()


def add_verbs(study_app: typer.Typer) -> None:
    """Put the study beside the others."""
    study_app.command("link")(study_link)
