"""The best plan for batteries behind the meter at known prices: a dynamic programme over the slots ahead, in integers.

Money of a slot with meter reading m and position q: what is missing to m is bought, what is left over is sold, and
wheeling and surcharge are paid on import (`market.settlement`). The plan earns most over its horizon, what is stored
at its end valued at `end_value`; losses and wear are those of `agents.devices`. It is the optimum of the linear
programme (`tests/reference/battery.py`) up to the rounding of prices per Wh of cells (down, below 1 mJPY/kWh) and of
whole Wh. Loss of stored energy by itself is left out.
"""

from dataclasses import dataclass

import numpy as np

from agents.devices import Battery
from market.units import PPM, Int

NOTHING_MORE = -1
"""Value of one more stored where the battery is full."""


@dataclass(frozen=True)
class Outlook:
    """What is expected of T slots ahead, columns (w, r, T) or broadcast to it.

    net_wh, position_wh [Wh, + is import]; sell and buy [mJPY/kWh] for what is sold and bought beyond the position,
    0 <= sell <= buy; network [mJPY/kWh] on metered import; export_limit_wh (r,); end_value (w, r) [mJPY/kWh of cells].
    """

    net_wh: Int
    position_wh: Int
    sell: Int
    buy: Int
    network: int
    export_limit_wh: Int
    end_value: Int


@dataclass(frozen=True)
class BatteryPlan:
    """The plan, (w, r, T) each.

    passed_wh [Wh] through the terminals, + charges; kept [mJPY/kWh of cells]: what one more stored is worth after the
    slot, NOTHING_MORE where the battery is full or there is none.
    """

    passed_wh: Int
    kept: Int


def best_plan(battery: Battery, stored_wh: Int, outlook: Outlook) -> BatteryPlan:
    """The best plan of every battery (columns r) from `stored_wh` (w, r)."""
    shape = np.broadcast_shapes((*stored_wh.shape, 1), outlook.net_wh.shape)
    passed, kept = np.zeros(shape, np.int64), np.full(shape, NOTHING_MORE, np.int64)
    if not battery.exists:
        return BatteryPlan(passed, kept)
    from agents.battery_kernels import plan_rows

    def row(column: Int | int) -> Int:
        return np.ascontiguousarray(np.broadcast_to(column, shape[:-1])).reshape(-1)

    slots = np.empty((*shape, 4), np.int64)
    for place, column in enumerate((outlook.net_wh, outlook.position_wh, outlook.sell, outlook.buy)):
        slots[..., place] = column
    units = (
        battery.power_wh,
        battery.given_wh,
        battery.divisor_ppm,
        battery.given_divisor_ppm,
        battery.wear_mjpy_kwh,
        outlook.export_limit_wh,
    )
    room = np.maximum(battery.capacity_wh - battery.lowest_wh, 0)
    ends_at = (room, battery.lowest_wh, outlook.end_value, stored_wh)
    plan_rows(
        np.stack([row(column) for column in units], -1),
        np.stack([row(column) for column in ends_at], -1),
        outlook.network,
        slots.reshape(-1, *slots.shape[-2:]),
        passed.reshape(-1, shape[-1]),
        kept.reshape(-1, shape[-1]),
    )
    return BatteryPlan(passed, kept)


def worth_keeping(battery: Battery, plan: BatteryPlan) -> Int:
    """What one more Wh at the meter is worth if it is kept instead of sold, (w, r, T) [mJPY/kWh], rounded down.

    Discharged less it saves its losses and wear, charged more it bears them; 0 where there is no room.
    """
    kept = np.maximum(plan.kept, 0)
    give, charge = battery.given_divisor_ppm[:, None], battery.divisor_ppm[:, None]
    back = kept * PPM // give + battery.wear_mjpy_kwh[:, None]
    into = kept * charge // PPM
    return np.asarray(np.where(plan.kept == NOTHING_MORE, 0, np.where(plan.passed_wh < 0, back, into)))
