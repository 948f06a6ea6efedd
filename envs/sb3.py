"""Stable-Baselines3 VecEnv: one policy for all parties of a role, in every parallel world at once.

A slot is one learner in one world, world by world: slot = world x parties of the role + party. The other roles act by
the world's policies. All worlds end together; the next episode begins in the same step, as SB3 expects, and the
observation the episode ended with is in `infos[slot]["terminal_observation"]`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn

from agents.fleet import Role
from agents.observing import Floats
from envs.reward import REWARD_SCALE_JPY, reward_of
from envs.spaces import action_space, checked_actions, observation_space
from envs.world import Step, World
from market.units import Int


class MarketVecEnv(VecEnv):
    """All parties of one role in all worlds as the slots of one VecEnv.

    Args:
        world: the parallel worlds; their policies bid for the other roles.
        role: who learns.
        reward_scale_jpy: money that counts as a reward of one; the role's entry of the reward table if None.
    """

    def __init__(self, world: World, role: Role, reward_scale_jpy: float | None = None) -> None:
        self.world, self.role = world, role
        self.rows = world.fleet.rows(role)
        self.scale_jpy = REWARD_SCALE_JPY[role] if reward_scale_jpy is None else reward_scale_jpy
        self._actions: Floats | None = None
        super().__init__(world.worlds * len(self.rows), observation_space(), action_space())
        self._no_news: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]

    bootstraps = True
    """Whether an episode's end is a cut (SB3 then adds the value of the state it was cut in)."""

    def reset(self) -> VecEnvObs:
        """Begin a new episode in every world; a seed given before through `seed` is the key of world 0."""
        self._begin()
        self._reset_seeds()
        self._reset_options()
        return self._observe()

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions (slots, 4) of the next step."""
        self._actions = checked_actions(actions, (self.world.worlds, len(self.rows)))

    def step_wait(self) -> VecEnvStepReturn:
        """Run every world for one half hour; at the end of an episode begin the next."""
        if self._actions is None:
            raise RuntimeError("step_wait was called before step_async")
        step = self.world.step({self.role: self._actions})
        self._actions = None
        reward = reward_of(self._money(step), self.scale_jpy).astype(np.float32).reshape(-1)
        if not step.done:
            return self._observe(), reward, np.zeros(self.num_envs, np.bool_), self._no_news
        ended = self._observe()
        infos = [{"terminal_observation": row, "TimeLimit.truncated": self.bootstraps} for row in ended]
        self._begin()
        return self._observe(), reward, np.ones(self.num_envs, np.bool_), infos

    def _begin(self) -> None:
        """Start the next episode."""
        self.world.reset(self._seeds[0])

    def _money(self, step: Step) -> Int:
        """What a step is worth to each learner (worlds, parties of the role) [uJPY]."""
        return step.reward_ujpy[:, self.rows]

    def _observe(self) -> Floats:
        return self.world.observe(self.role).reshape(self.num_envs, -1)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Key of world 0 at the next reset; world i has key seed + i."""
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))
        self._seeds = [seed + slot // len(self.rows) for slot in range(self.num_envs)]
        return self._seeds

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of this VecEnv, once per slot asked; `render_mode` is None."""
        value = None if attr_name == "render_mode" else getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of this VecEnv; slots share one world, so all of them are meant."""
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError("slots share their worlds: an attribute can be set for all of them only")
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method of this VecEnv once and answer for every slot asked."""
        answer = getattr(self, method_name)(*args, **kwargs)
        return [answer for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:
        """No slot is wrapped."""
        return [False for _ in self._get_indices(indices)]
