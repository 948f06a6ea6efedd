"""Deliberate imbalance: who leans to one side of his plan, and whose deviation follows the price.

Intentional imbalance is prohibited conduct (適正な電力取引についての指針), yet a single marginal price, or an area term
that is known beforehand, pays for it: the rule of 2016 gave Tokyo a constant incentive to be long (ANRE, June 2017).
Honest forecast errors have no side and do not know the price. Two measures tell them apart, each counted in blocks of
slots (a day), because errors of neighbouring slots are not independent:

- *lean*: on more days than chance allows the day's sum of deviations has the same sign;
- *gain*: on more days than chance allows deviating paid better than dealing at the market's price.

"More than chance allows" is k of n days with (2 k - n)^2 >= 9 n: three standard deviations of a fair coin, so never
with fewer than nine days. It is a reason to look, not a proof: a home whose battery is full can only spill, leans
honestly, and gains where the rule pays for it.
"""

from dataclasses import dataclass

import numpy as np

from market.imbalance import Mask
from market.units import PPM, Int

SIGMAS_SQUARED = 9


@dataclass(frozen=True)
class Conduct:
    """What a party's deviations look like; all (parties,).

    days: blocks with any deviation; lean_ppm: |sum| over sum of |deviation|, 1,000,000 when always on one side;
    leans: same sign on too many days; gain_ujpy: money gained over dealing the deviation at the market's price;
    gain_days: days on which that was positive; follows: on too many.
    """

    days: Int
    lean_ppm: Int
    leans: Mask
    gain_ujpy: Int
    gain_days: Int
    follows: Mask

    @property
    def suspect(self) -> Mask:
        """Parties that gain by deviating and do so, or lean, on more days than chance allows."""
        return (self.gain_ujpy > 0) & (self.follows | self.leans)


def measure_conduct(deviation_wh: Int, prices: Int, market_price: Int, block: int) -> Conduct:
    """How each party's deviations lean, and what they gained.

    Args:
        deviation_wh: (slots, parties) reading minus plan, + is short.
        prices: (slots, parties, 2) imbalance price of a shortage and of a surplus [mJPY/kWh].
        market_price: (slots, parties) what the energy would have cost in the market [mJPY/kWh].
        block: slots of a day; a last incomplete day counts.
    """
    price = np.where(deviation_wh > 0, prices[..., 0], prices[..., 1])
    begins = np.arange(0, len(deviation_wh), block)
    moved = np.add.reduceat(np.abs(deviation_wh), begins) > 0
    lean = np.add.reduceat(deviation_wh, begins)
    gain = np.add.reduceat(deviation_wh * (market_price - price), begins)
    days, gain_days = moved.sum(0), (gain > 0).sum(0)
    one_side = np.maximum((lean > 0).sum(0), (lean < 0).sum(0))
    size = np.abs(deviation_wh).sum(0)
    share = np.abs(deviation_wh.sum(0)) * PPM // np.maximum(size, 1)
    return Conduct(days, share, _beyond_chance(one_side, days), gain.sum(0), gain_days, _beyond_chance(gain_days, days))


def _beyond_chance(count: Int, of: Int) -> Mask:
    """Whether `count` of so many fair coins is three standard deviations or more above the half."""
    excess = 2 * count - of
    return np.asarray((of > 0) & (excess > 0) & (excess * excess >= SIGMAS_SQUARED * of), np.bool_)
