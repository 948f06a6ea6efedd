"""Gymnasium spaces of the one observation and the one action layout, for every view."""

import numpy as np
from gymnasium.spaces import Box

from agents.observing import HIGHS, LOWS
from agents.quoting import ACTIONS


def observation_space() -> Box:
    """A fresh Box over `agents.observing.OBSERVATION`."""
    return Box(LOWS, HIGHS, dtype=np.float32)


def action_space() -> Box:
    """A fresh Box over `agents.quoting.ACTION`."""
    return Box(-1.0, 1.0, (ACTIONS,), np.float32)
