"""From names to a world: what every view is built with.

A view is given a scenario, a design and policies by what people type; the design takes its horizon and lot from the
scenario (design: H is a scenario key).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agents.bidders import find_bidder
from agents.fleet import ROLE_OF_NAME, Role
from agents.strategies import Bidder
from envs.own_folder import folder_of
from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from envs.world import World
from ledger.keeper import Mode
from market.design import MarketDesign, find_design
from market.errors import ConfigError

Policies = Mapping[str, str | Bidder]
"""Who bids for each role: role name to policy, or to the text `agents.bidders.find_bidder` reads."""


def open_world(
    scenario: str | Path | Scenario = "urawa-misono",
    design: str | MarketDesign = "dgp",
    worlds: int = 1,
    seed: int = 0,
    *,
    policies: Policies | None = None,
    data_dir: Path | None = None,
    year: PublicYear | None = None,
    days: int | None = None,
    held_out: bool = False,
    ledger: Mode = "digest",
    folder: Path | None = None,
) -> World:
    """A world that is not reset yet.

    Args:
        scenario: name, path of a TOML file, or the scenario itself.
        design: name of a market design, or the design itself.
        worlds: number of parallel worlds.
        seed: key of world 0.
        policies: who bids for each role by its name; truthful where absent.
        data_dir: folder of published prices and weather; the synthetic year if None.
        year: public prices and weather already read; takes the place of `data_dir`.
        days: length of an episode; the scenario's if None.
        held_out: start episodes in the held-out weeks.
        ledger: `off`, `digest` or `full`.
        folder: where a `full` ledger is written.

    Raises:
        ConfigError: a scenario, design, role or policy is not known.
        DataError: a data file does not have the published form.
    """
    settings = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    rules = design if isinstance(design, MarketDesign) else find_design(design)
    return World(
        settings,
        fit_design(rules, settings),
        worlds,
        seed,
        policies={find_role(name): _policy(given) for name, given in (policies or {}).items()},
        year=year or public_year(settings, data_dir, folder=folder_of(scenario)),
        days=days,
        held_out=held_out,
        ledger=ledger,
        folder=folder,
    )


def fit_design(design: MarketDesign, scenario: Scenario, horizon: int | None = None) -> MarketDesign:
    """The design with the scenario's lot and open slots, or with `horizon` open slots."""
    return replace(design.with_horizon(scenario.horizon if horizon is None else horizon), lot_wh=scenario.lot_wh)


def find_role(name: str) -> Role:
    """The role of that name; raises ConfigError naming those that bid."""
    role = ROLE_OF_NAME.get(name)
    if role is not None and role != Role.RETAILER:
        return role
    bidders = ", ".join(known for known, row in ROLE_OF_NAME.items() if row != Role.RETAILER)
    raise ConfigError(f"no role {name!r} that bids", do=f"choose one of {bidders}")


def find_party(world: World, name: str) -> int:
    """Row of the party of that name; raises ConfigError naming those that bid."""
    bidders = [world.fleet.names[row] for row in world.fleet.senders]
    if name not in bidders:
        raise ConfigError(f"no party {name!r} that bids", do=f"choose one of {', '.join(bidders)}")
    return world.fleet.names.index(name)


def _policy(given: str | Bidder) -> Bidder:
    return find_bidder(given) if isinstance(given, str) else given
