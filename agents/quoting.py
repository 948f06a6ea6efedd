"""From an action to orders and a plan: the only place where floats become prices and energies.

The action has four numbers in [-1, 1] (`ACTION`): sell fraction and buy fraction of the band between
feed-in and consumption value, patience for slots farther from the gate, and how the battery leaves
the self-use plan in the first OPEN_SEEN slots from the gate. Limits cannot leave the individually rational band.

- *Target* of an open slot = forecast net energy + battery plan; order = target less position.
- *Truthful* is the action (-1, -1, -1, 0): a limit at the reservation price for all of it.
- Self-use plan: PV surplus charges, a deficit discharges, where the tariff saved exceeds the feed-in
  given up, its losses and the wear.
Prices round half to even to the tick, energies down to the lot.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.devices import charge_limit, discharge_limit, run_battery
from agents.fleet import NO_COST, Role
from agents.observing import OPEN_SEEN, Floats, View, stored_at_gate
from market.design import MarketDesign
from market.units import PPM, Int

ACTION_LAYOUT = "digitalgrid-action/1"


@dataclass(frozen=True)
class ActionField:
    """One number of the action, in [-1, 1]."""

    name: str
    meaning: str


ACTION: tuple[ActionField, ...] = (
    ActionField("sell_fraction", "(a+1)/2 of the band is added to the reservation price of a sale"),
    ActionField("buy_fraction", "(a+1)/2 of the band is taken off the reservation price of a purchase"),
    ActionField("patience", "max(a,0): how far the fractions move to 1 for the slot farthest from the gate"),
    ActionField("battery", "a<0: min(-2a, 1) of the charge is sold instead; a>0: a^3 of the power is discharged on top"),
)
ACTIONS = len(ACTION)
TRUTHFUL: tuple[float, float, float, float] = (-1.0, -1.0, -1.0, 0.0)


@dataclass(frozen=True)
class Quote:
    """Orders and plan of the parties of one role: w worlds, r parties, h open slots.

    wanted_wh (w, r, h): energy to buy (+) or sell (-); price (w, r, h) [mJPY/kWh]; plan_wh (w, r):
    net energy planned for the gate slot.
    """

    wanted_wh: Int
    price: Int
    plan_wh: Int


def quote(view: View, action: Floats, design: MarketDesign) -> Quote:
    """Turn actions (w, r, ACTIONS) into limit orders for the open slots and the plan of the gate slot."""
    exact = np.clip(action.astype(np.float64), -1.0, 1.0)
    target, plan = _targets(view, exact[..., 3])
    target = np.maximum(target, -view.export_limit_wh[:, None])
    wanted = target - view.position_wh
    if view.role == Role.THERMAL:
        wanted = np.minimum(wanted, 0)
    wanted = np.sign(wanted) * (np.abs(wanted) // design.lot_wh * design.lot_wh)
    return Quote(wanted, _limits(view, exact, wanted, design), plan)


def _targets(view: View, battery_share: npt.NDArray[np.float64]) -> tuple[Int, Int]:
    """Net energy aimed at in every open slot (w, r, h), and the plan of the gate slot (w, r)."""
    slots = view.position_wh.shape[-1]
    shape = (*view.stored_wh.shape, slots)
    if view.role == Role.THERMAL:
        return np.broadcast_to(-view.thermal_wh[:, None], shape), np.zeros(view.stored_wh.shape, np.int64)
    last = max(view.open_first + slots, view.gate + 1)
    net = view.net_wh[..., view.gate : last]
    has_battery = view.battery.capacity_wh.any()
    ahead = net + plan_battery(view, battery_share, last - view.gate) if has_battery else net
    first = view.open_first - view.gate
    return np.broadcast_to(ahead[..., first : first + slots], shape), ahead[..., 0]


def plan_battery(view: View, share: npt.NDArray[np.float64], slots: int) -> Int:
    """Energy planned through the battery's terminals in `slots` slots from the gate, (w, r, slots) [Wh], + charges."""
    stored = stored_at_gate(view)
    plan = np.zeros((*stored.shape, slots), np.int64)
    worth = _self_use_pays(view, slots)
    for step in range(slots):
        net = view.net_wh[..., view.gate + step]
        wanted = np.where(worth[..., step], -net, 0)
        if step < OPEN_SEEN:
            wanted = _bend(view, wanted, share, stored)
        plan[..., step], stored = run_battery(view.battery, stored, wanted)
    return plan


def _bend(view: View, self_use: Int, share: npt.NDArray[np.float64], stored: Int) -> Int:
    """The self-use plan with some of the charge sold instead (share < 0) or with extra discharge (share > 0).

    Half of the way down already sells all of the charge, and the extra discharge grows with the cube:
    a kWh sold here costs more to buy back than it earns, so exploring near the plan must be cheap.
    """
    possible = np.clip(self_use, -discharge_limit(view.battery, stored), charge_limit(view.battery, stored))
    passed_on = np.maximum(possible, 0) * np.maximum(2 * np.minimum(share, 0.0), -1.0)
    more = np.maximum(share, 0.0)
    return np.rint(possible + passed_on - more * more * more * view.battery.power_wh).astype(np.int64)


def _self_use_pays(view: View, slots: int) -> npt.NDArray[np.bool_]:
    """True where the tariff saved exceeds feed-in over the round trip plus wear, (w, r, slots)."""
    outside = view.outside[..., view.gate : view.gate + slots]
    terms = view.terms
    tariff = terms.supply_price(outside) + terms.wheeling + terms.surcharge
    one_way = np.maximum(view.battery.efficiency_ppm, 1)[:, None]
    given_up = terms.feed_in_price(outside) * PPM // one_way * PPM // one_way
    return np.asarray(tariff - given_up > view.battery.wear_mjpy_kwh[:, None])


def _limits(view: View, action: npt.NDArray[np.float64], wanted: Int, design: MarketDesign) -> Int:
    """Limit price of each order (w, r, h), rounded half to even to the tick, inside the band."""
    slots = wanted.shape[-1]
    outside = view.outside[..., view.open_first : view.open_first + slots]
    value = view.terms.consumption_value(outside)
    has_cost = (view.cost != NO_COST)[:, None]
    floor = np.where(has_cost, view.cost[:, None], view.terms.feed_in_price(outside))
    spread = np.maximum(value - floor, 0)
    away = np.arange(slots) / max(slots - 1, 1)
    patience = np.maximum(action[..., 2:3], 0.0) * away
    sell = (action[..., 0:1] + 1) / 2
    buy = (action[..., 1:2] + 1) / 2
    ask = floor + (sell + (1 - sell) * patience) * spread
    bid = value - (buy + (1 - buy) * patience) * spread
    ticks = np.rint(np.where(wanted > 0, bid, ask) / design.tick_mjpy_kwh).astype(np.int64)
    return np.clip(ticks * design.tick_mjpy_kwh, *design.band_mjpy_kwh)
