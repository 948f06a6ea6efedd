"""Studies of what parties agree beside the market, on the command line."""

from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study

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
    from experiments.balancing_groups_picture import save_pictures
    from experiments.balancing_groups_study import study_groups as verb

    play_study("playing", lambda progress: verb(seeds, size, seed, progress), figures, save_pictures, as_json)


def study_long_contracts(
    seeds: Seeds = 1,
    seed: Seed = 10_000,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """See what fixed-price contracts agreed ahead leave to the market: volume, price, full lines, everybody's money.

    Example: `digitalgrid study long-contracts --figures pictures`
    """
    from experiments.long_contracts_picture import save_pictures
    from experiments.long_contracts_study import study_long_contracts as verb

    play_study("playing", lambda progress: verb(seeds, seed, progress), figures, save_pictures, as_json)


def add_verbs(study_app: typer.Typer) -> None:
    """Put the studies beside the others."""
    study_app.command("balancing-groups")(study_groups)
    study_app.command("long-contracts")(study_long_contracts)
