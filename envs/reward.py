"""Reward: the money a party accrues in a step, over a stated scale per role.

Contract value counts when the contract forms; last resort, imbalance, fees and wear as they arise; the energy left in
the battery is credited at the end (`World.step`). Over an episode the rewards of a party, times its scale, are its
postings less wear plus that credit. The scale brings every role's reward of a step near one.
"""

from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from market.units import Int

UJPY_PER_JPY = 1_000_000

REWARD_SCALE_JPY = MappingProxyType({Role.HOME: 5.0, Role.STORE: 50.0, Role.SOLAR: 50.0, Role.THERMAL: 50.0})
"""Money [JPY] that counts as a reward of one, by role."""


def jpy_of(amount_ujpy: Int) -> npt.NDArray[np.float64]:
    """Money in JPY, elementwise; for reading and learning, never for settling."""
    return np.asarray(amount_ujpy / UJPY_PER_JPY, np.float64)


def reward_of(amount_ujpy: Int, scale_jpy: float) -> npt.NDArray[np.float64]:
    """Rewards of amounts [uJPY] over a scale [JPY], elementwise."""
    return np.asarray(amount_ujpy / (UJPY_PER_JPY * scale_jpy), np.float64)
