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
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agents.devices import charge_limit, discharge_limit, stored_after, within
from agents.fleet import NO_COST, Role
from agents.observing import DAY, OPEN_SEEN, Floats, View, stored_at_gate
from market.design import MarketDesign
from market.units import PPM, Int

if TYPE_CHECKING:
    from market.blocks import Blocks

Exact = npt.NDArray[np.float64]

ACTION_LAYOUT = "digitalgrid-action/1"
THERMAL = Role.THERMAL


@dataclass(frozen=True)
class ActionField:
    """One number of the action, in [-1, 1]."""

    name: str
    meaning: str


ACTION: tuple[ActionField, ...] = (
    ActionField("sell_fraction", "(a+1)/2 of the band is added to the reservation price of a sale"),
    ActionField("buy_fraction", "(a+1)/2 of the band is taken off the reservation price of a purchase"),
    ActionField("patience", "max(a,0): how far the fractions move to 1 for the slot farthest from the gate"),
    ActionField("battery", "a<0: share of the surplus without room sold, not charged; a>0: of spare energy discharged"),
)
ACTIONS = len(ACTION)
EVERY_SLOT = 1 << 62
"""Width of a quote that leaves no live order as it is."""
TRUTHFUL: tuple[float, float, float, float] = (-1.0, -1.0, -1.0, 0.0)


@dataclass(frozen=True)
class Quote:
    """Orders and plan of the parties of one role: w worlds, r parties, h open slots.

    wanted_wh (w, r, h): energy to buy (+) or sell (-); price (w, r, h) [mJPY/kWh]; plan_wh (w, r):
    net energy planned for the gate slot. other_wh, other_price (w, r, h): a second order of the other side, for those
    who quote both; None where nobody does. The columns may end before the last open slot: beyond, nothing is wanted.

    blocks: block orders that trade at once or lapse; `party` is the row within the role, `slot` is counted from the
    first open one, `world` and `price` are as they are, area and reference are written with the rows.
    speaks (r,): open slots from the first on in which an unwanted live order is withdrawn, all if None; farther ones
    stay as they are until they come near.
    """

    wanted_wh: Int
    price: Int
    plan_wh: Int
    other_wh: Int | None = None
    other_price: Int | None = None
    blocks: "Blocks | None" = None
    speaks: Int | None = None


def width_of(made: Quote) -> int:
    """Open slots from the first on that a quote says anything about."""
    if made.speaks is None:
        return EVERY_SLOT
    return max(int(made.wanted_wh.shape[-1]), int(made.speaks.max(initial=0)))


