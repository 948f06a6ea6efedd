"""Gymnasium spaces of the one observation and the one action layout, for every view."""

import numpy as np
import numpy.typing as npt
from gymnasium.error import InvalidAction
from gymnasium.spaces import Box

from agents.observing import HIGHS, LOWS, Floats
from agents.quoting import ACTIONS


def observation_space() -> Box:
    """A fresh Box over `agents.observing.OBSERVATION`."""
    return Box(LOWS, HIGHS, dtype=np.float32)


def action_space() -> Box:
    """A fresh Box over `agents.quoting.ACTION`."""
    return Box(-1.0, 1.0, (ACTIONS,), np.float32)


def checked_actions(actions: npt.ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Actions as float32 (*shape, ACTIONS); raises InvalidAction when they do not fit or are not numbers."""
    rows = np.asarray(actions, np.float32)
    wanted = (*shape, ACTIONS)
    if rows.size != np.prod(wanted):
        raise InvalidAction(f"actions of shape {rows.shape} do not fit {wanted}")
    if not np.isfinite(rows).all():
        raise InvalidAction("an action is not a number: has the policy's training diverged?")
    return rows.reshape(wanted)
