"""How each role learns: PPO settings, and the environment that rewards money against a truthful twin.

The reward of the environment is a party's money. For training two terms are added that leave the best
policy what it is and take out most of the noise:

- *twin*: the same worlds run beside with truthful bidders; what the same party earns there in the same
  step is subtracted. It does not depend on the learner's actions (common random numbers).
- *potential*: what the party holds above its twin: planned stored energy at a fixed value, contracts not
  yet delivered at the middle of the band; added as gamma x after - before (Ng, Harada and Russell 1999,
  "Policy invariance under reward transformations"). A contract then counts when it forms, not twice.

An episode ends with stored energy credited in money, so nothing is bootstrapped past its end.
"""

from dataclasses import dataclass, replace

import numpy as np

from agents.fleet import Role
from agents.observing import stored_at_gate
from envs.sb3 import MarketVecEnv
from envs.world import Step, World
from market.errors import ConfigError
from market.units import MJPY_PER_JPY, Int

SMALL = 0.1
"""Share of the learning rate left at the end of training."""


@dataclass(frozen=True)
class Settings:
    """PPO settings of one role (Schulman et al. 2017, arXiv 1707.06347).

    `start_action` is the mean action before training, `log_std` the exploration per action until
    `noise_until` of training, falling to `last_log_std`. `stored_value_jpy_kwh` values the potential,
    `reward_scale_jpy` is the money that counts as a reward of one.
    """

    steps: int
    worlds: int
    rollout: int
    minibatch: int
    epochs: int
    learning_rate: float
    clip: float
    gamma: float
    gae_lambda: float
    start_action: tuple[float, float, float, float]
    log_std: tuple[float, float, float, float]
    last_log_std: float
    noise_until: float
    stored_value_jpy_kwh: float
    reward_scale_jpy: float

    def shortened(self, steps: int) -> "Settings":
        """The same settings for another number of samples."""
        return replace(self, steps=steps)


SETTINGS = {
    Role.HOME: Settings(
        steps=900_000,
        worlds=64,
        rollout=48,
        minibatch=960,
        epochs=6,
        learning_rate=2e-3,
        clip=0.3,
        gamma=0.999,
        gae_lambda=0.95,
        start_action=(0.9, -0.2, -1.0, 0.0),
        log_std=(-1.2, -1.2, -1.2, -0.7),
        last_log_std=-2.5,
        noise_until=0.4,
        stored_value_jpy_kwh=20.0,
        reward_scale_jpy=2.0,
    ),
    Role.SOLAR: Settings(
        steps=150_000,
        worlds=64,
        rollout=48,
        minibatch=1024,
        epochs=4,
        learning_rate=1e-3,
        clip=0.2,
        gamma=0.9,
        gae_lambda=0.95,
        start_action=(0.9, 0.0, 0.0, 0.0),
        log_std=(-1.0, -1.0, -1.0, -1.0),
        last_log_std=-3.0,
        noise_until=0.5,
        stored_value_jpy_kwh=0.0,
        reward_scale_jpy=20.0,
    ),
}
SETTINGS[Role.STORE] = replace(SETTINGS[Role.SOLAR], minibatch=960)
SETTINGS[Role.THERMAL] = replace(SETTINGS[Role.SOLAR], minibatch=960)


def settings_of(role: Role) -> Settings:
    """PPO settings of a role; raises ConfigError for retailers, who do not bid."""
    if role not in SETTINGS:
        raise ConfigError("retailers do not bid and cannot learn", do="choose home, solar, thermal or store")
    return SETTINGS[role]


class TwinVecEnv(MarketVecEnv):
    """MarketVecEnv whose reward is money against the truthful twin, with the potential of stored energy.

    Args:
        world: the worlds the role learns in.
        twin: worlds of the same scenario, seed and number in which the role bids truthfully.
        role: who learns.
        settings: discount and value of stored energy.
    """

    bootstraps = False

    def __init__(self, world: World, twin: World, role: Role, settings: Settings) -> None:
        super().__init__(world, role, settings.reward_scale_jpy)
        self._twin, self._gamma = twin, settings.gamma
        self._value = round(settings.stored_value_jpy_kwh * MJPY_PER_JPY)
        self._before: Int | int = 0

    def _begin(self) -> None:
        super()._begin()
        self._twin.reset(self.world.key, self.world.episode.first_slot)
        self._before = self._potential()

    def _money(self, step: Step) -> Int:
        """Money above the twin's plus the change of potential (worlds, parties of the role) [uJPY]."""
        beside = self._twin.step().reward_ujpy[:, self.rows]
        after = 0 if step.done else self._potential()
        shaped = self._gamma * after - self._before
        self._before = after
        money: Int = super()._money(step) - beside + np.rint(shaped).astype(np.int64)
        return money

    def _potential(self) -> Int:
        """What the learners hold above their twins (worlds, parties of the role) [uJPY]."""
        return self._worth(self.world) - self._worth(self._twin)

    def _worth(self, world: World) -> Int:
        """Planned stored energy at its fixed value, and open contracts at the middle of the band."""
        view = world.view(self.role)
        stop = view.open_first + view.position_wh.shape[-1]
        outside = view.outside[..., view.open_first : stop]
        middle = (view.terms.feed_in_price(outside) + view.terms.consumption_value(outside)) // 2
        worth: Int = stored_at_gate(view) * self._value + (view.position_wh * middle).sum(-1)
        return worth
