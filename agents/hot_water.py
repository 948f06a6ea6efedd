"""Hot-water tanks as columns of heat [Wh]: what they hold, lose and give.

Heat is counted above the temperature of the water that flows in. A litre of water holds 4.186 kJ per kelvin, which is
1.163 Wh. Water comes in at 15 degrees Celsius and is stored at 65, a lift of 50 K (assumption).
"""

import numpy as np

from agents.devices import keep_after_loss
from market.units import Int

MWH_PER_LITRE_KELVIN = 1_163
LIFT_K = 50
STANDING_LOSS_PPM = 3_000
"""Loss of heat per slot: 13 % in a day (assumption)."""


def tank_heat_wh(litres: int, lift_k: int = LIFT_K) -> int:
    """Heat a full tank holds [Wh], rounded down."""
    return litres * lift_k * MWH_PER_LITRE_KELVIN // 1_000


def serve_heat(held_wh: Int, lost_ppm: Int, made_wh: Int, capacity_wh: Int, demand_wh: Int) -> tuple[Int, Int, Int]:
    """A slot of a tank: standing loss first, rounded down against the owner, then what is made, then what is drawn.

    Returns heat held after, demand that is not met, and heat beyond the tank's room that is let out; all [Wh].
    """
    available = keep_after_loss(held_wh, lost_ppm) + made_wh
    served = np.minimum(demand_wh, available)
    left = available - served
    after = np.minimum(left, capacity_wh)
    return after, demand_wh - served, left - after


def tank_room(held_wh: Int, lost_ppm: Int, capacity_wh: Int, demand_wh: Int) -> Int:
    """Heat that can be made in a slot without letting any out [Wh]."""
    return np.asarray(np.maximum(capacity_wh + demand_wh - keep_after_loss(held_wh, lost_ppm), 0))