def quote(view: View, action: Floats, design: MarketDesign) -> Quote:
    """Turn actions (w, r, ACTIONS) into limit orders for the open slots and the plan of the gate slot."""
    exact = np.minimum(np.maximum(action.astype(np.float64), -1.0), 1.0)
    target, plan = _targets(view, exact[..., 3])
    wanted = np.maximum(target, -view.export_limit_wh[:, None]) - view.position_wh
    if view.role == THERMAL:
        wanted = np.minimum(wanted, 0)
    if design.lot_wh > 1:
        wanted = np.sign(wanted) * (np.abs(wanted) // design.lot_wh * design.lot_wh)
    return Quote(wanted, _limits(view, exact, wanted, design), plan)


def _targets(view: View, battery_share: Exact) -> tuple[Int, Int]:
    """Net energy aimed at in every open slot (w, r, h), and the plan of the gate slot (w, r)."""
    if view.role == THERMAL:
        return -view.thermal_wh[:, None], np.zeros(view.stored_wh.shape, np.int64)
    slots = view.position_wh.shape[-1]
    last = max(view.open_first + slots, view.gate + 1)
    ahead = view.net_wh[..., view.gate : last]
    if view.battery.exists:
        ahead = ahead + plan_battery(view, battery_share, last - view.gate)
    first = view.open_first - view.gate
    return ahead[..., first : first + slots], ahead[..., 0]


def plan_battery(view: View, share: Exact, slots: int) -> Int:
    """Energy planned through the battery's terminals in `slots` slots from the gate, (w, r, slots) [Wh], + charges."""
    stored, battery = stored_at_gate(view), view.battery
    plan = np.zeros((*stored.shape, slots), np.int64)
    self_use = np.where(_self_use_pays(view, slots), -view.net_wh[..., view.gate : view.gate + slots], 0)
    bending = np.flatnonzero(share.any(0))
    # often one party of a role learns and the others keep to self-use: only the parties between the first and the
    # last that bend the plan take the trouble
    bent = slice(bending[0], bending[-1] + 1) if len(bending) else slice(0)
    spill, spare = spare_energy(view, stored, bent) if len(bending) else (stored, stored)
    for step in range(slots):
        least, most = -discharge_limit(battery, stored), charge_limit(battery, stored)
        passed = within(self_use[..., step], least, most)
        if len(bending) and step < OPEN_SEEN:
            kept = passed[:, bent]
            sold = _part(np.minimum(np.maximum(kept, 0), spill), -share[:, bent])
            more = _part(np.minimum(spare, battery.given_wh[bent]), share[:, bent])
            passed[:, bent] = within(kept - sold - more, least[:, bent], most[:, bent])
            spill, spare = spill - sold, spare - more
        plan[..., step] = passed
        stored = stored_after(battery, stored, passed)
    return plan


def spare_energy(view: View, stored_at_gate_wh: Int, parties: slice) -> tuple[Int, Int]:
    """What self-use of some parties will have no room for, and what it will not need, from the gate (w, r) each [Wh].

    *Spill*: the largest surplus run of the next 12 hours' forecast beyond the battery's room. *Spare*:
    stored energy beyond the largest deficit run of the next 24 hours. Both at the terminals; a home that
    sells no more than that keeps what its own use is forecast to need.
    """
    battery, stored_wh = view.battery, stored_at_gate_wh[:, parties]
    run = np.cumsum(view.net_wh[:, parties, view.gate : view.gate + DAY], -1)
    room = (battery.capacity_wh[parties] - stored_wh) * PPM // battery.divisor_ppm[parties]
    spill = np.maximum(-run[..., : DAY // 2].min(-1), 0) - room
    usable = stored_wh - np.broadcast_to(battery.lowest_wh, battery.power_wh.shape)[parties]
    spare = usable * battery.given_ppm[parties] // PPM - np.maximum(run.max(-1), 0)
    return np.maximum(spill, 0), np.maximum(spare, 0)


def _part(energy: Int, share: Exact) -> Int:
    """The share of an energy, nothing where the share is negative, rounded half to even."""
    return np.asarray(np.rint(energy * np.maximum(share, 0.0)), np.int64)


def _self_use_pays(view: View, slots: int) -> npt.NDArray[np.bool_]:
    """True where the tariff saved exceeds feed-in over the round trip plus wear, (w, r, slots)."""
    outside = view.outside[..., view.gate : view.gate + slots]
    terms = view.terms
    tariff = terms.supply_price(outside) + (terms.wheeling + terms.surcharge)
    into, out = view.battery.divisor_ppm[:, None], view.battery.given_divisor_ppm[:, None]
    given_up = terms.feed_in_price(outside) * PPM // into * PPM // out
    return np.asarray(tariff - given_up > view.battery.wear_mjpy_kwh[:, None])


def _limits(view: View, action: Exact, wanted: Int, design: MarketDesign) -> Int:
    """Limit price of each order (w, r, h), rounded half to even to the tick, inside the band."""
    slots = wanted.shape[-1]
    outside = view.outside[..., view.open_first : view.open_first + slots]
    value, floor = view.terms.consumption_value(outside), floor_price(view, outside)
    buys = wanted > 0
    share = np.where(buys, (action[..., 1:2] + 1) / 2, (action[..., 0:1] + 1) / 2)
    if (action[..., 2] > 0).any():
        away = np.arange(slots) / max(slots - 1, 1)
        share += (1 - share) * (np.maximum(action[..., 2:3], 0.0) * away)
    # a purchase starts at its value and goes down, a sale at its floor and goes up
    limit = np.where(buys, value, floor) + np.where(buys, -share, share) * np.maximum(value - floor, 0)
    ticks = np.rint(limit / design.tick_mjpy_kwh).astype(np.int64)
    return within(ticks * design.tick_mjpy_kwh, *design.band_mjpy_kwh)


def floor_price(view: View, outside: Int) -> Int:
    """Reservation price of a sale [mJPY/kWh]: feed-in, or the fuel cost of those who have one."""
    feed_in = view.terms.feed_in_price(outside)
    if view.role != THERMAL:
        return feed_in
    cost = view.cost[:, None]
    return np.where(cost != NO_COST, cost, feed_in)
