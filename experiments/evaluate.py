"""Policies against baselines on days never trained on: held-out weeks, common draws, intervals.

- A *gain* is the money of a role's parties less what they have when the role bids truthfully, in the
  same worlds with the same draws, mean per party [JPY/day].
- The bar is the *best fixed mark-up*: the fraction that gains most on the very draws it is judged on.
- Intervals are 95 % t intervals: over worlds for one policy, over training seeds for several.
Networks act through their exported ONNX file only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from agents.policies import TRUTHFUL_POLICY, mark_up
from agents.strategies import Bidder
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from envs.tally import FLOWS, Flow
from envs.world import World
from experiments.findings import Estimate
from market.design import MarketDesign
from market.units import UJPY_PER_JPY, WH_PER_KWH

Floats = npt.NDArray[np.float64]

FRACTIONS = (0.25, 0.5, 0.75, 0.9, 1.0)
HELD_OUT_WEEKS = 13
JUDGE_SEED = 10_000
"""Key of the first evaluation world; training keys begin far above."""


@dataclass(frozen=True)
class Judge:
    """The held-out worlds everything is judged on: worlds x days, the same draws for every policy."""

    scenario: Scenario
    design: MarketDesign
    year: PublicYear
    worlds: int = 2 * HELD_OUT_WEEKS
    days: int = 7
    seed: int = JUDGE_SEED

    def play(self, policies: Mapping[Role, Bidder] | None = None, warm_up_days: int = 0) -> "Outcome":
        """Run all worlds with these policies, truthful where absent."""
        world = World(
            self.scenario,
            self.design,
            self.worlds,
            self.seed,
            policies=policies,
            year=self.year,
            days=self.days,
            held_out=True,
            ledger="off",
            warm_up_days=warm_up_days,
        )
        world.reset()
        while not world.step().done:
            pass
        return outcome_of(world)


@dataclass(frozen=True)
class Outcome:
    """What a run of held-out worlds came to, per day.

    money (worlds, parties) [JPY/day]; energy (worlds, parties, FLOWS) [kWh/day]; system (accounts beyond
    the parties,) mean [JPY/day]; roles (parties,); names of all accounts.
    """

    money: Floats
    energy: Floats
    wear: Floats
    system: Floats
    roles: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def of_role(self, role: Role) -> Floats:
        """Mean money of a role's parties (worlds,) [JPY/day per party]."""
        return np.asarray(self.money[:, self.roles == role].mean(1))

    def flow(self, party: int, flow: Flow) -> float:
        """Mean energy of a party [kWh/day]."""
        return float(self.energy[:, party, flow].mean())


def outcome_of(world: World) -> Outcome:
    """Per-day means of a world played to its end, warm-up days left out."""
    days = world.days - world.warm_up / world.calendar.per_day
    tally, parties = world.tally, world.fleet.count
    money = tally.money_of_parties() / UJPY_PER_JPY / days
    return Outcome(
        money=money,
        energy=tally.energy_wh[..., :FLOWS] / WH_PER_KWH / days,
        wear=tally.wear_ujpy / UJPY_PER_JPY / days,
        system=tally.money_ujpy[:, parties:].sum(-1).mean(0) / UJPY_PER_JPY / days,
        roles=world.fleet.role,
        names=world.accounts.names,
    )


def t_interval(values: Floats | Sequence[float], confidence: float = 0.95) -> Estimate:
    """Mean of independent values with its t interval; without bounds for a single one."""
    from scipy import stats

    sample = np.asarray(values, np.float64)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Estimate(mean)
    half = float(stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * sample.std(ddof=1) / len(sample) ** 0.5)
    return Estimate(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Bar:
    """Truthful money of a role (worlds,) and the best fixed mark-up found by sweep.

    `swept` are the mean gains of all fractions tried.
    """

    role: Role
    truthful: Floats
    fraction: float
    gain: Floats
    swept: Mapping[float, float]


def find_bar(judge: Judge, role: Role, others: Mapping[Role, Bidder] | None = None) -> Bar:
    """Sweep fixed mark-ups of a role against the others and keep the one that gains most."""
    fixed = dict(others or {})
    truthful = judge.play(fixed | {role: TRUTHFUL_POLICY}).of_role(role)
    gains = {f: judge.play(fixed | {role: mark_up(f)}).of_role(role) - truthful for f in FRACTIONS}
    best = max(gains, key=lambda fraction: float(gains[fraction].mean()))
    return Bar(role, truthful, best, gains[best], {f: float(g.mean()) for f, g in gains.items()})


def gain_of(judge: Judge, bar: Bar, policy: Bidder, others: Mapping[Role, Bidder] | None = None) -> Floats:
    """Gain of a policy over truthful, mean per party of the role, in each held-out world (worlds,) [JPY/day]."""
    return judge.play(dict(others or {}) | {bar.role: policy}).of_role(bar.role) - bar.truthful
