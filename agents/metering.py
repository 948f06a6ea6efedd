"""The smart meter: cumulative registers of import and export, read in steps of their resolution.

Meters count in units that EPC 0xE1 of ECHONET Lite's class 0x0288 names (code 0x00 is 1 kWh, 0x01 0.1 kWh, 0x02
0.01 kWh, 0x03 1 Wh, 0x0A 10 kWh, 0x0B 100 kWh, times the coefficient of EPC 0xD3), forward and reverse apart; what is
below a unit is carried to the next slot, so that no energy is lost and no more is read than flowed.
"""

import numpy as np

from market.units import Int


def read_meter(used_wh: Int, rest_wh: Int, resolution_wh: int) -> tuple[Int, Int]:
    """Net reading of a slot (...,), + is import, and what both registers carry to the next (..., 2) [Wh].

    A register's reading is the change of floor(register / resolution) x resolution; `rest_wh` (..., 2) is what import
    and export hold beyond their last whole step, 0 <= rest < resolution. A slot's net energy is import or export.
    """
    both = np.stack((np.maximum(used_wh, 0), np.maximum(-used_wh, 0)), axis=-1)
    register = rest_wh + both
    rest = register % resolution_wh
    counted = register - rest
    return np.asarray(counted[..., 0] - counted[..., 1]), np.asarray(rest)


def read_series(used_wh: Int, resolution_wh: int) -> Int:
    """Readings of one register in consecutive slots along the last axis, from a whole step on; used >= 0 [Wh]."""
    register = np.cumsum(used_wh, axis=-1)
    return np.diff(register // resolution_wh * resolution_wh, axis=-1, prepend=0)
