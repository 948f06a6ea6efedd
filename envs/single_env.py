"""Gymnasium environment: one party of one world; the vector environment with one world, row 0."""

from typing import Any

import gymnasium
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from agents.observing import Floats
from envs.information import world_row
from envs.picture import RENDER_MODES
from envs.vector_env import MarketVectorEnv


class DigitalGridEnv(gymnasium.Env[Floats, Floats]):
    """One party learns, the others act by their policies; arguments as in `envs.vector_env.MarketVectorEnv`.

    ```
    env = gymnasium.make("envs:digitalgrid/UrawaMisono-v0", design="dgp", policies={"home": "markup:0.9"})
    observation, info = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    ```
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012 - as gymnasium declares it

    def __init__(self, party: str = "home-1", render_mode: str | None = None, **options: Any) -> None:
        self.parallel = MarketVectorEnv(1, party, AutoresetMode.DISABLED, render_mode, **options)
        self.render_mode = render_mode
        self.observation_space = self.parallel.single_observation_space
        self.action_space = self.parallel.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Begin a new episode; without a seed the next one in order."""
        super().reset(seed=seed)
        observation, info = self.parallel.reset(seed=seed)
        return observation[0], world_row(info, 0)

    def step(self, action: npt.ArrayLike) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """One half hour; raises ResetNeeded after the last one."""
        observation, reward, terminated, truncated, info = self.parallel.step(action)
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), world_row(info, 0)

    def render(self) -> Any:
        """The day so far as text or as a picture (height, width, 3)."""
        frames = self.parallel.render()
        return None if frames is None else frames[0]
