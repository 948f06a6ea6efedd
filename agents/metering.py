"""The smart meter: a cumulative register read in steps of its resolution.

Meters count in units that EPC 0xE1 of ECHONET Lite's class 0x0288 names (code 0x00 is 1 kWh, 0x01 0.1 kWh, 0x02
0.01 kWh, 0x03 1 Wh, 0x0A 10 kWh, 0x0B 100 kWh, times the coefficient of EPC 0xD3); what is below a unit is carried to
the next slot, so that no energy is lost.
"""

import numpy as np

from market.units import Int


def read_meter(used_wh: Int, rest_wh: Int, resolution_wh: int) -> tuple[Int, Int]:
    """Reading of a slot and what is carried to the next, any common shape [Wh].

    The reading is the change of floor(register / resolution) x resolution; `rest_wh` is what the register holds
    beyond its last whole step, 0 <= rest < resolution. Export counts down: the register is of net energy.
    """
    register = rest_wh + used_wh
    rest = register % resolution_wh
    return np.asarray(register - rest), np.asarray(rest)


def read_series(used_wh: Int, resolution_wh: int) -> Int:
    """Readings of consecutive slots along the last axis, the register starting at a whole step [Wh]."""
    register = np.cumsum(used_wh, axis=-1)
    return np.diff(register // resolution_wh * resolution_wh, axis=-1, prepend=0)
