"""Verbs that play known games on the real market: what traders without aim reach, what a market maker adds."""

from typing import Annotated

import typer

from experiments.cli_results import Figures, Json, play_study

Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]


def study_zero_intelligence(
    sessions: Annotated[int, typer.Option(help="Sessions of each market, at least 30.")] = 1_020,
    offers: Annotated[int, typer.Option(help="Offers for each unit of each trader.")] = 50,
    seed: Seed = 0,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Let traders without aim bid in the continuous book, with and without a budget, and traders that learn (ZIP).

    Exit code 1 when a threshold of the experiment does not hold.
    Example: `digitalgrid study zero-intelligence --sessions 1020 --figures pictures`
    """
    from experiments.gode_sunder import study_zero_intelligence as verb
    from experiments.gode_sunder_picture import save_pictures

    result = play_study(
        "playing", lambda progress: verb(sessions, seed, offers, progress), figures, save_pictures, as_json
    )
    if not all(result.checks().values()):
        raise typer.Exit(1)


def study_market_maker(
    scenario: Annotated[str, typer.Argument(help="A scenario by name, or the path of a TOML file.")] = "urawa-misono",
    spread: Annotated[float, typer.Option(help="Spread, in parts of the band.")] = 0.5,
    limit: Annotated[int, typer.Option(help="Most inventory of one half hour [Wh].")] = 1_000,
    worlds: Annotated[int, typer.Option(help="Held-out worlds.")] = 26,
    days: Annotated[int, typer.Option(help="Days of each.")] = 7,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")] = 10_000,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Let one home make a market and see what the others' market gains by it, and what it earns itself.

    Example: `digitalgrid study market-maker --spread 0.5 --worlds 26 --days 7 --figures pictures`
    """
    from experiments.market_maker_picture import save_pictures
    from experiments.market_maker_study import study_market_maker as verb

    play_study(
        "playing",
        lambda progress: verb(
            scenario, spread=spread, limit_wh=limit, worlds=worlds, days=days, seed=seed, progress=progress
        ),
        figures,
        save_pictures,
        as_json,
    )


def add_verbs(studies: typer.Typer) -> None:
    """Put the verbs of this file beside the other studies."""
    studies.command("zero-intelligence")(study_zero_intelligence)
    studies.command("market-maker")(study_market_maker)
