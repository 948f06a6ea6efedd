"""The plan of one battery as a linear programme (HiGHS), the referee of `agents.battery_plan`."""

from dataclasses import dataclass

import numpy as np

from agents.devices import Battery
from market.units import PPM, Int


@dataclass(frozen=True)
class Day:
    """One battery's slots (T,) [Wh, mJPY/kWh] and what its end is worth [mJPY/kWh of cells]."""

    net_wh: Int
    position_wh: Int
    sell: Int
    buy: Int
    network: int
    export_limit_wh: int
    end_value: int


def money_of(battery: Battery, stored_wh: int, day: Day, passed_wh: Int, stored_after_wh: int) -> int:
    """What a plan earns [uJPY], the end included."""
    meter = day.net_wh + passed_wh
    beyond = meter - day.position_wh
    cost = np.where(beyond > 0, day.buy, day.sell) * beyond + day.network * np.maximum(meter, 0)
    wear = np.maximum(-passed_wh, 0) * battery.wear_mjpy_kwh.item()
    return int(stored_after_wh * day.end_value - (cost + wear).sum())


def best_money(battery: Battery, stored_wh: int, day: Day) -> float:
    """The most that any plan can earn, whole Wh or not [uJPY]."""
    from scipy.optimize import linprog

    slots = len(day.net_wh)
    eye, none = np.eye(slots), np.zeros((slots, slots))
    # columns: charged, discharged, bought, sold, imported
    cost = np.concatenate(
        [
            np.full(slots, -day.end_value * battery.efficiency_ppm.item() / PPM),
            np.full(slots, day.end_value * PPM / battery.given_ppm.item() + battery.wear_mjpy_kwh.item()),
            day.buy,
            -day.sell,
            np.full(slots, day.network),
        ]
    )
    balance = np.hstack([eye, -eye, -eye, eye, none])
    run = np.tril(np.ones((slots, slots)))
    cells = np.hstack([run * battery.efficiency_ppm.item() / PPM, -run * PPM / battery.given_ppm.item()] + [none] * 3)
    below = np.full(slots, battery.capacity_wh.item() - stored_wh)
    above = np.full(slots, stored_wh - np.asarray(battery.lowest_wh).item())
    imports = np.hstack([eye, -eye, none, none, -eye])
    # surplus beyond the export limit leaves all the same; only the battery is held to it
    most_out = np.maximum(day.export_limit_wh + day.net_wh, 0)
    bounds = [(0, battery.power_wh.item())] * slots
    bounds += [(0, min(battery.given_wh.item(), int(out))) for out in most_out.tolist()]
    bounds += [(0, None)] * (3 * slots)
    found = linprog(
        cost,
        A_ub=np.vstack([cells, -cells, imports]),
        b_ub=np.concatenate([below, above, -day.net_wh]),
        A_eq=balance,
        b_eq=day.position_wh - day.net_wh,
        bounds=bounds,
        method="highs",
    )
    return float(stored_wh * day.end_value - found.fun)
