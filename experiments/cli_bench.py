"""`digitalgrid bench envs`, `market` and `peers`; `experiments.cli` puts them under its own `bench`."""

import json
from typing import Annotated, Any

import typer

Seed = Annotated[int, typer.Option(help="The same seed gives the same orders.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def bench_envs(
    worlds: Annotated[int, typer.Option(help="Parallel worlds.")] = 512, seed: Seed = 0, as_json: Json = False
) -> None:
    """Parallel worlds against DummyVecEnv, and one signed world against a bare sign and verify loop.

    Example: `digitalgrid bench envs --worlds 512`
    """
    from experiments.bench import bench_envs as verb

    _show(verb(worlds=worlds, seed=seed), as_json)


def bench_market(seed: Seed = 0, as_json: Json = False) -> None:
    """Auctions, splitting, continuous trade and blocks against references written in the bench; memory an order.

    Takes a few minutes. A row says how many times faster, by how much is aimed at, and whether both results are equal.
    Example: `digitalgrid bench market --json`
    """
    from experiments.bench_market import bench_market as verb
    from experiments.screen import with_progress

    _show(with_progress("measuring", lambda progress: verb(seed, progress)), as_json)


def add_verbs(bench_app: typer.Typer) -> None:
    """Put the verbs of this file under `bench`."""
    for name, verb in (("envs", bench_envs), ("market", bench_market)):
        bench_app.command(name)(verb)


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.rows(), indent=2, ensure_ascii=False))
    else:
        result.print()
