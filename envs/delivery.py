"""Delivery of a slot: what every party's devices do, and what the DGC commanded its router (DGR) for it.

The battery makes the meter follow the plan; a plant that curtails to contract then gives no more than is planned
(paper 3.3: in future even PV may generate only what was contracted).
"""

from typing import NamedTuple

import numpy as np

from agents.curtailment import curtail
from agents.devices import run_battery, within
from agents.fleet import Fleet
from market.units import Int


class Delivery(NamedTuple):
    """What a slot gave, (worlds, parties) [Wh].

    used_wh: net energy at the meter, + is import; passed_wh: through the battery's terminals, + is charge; stored_wh:
    after the slot; set_point_wh (worlds, parties, 2): battery terminals wanted, + is charge, and solar allowed.
    """

    used_wh: Int
    passed_wh: Int
    stored_wh: Int
    set_point_wh: Int


def deliver(fleet: Fleet, stored_wh: Int, load_wh: Int, solar_wh: Int, plan_wh: Int) -> Delivery:
    """Run the devices of every party through one slot; who is dispatchable delivers its plan.

    A thermal unit generates at most what it can; what it sold beyond, by orders repeated over a slow link, is missing.
    """
    net = load_wh - solar_wh
    wanted = plan_wh - net
    passed, stored = run_battery(fleet.battery, stored_wh, wanted)
    net = net + passed
    allowed = solar_wh
    if fleet.any_curtails:
        cut = curtail(np.where(fleet.curtails, solar_wh, 0), net, plan_wh)
        net, allowed = net + cut, solar_wh - cut
    power = fleet.battery.power_wh
    set_point = np.stack((within(wanted, -power, power), allowed), axis=-1)
    dispatched = np.maximum(plan_wh, fleet.least_net_wh)
    return Delivery(np.where(fleet.dispatchable, dispatched, net), passed, stored, set_point)
