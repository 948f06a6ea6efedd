"""`digitalgrid bench agents`, `envs`, `market`, `ledger`, `nation`, `peers`; `experiments.cli` adds them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli_results import Json, show_result

Seed = Annotated[int, typer.Option(help="The same seed gives the same orders.")]


def bench_envs(
    worlds: Annotated[int, typer.Option(help="Parallel worlds.")] = 512, seed: Seed = 0, as_json: Json = False
) -> None:
    """Parallel worlds against DummyVecEnv, and one signed world against a bare sign and verify loop.

    Example: `digitalgrid bench envs --worlds 512`
    """
    from experiments.bench import bench_envs as verb

    show_result(verb(worlds=worlds, seed=seed), as_json)


def bench_market(seed: Seed = 0, as_json: Json = False) -> None:
    """Auctions, splitting, continuous trade and blocks against references written in the bench; memory an order.

    Takes a few minutes. A row says how many times faster, by how much is aimed at, and whether both results are equal.
    Example: `digitalgrid bench market --json`
    """
    from experiments.bench_market import bench_market as verb
    from experiments.screen import with_progress

    show_result(with_progress("measuring", lambda progress: verb(seed, progress)), as_json)


def bench_ledger(seed: Seed = 0, as_json: Json = False) -> None:
    """Signing, admission, storing, proving and verifying against bare loops or the time a target allows.

    Example: `digitalgrid bench ledger --json`
    """
    from experiments.bench_ledger import bench_ledger as verb
    from experiments.screen import with_progress

    show_result(with_progress("measuring", lambda progress: verb(seed, progress)), as_json)


def bench_agents(
    agents: Annotated[int, typer.Option(min=1, help="Homes, each an agent.")] = 10_000,
    seed: Seed = 0,
    as_json: Json = False,
    picture: Annotated[
        Path | None, typer.Option(help="PNG file: draw the time of a step of 10 homes and more, and print no table.")
    ] = None,
) -> None:
    """Devices as columns against Mesa agents with state of their own, and a Mesa society against its bare world.

    Takes half a minute with 10,000 agents. Both sides must end with the same integers.
    Example: `digitalgrid bench agents --agents 10000`
    """
    from experiments.bench_agents import bench_agents as verb
    from experiments.bench_agents import time_sizes
    from experiments.screen import with_progress

    if picture:
        from experiments.agents_picture import save_sizes

        save_sizes(with_progress("measuring", lambda progress: time_sizes(agents, seed, progress)), picture)
        typer.echo(str(picture))
        return
    show_result(with_progress("measuring", lambda progress: verb(agents, seed, progress)), as_json)


def bench_nation(
    sites: Annotated[int, typer.Option(min=1_000, max=50_000_000, help="Rows of the half hour with one a site.")] = (
        1_000_000
    ),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """A day of fifty million sites, and one half hour with an order of every site among millions, against HiGHS.

    Prints time, orders and memory of a half hour. Takes seconds; fifty million rows need 8 GB and half a minute.
    Example: `digitalgrid bench nation --sites 1000000`
    """
    from experiments.bench_nation import bench_nation as verb
    from experiments.screen import with_progress

    show_result(with_progress("measuring", lambda progress: verb(sites, seed, progress)), as_json)


def bench_peers(
    folder: Annotated[
        Path | None, typer.Option(help="Where the libraries are installed; a cache folder of yours if not given.")
    ] = None,
    limit: Annotated[float, typer.Option(min=1, help="How long a library may take for one book [s].")] = 60.0,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The same books through assume-framework and pymarket, each installed in a virtual environment of its own.

    The first run installs them (some minutes, needs the network). Prints where their results differ from ours.
    Example: `digitalgrid bench peers --folder peers --limit 60`
    """
    from experiments.bench_peers import bench_peers as verb
    from experiments.screen import with_progress

    where = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digitalgrid" / "peers"
    show_result(with_progress("measuring", lambda progress: verb(where, limit, seed, progress)), as_json)


def add_verbs(bench_app: typer.Typer) -> None:
    """Put the verbs of this file under `bench`."""
    verbs: dict[str, Callable[..., None]] = {
        "agents": bench_agents,
        "envs": bench_envs,
        "market": bench_market,
        "ledger": bench_ledger,
        "nation": bench_nation,
        "peers": bench_peers,
    }
    for name, verb in verbs.items():
        bench_app.command(name)(verb)
