"""Studies of what parties agree beside the market, on the command line."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Figures = Annotated[Path | None, typer.Option(help="Folder for the picture.")]
Seed = Annotated[int, typer.Option(min=0, help="Key of the first world; the same seed gives the same result.")]
Seeds = Annotated[int, typer.Option(min=1, max=20, help="Draws of each held-out week; 13 worlds each.")]


def study_groups(
    seeds: Seeds = 1,
    size: Annotated[int, typer.Option(min=10, max=5000, help="Sites of the town.")] = 300,
    seed: Seed = 10_000,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Settle the imbalance of the same days party by party and by balancing group, under each imbalance rule.

    Example: `digitalgrid study balancing-groups --size 300 --figures pictures`
    """
    from experiments.balancing_groups_study import study_groups as verb
    from experiments.screen import with_progress

    if figures:
        from experiments.balancing_groups_picture import save_pictures
        from experiments.lead_time_picture import check_folder

        check_folder(figures)
    result = with_progress("playing", lambda progress: verb(seeds, size, seed, progress))
    if figures:
        save_pictures(result, figures)
    _show(result, as_json)


def study_long_contracts(
    seeds: Seeds = 1,
    seed: Seed = 10_000,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """See what fixed-price contracts agreed ahead leave to the market: volume, price, full lines, everybody's money.

    Example: `digitalgrid study long-contracts --figures pictures`
    """
    from experiments.long_contracts_study import study_long_contracts as verb
    from experiments.screen import with_progress

    if figures:
        from experiments.lead_time_picture import check_folder
        from experiments.long_contracts_picture import save_pictures

        check_folder(figures)
    result = with_progress("playing", lambda progress: verb(seeds, seed, progress))
    if figures:
        save_pictures(result, figures)
    _show(result, as_json)


def add_verbs(study_app: typer.Typer) -> None:
    """Put the studies beside the others."""
    study_app.command("balancing-groups")(study_groups)
    study_app.command("long-contracts")(study_long_contracts)


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()
