"""Curtailment of PV to contract: in future even PV may generate only what was contracted (paper 3.3).

An option of a home or plant with a controllable inverter; the sun that is not taken is lost and counted.
"""

import numpy as np

from agents.devices import within
from market.units import Int


def curtail(available_wh: Int, net_wh: Int, plan_wh: Int) -> Int:
    """PV energy to cut so that the meter exports at most what was contracted [Wh].

    Args:
        available_wh: PV generation that could be cut.
        net_wh: the meter with all of it, + is import.
        plan_wh: net contracted energy, + is import; a plan to import contracts no export.

    Returns:
        Never more than is available, and nothing where the meter exports no more than contracted.
    """
    return within(np.minimum(plan_wh, 0) - net_wh, 0, available_wh)
