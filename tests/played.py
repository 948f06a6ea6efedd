"""An episode played to its end, with everything that was seen on the way; each is played once and then remembered."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from agents.fleet import Role
from agents.observing import Floats
from agents.policies import TRUTHFUL_POLICY, Policy, mark_up
from envs.opening import open_world
from envs.world import Step, World
from ledger.keeper import Mode
from market.tables import Table
from market.units import Int
from tests.strategies import Dice

DESIGNS = ("dgp", "dgp-batch", "call", "spot", "spot+intraday", "mcafee", "mid-market-rate", "retail")
"""One design of each way of accepting, pairing and using lines."""
BIDDERS: dict[str, Policy] = {"truthful": TRUTHFUL_POLICY, "mark-up": mark_up(0.5), "dice": Dice()}
DAYS = {design: 2 if design.startswith("spot") else 1 for design in DESIGNS}
"""The spot auction trades the next day's slots: it needs two days."""
ROLES = ("home", "store", "solar", "thermal")


@dataclass(frozen=True)
class Before:
    """What held when a step began, and the devices after it."""

    stored_wh: Int
    plan_wh: Int
    position_wh: Int
    passed_wh: Int
    opened: tuple[int, int]


@dataclass(frozen=True)
class Played:
    """The world at its end, its opening contracts, its steps in order and what held before each."""

    world: World
    opening: Table
    steps: tuple[Step, ...]
    before: tuple[Before, ...]

    @property
    def contracts(self) -> Table:
        """Every contract of the episode, the opening's first."""
        return np.concatenate([self.opening, *(step.contracts for step in self.steps)])

    @property
    def given(self) -> Table:
        """Every order row."""
        return np.concatenate([step.given for step in self.steps])

    @property
    def codes(self) -> Int:
        """Their refusals."""
        return np.concatenate([step.codes for step in self.steps])


@cache
def play(design: str, bidder: str = "truthful", worlds: int = 2, seed: int = 3, ledger: Mode = "digest") -> Played:
    """An episode of the reference scenario in which every role bids alike."""
    world = open_world(
        design=design,
        worlds=worlds,
        seed=seed,
        policies=dict.fromkeys(ROLES, BIDDERS[bidder]),
        days=DAYS[design],
        ledger=ledger,
    )
    return play_world(world)


def play_world(world: World, actions: Mapping[Role, Floats] | None = None) -> Played:
    """Reset and step a world to its end."""
    world.reset()
    opening = world.keeper.worlds.opening.copy()
    steps, before, done = [], [], False
    while not done:
        stored, opened = world.stored_wh.copy(), world.open_columns()
        step = world.step(actions)
        t = world.t - 1
        before.append(
            Before(stored, world.plan_wh[:, :, t].copy(), world.position_wh[:, :, t].copy(), world.passed_wh, opened)
        )
        steps.append(step)
        done = step.done
    return Played(world, opening, tuple(steps), tuple(before))
