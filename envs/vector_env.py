"""Gymnasium vector environment: one party learns in every parallel world, the others act by their policies.

A sub-environment is one world; all of them end together, truncated and never terminated. The single environment
(`envs.single_env`) is this one with one world.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from agents.fleet import Role
from agents.observing import Floats
from envs.information import state_info, step_info
from envs.opening import find_party, open_world
from envs.picture import RENDER_MODES, Trail
from envs.reward import REWARD_SCALE_JPY, reward_of
from envs.spaces import action_space, checked_actions, observation_space
from market.errors import ConfigError

Bools = npt.NDArray[np.bool_]
StepReturn = tuple[Floats, npt.NDArray[np.float64], Bools, Bools, dict[str, Any]]


class MarketVectorEnv(VectorEnv[Floats, Floats, Any]):
    """Parallel worlds in which one party learns.

    Observation: 42 features of the party's DGC (`agents.observing.OBSERVATION`: name, unit, scale, bounds). Action:
    four numbers in [-1, 1] (`agents.quoting.ACTION`). Reward: the party's accrued money over its role's scale
    (`envs.reward`). Info: `envs.information`.

    Args:
        num_envs: number of parallel worlds; world i has key seed + i.
        party: who learns, by its name in the scenario.
        autoreset_mode: what happens after the last step, `NextStep`, `SameStep` or `Disabled`.
        render_mode: `ansi`, `rgb_array` or None.
        reward_scale_jpy: money that counts as a reward of one; the role's entry of the reward table if None.
        **options: what `envs.opening.open_world` takes: scenario, design, seed, policies, data_dir, days, ...

    Raises:
        ConfigError: an option is not known.
    """

    def __init__(
        self,
        num_envs: int = 1,
        party: str = "home-1",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        reward_scale_jpy: float | None = None,
        **options: Any,
    ) -> None:
        if render_mode not in (None, *RENDER_MODES):
            raise ConfigError(f"unknown render mode {render_mode!r}", do=f"choose one of {', '.join(RENDER_MODES)}")
        self.world = open_world(worlds=num_envs, **options)
        self.num_envs, self.render_mode = num_envs, render_mode
        self.party = find_party(self.world, party)
        self.role = Role(int(self.world.fleet.role[self.party]))
        self._row = int(np.searchsorted(self.world.fleet.rows(self.role), self.party))
        self.scale_jpy = REWARD_SCALE_JPY[self.role] if reward_scale_jpy is None else reward_scale_jpy
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": list(RENDER_MODES), "render_fps": 4, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space, self.single_action_space = observation_space(), action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._running, self._ended = False, False
        self._trail = Trail(self.world, self.party)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin a new episode in every world.

        Args:
            seed: key of world 0, or the keys of all worlds, which are consecutive; None moves on to fresh ones.
            options: a `reset_mask` must name all worlds, since they run in step.
        """
        mask = (options or {}).get("reset_mask")
        if mask is not None and not np.all(mask):
            raise ConfigError("parallel worlds run in step and end together", do="reset all of them")
        key = self._first_key(seed)
        super().reset(seed=key)
        self.world.reset(key)
        self._running, self._ended = True, False
        self._trail.clear()
        return self._observe(), state_info(self.world)

    def _first_key(self, seed: int | list[int | None] | None) -> int | None:
        if seed is None or isinstance(seed, int | np.integer):
            return None if seed is None else int(seed)
        if all(key is None for key in seed):
            return None
        first = seed[0]
        if first is None or list(seed) != list(range(first, first + self.num_envs)):
            raise ConfigError("the keys of parallel worlds are consecutive", do="give the key of the first world")
        return int(first)

    def step(self, actions: npt.ArrayLike) -> StepReturn:
        """One half hour of every world."""
        if self._ended and self.autoreset_mode == AutoresetMode.NEXT_STEP:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), self._every(False), self._every(False), info
        if self._ended or not self._running:
            raise ResetNeeded("the episode is over or has not begun: call reset()")
        return self._advance(checked_actions(actions, (self.num_envs,)))

    def _advance(self, actions: Floats) -> StepReturn:
        first, stop = self.world.open_columns()
        step = self.world.step({self.role: self._join(actions)})
        reward = reward_of(step.reward_ujpy[:, self.party], self.scale_jpy)
        info = step_info(self.world, step, self.party, accepts=stop > first)
        if self.render_mode is not None:
            self._trail.add(info)
        self._ended = step.done
        observation = self._observe()
        if step.done and self.autoreset_mode == AutoresetMode.SAME_STEP:
            ended = {"final_obs": _objects(observation), "final_info": info}
            observation, info = self.reset()
            info |= ended | {f"_{key}": self._every(True) for key in ended}
        return observation, reward, self._every(False), self._every(step.done), info

    def _join(self, actions: Floats) -> Floats:
        """Actions of all parties of the learner's role: its own beside those of the role's policy."""
        rows = self.world.fleet.rows(self.role)
        if len(rows) == 1:
            return actions[:, None]
        everyone = np.array(self.world.act(self.role), np.float32)
        everyone[:, self._row] = actions
        return everyone

    def _observe(self) -> Floats:
        return self.world.observe_party(self.role, self._row).copy()

    def _every(self, value: bool) -> Bools:
        return np.full(self.num_envs, value)

    def render(self) -> tuple[Any, ...] | None:
        """The day so far of every world: text or a picture (height, width, 3)."""
        if self.render_mode is None:
            return None
        return tuple(self._trail.render(self.render_mode, world) for world in range(self.num_envs))


def _objects(rows: Floats) -> npt.NDArray[Any]:
    """One object per row, the form gymnasium gives final observations."""
    out = np.empty(len(rows), object)
    out[:] = list(rows)
    return out
