"""PettingZoo parallel environment: every party with a DGC is an agent of one world.

Agents are named as in the scenario; retailers of last resort send no orders and are none. All agents end together,
truncated and never terminated.
"""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box
from pettingzoo import ParallelEnv

from agents.fleet import Role
from agents.observing import Floats
from agents.quoting import ACTIONS
from envs.information import state_info, step_info, world_row
from envs.opening import open_world
from envs.reward import REWARD_SCALE_JPY, reward_of
from envs.spaces import action_space, checked_actions, observation_space
from envs.world import World
from market.errors import ConfigError

Info = dict[str, Any]


class DigitalGridParallelEnv(ParallelEnv):  # type: ignore[misc]  # pettingzoo is not typed
    """One world whose parties all act; observation, action, reward and info as in `envs.vector_env`.

    Args:
        **options: what `envs.opening.open_world` takes: scenario, design, seed, data_dir, days, ...

    Raises:
        ConfigError: an option is not known.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "digitalgrid_v0", "render_modes": [], "is_parallelizable": True}
    render_mode: str | None = None

    def __init__(self, **options: Any) -> None:
        self.world: World = open_world(worlds=1, **options)
        fleet = self.world.fleet
        self._row = {fleet.names[row]: int(row) for row in fleet.senders}
        self._role = {name: Role(int(fleet.role[row])) for name, row in self._row.items()}
        self.possible_agents = list(self._row)
        self.agents: list[str] = []
        self.observation_spaces = {name: observation_space() for name in self._row}
        self.action_spaces = {name: action_space() for name in self._row}

    def observation_space(self, agent: str) -> Box:
        """The same Box object for an agent at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Box:
        """The same Box object for an agent at every call."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: Info | None = None) -> tuple[dict[str, Floats], dict[str, Info]]:
        """Begin a new episode; without a seed the next one in order."""
        self.world.reset(None if seed is None else int(seed))
        self.agents = list(self.possible_agents)
        return self._observe(), {name: world_row(state_info(self.world), 0) for name in self.agents}

    def step(
        self, actions: dict[str, npt.ArrayLike]
    ) -> tuple[dict[str, Floats], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        """One half hour; every agent acts."""
        if not self.agents:
            raise ResetNeeded("the episode is over or has not begun: call reset()")
        first, stop = self.world.open_columns()
        step = self.world.step(self._join(actions))
        rewards = {
            name: float(reward_of(step.reward_ujpy[0, row], REWARD_SCALE_JPY[self._role[name]]))
            for name, row in self._row.items()
        }
        infos = {name: world_row(step_info(self.world, step, row, stop > first), 0) for name, row in self._row.items()}
        over = dict.fromkeys(self._row, step.done)
        if step.done:
            self.agents = []
        return self._observe(), rewards, dict.fromkeys(self._row, False), over, infos

    def _join(self, actions: dict[str, npt.ArrayLike]) -> dict[Role, Floats]:
        missing = [name for name in self.agents if name not in actions]
        if missing:
            raise ConfigError(f"no action for {', '.join(missing)}", do="every agent acts at every step")
        columns: dict[Role, Floats] = {
            role: np.zeros((1, len(self.world.fleet.rows(role)), ACTIONS), np.float32) for role in self.world.roles
        }
        for name, row in self._row.items():
            role = self._role[name]
            own = np.searchsorted(self.world.fleet.rows(role), row)
            columns[role][0, own] = checked_actions(actions[name], ())
        return columns

    def _observe(self) -> dict[str, Floats]:
        seen: dict[Role, Floats] = {role: self.world.observe(role)[0] for role in self.world.roles}
        rows = self.world.fleet.rows
        return {n: seen[role][np.searchsorted(rows(role), self._row[n])].copy() for n, role in self._role.items()}

    def state(self) -> Floats:
        """What all agents see, one row each (agents, features)."""
        return np.stack(list(self._observe().values()))

    def render(self) -> None:
        """Nothing is drawn; `envs.single_env` has pictures."""

    def close(self) -> None:
        """Nothing is held open."""
