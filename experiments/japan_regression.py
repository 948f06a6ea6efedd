"""The regression that any reviewer asks for: prices on residual demand, fitted on the calibration days.

For each area least squares on residual demand of the area and of the nation, their squares, free days, and a constant
for each of the 48 half hours (with them the regression knows the time of day, which the simulation does not).
"""

import numpy as np

from envs.japan_nine import Floats
from envs.load_shapes import is_free_day
from experiments.japan_inputs import Inputs, calibration_days
from experiments.japan_scores import SMALLEST, Mask

MW_PER_GW = 1_000


def regress_prices(inputs: Inputs) -> Floats:
    """Prices of all days, fitted on the calibration days, (days, 48, areas) [JPY/kWh], at least `SMALLEST`."""
    nation = inputs.nation
    free = np.array([float(is_free_day(day)) for day in nation.days])
    own = calibration_days(nation.days)
    fitted = np.empty_like(nation.net_mw)
    total = nation.net_mw.sum(2) / MW_PER_GW
    for area in range(fitted.shape[2]):
        local = nation.net_mw[..., area] / MW_PER_GW
        features = np.stack([local, local**2, total, total**2, np.broadcast_to(free[:, None], local.shape)], 2)
        fitted[..., area] = _fit(features, inputs.published[..., area], own)
    return np.maximum(fitted, SMALLEST)


def _fit(features: Floats, price: Floats, own: Mask) -> Floats:
    """Least squares with a constant for each half hour: both sides lose the half hour's mean."""
    known = own[:, None] & ~np.isnan(price) & ~np.isnan(features).any(2)
    count = np.maximum(known.sum(0), 1)
    middle = np.where(known[..., None], features, 0).sum(0) / count[:, None]
    usual = np.where(known, price, 0).sum(0) / count
    weights = np.linalg.lstsq((features - middle)[known], (price - usual)[known], rcond=None)[0]
    return np.asarray(usual + (features - middle) @ weights)
