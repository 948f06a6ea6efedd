"""A market maker: a party that quotes both sides of every open slot around what it thinks the energy is worth.

After Kuno, Tanaka and Yamada, Energies 2022, 15(12), 4218 (middle -+ half a spread), with an inventory as in Ho and
Stoll 1981 (DOI 10.1016/0304-405X(81)90020-9: quotes move against it). *Fair value* is the usual traded price of that
half hour of the day, which every party is told; the *inventory* is what it has bought beyond, or sold short of, its own
forecast need and self-use plan. It quotes no more than would take the inventory to its limit, nor more than its battery
could take in a slot, or give in a slot and will not need itself (`agents.quoting.spare_energy`).

In the last step before the gate it makes no market: what its battery can hold, it plans to hold; the rest it offers at
its reservation price, and what finds nobody is left to the retailer of last resort. So a party without a battery is a
pure trader who must be square at the gate. It never bids above or asks below what it would pay or get outside.
"""

from dataclasses import dataclass, field

import numpy as np

from agents.devices import charge_limit, discharge_limit, within
from agents.observing import View
from agents.policies import Stream
from agents.quoting import THERMAL, TRUTHFUL, Quote, floor_price, quote, spare_energy
from agents.strategies import Memory, Strategy
from market.design import MarketDesign
from market.errors import ConfigError
from market.units import PPM, Int

SPREAD = 0.5
"""Default spread as a part of the band between feed-in and consumption value (assumption)."""
LIMIT_WH = 1_000
"""Default most inventory in one slot: 2 kW, less than half of the router of a home (assumption)."""


@dataclass(frozen=True)
class Rooms:
    """What a party may still trade: buys, sells (w, r, h) [Wh >= 0]; down, up (w, r): how far its plan can move."""

    buys: Int
    sells: Int
    down: Int
    up: Int


@dataclass(frozen=True)
class MarketMaker(Strategy):
    """Quotes both sides: `spread` in parts of the band, `limit_wh` of inventory a slot."""

    spread: float = SPREAD
    limit_wh: int = LIMIT_WH
    name: str = field(default="market-maker")

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Both sides of every open slot but that of the gate, which it squares.

        Raises ConfigError for thermal units: they sell only.
        """
        if view.role == THERMAL:
            raise ConfigError("a thermal unit cannot buy, so it makes no market", do="let homes or stores do it")
        action = np.broadcast_to(np.array(TRUTHFUL, np.float32), (*view.stored_wh.shape, len(TRUTHFUL)))
        truthful = quote(view, action, design)
        inventory = -truthful.wanted_wh
        rooms = self._rooms(view, inventory, truthful.plan_wh)
        bid, ask = self._prices(view, inventory, design)
        buys, sells = (room // design.lot_wh * design.lot_wh for room in (rooms.buys, rooms.sells))
        made = Quote(buys, bid, truthful.plan_wh, -sells, ask)
        return _square(view, made, truthful, rooms, design) if view.open_first == view.gate else made

    def _rooms(self, view: View, inventory: Int, plan_wh: Int) -> Rooms:
        """What the limit and the battery leave, as if each slot began with the charge of the gate slot."""
        battery, passed = view.battery, plan_wh - view.net_wh[..., view.gate]
        stored = view.stored_at_gate_wh
        up = np.maximum(charge_limit(battery, stored) - passed, 0)
        down = np.maximum(discharge_limit(battery, stored) + passed, 0)
        has, (_, spare) = battery.capacity_wh > 0, spare_energy(view, stored, slice(None))
        longest, shortest = (
            np.where(has, np.minimum(room, self.limit_wh), self.limit_wh) for room in (up, np.minimum(down, spare))
        )
        sells = np.minimum(shortest[..., None] + inventory, view.position_wh + view.export_limit_wh[:, None])
        return Rooms(np.maximum(longest[..., None] - inventory, 0), np.maximum(sells, 0), down * has, up * has)

    def _prices(self, view: View, inventory: Int, design: MarketDesign) -> tuple[Int, Int]:
        """Bid and ask (w, r, h): fair value less the skew, half a spread away, bids down and asks up to the tick.

        A full inventory moves both by half a spread, so that one of them stands at fair value.
        """
        slots = inventory.shape[-1]
        outside = view.outside[..., view.open_first : view.open_first + slots]
        low, high = floor_price(view, outside), view.terms.consumption_value(outside)
        at = (view.slot_of_day + view.open_first + np.arange(slots)) % view.slots_per_day
        half = round(self.spread * PPM / 2)
        skewed = view.traded_ppm[..., at] - half * within(inventory, -self.limit_wh, self.limit_wh) // self.limit_wh
        width, tick = np.maximum(high - low, 0), design.tick_mjpy_kwh
        bid = low + within(skewed - half, 0, PPM) * width // PPM
        ask = low - within(skewed + half, 0, PPM) * -width // PPM
        low_price, high_price = design.band_mjpy_kwh
        return within(bid // tick * tick, low_price, high_price), within(-(-ask // tick) * tick, low_price, high_price)


def _square(view: View, made: Quote, truthful: Quote, rooms: Rooms, design: MarketDesign) -> Quote:
    """The gate slot: plan what is contracted as far as the battery can, order the rest at the reservation price."""
    if not made.wanted_wh.shape[-1]:
        return made
    position, plan = view.position_wh[..., 0], truthful.plan_wh
    held = within(position, plan - rooms.down, plan + rooms.up)
    rest = within(held - position, -(position + view.export_limit_wh), np.abs(held - position))
    outside = view.outside[..., view.gate]
    limits = np.where(rest > 0, view.terms.consumption_value(outside), floor_price(view, outside[..., None])[..., 0])
    wanted, price, other = made.wanted_wh.copy(), made.price.copy(), np.array(made.other_wh)
    wanted[..., 0] = np.sign(rest) * (np.abs(rest) // design.lot_wh * design.lot_wh)
    tick = design.tick_mjpy_kwh
    price[..., 0] = within(np.where(rest > 0, limits // tick, -(-limits // tick)) * tick, *design.band_mjpy_kwh)
    other[..., 0] = 0
    return Quote(wanted, price, held, other, made.other_price)


def make_market_maker(parameter: str) -> MarketMaker:
    """`market-maker` or `market-maker:SPREAD`, in parts of the band; raises ConfigError."""
    if not parameter:
        return MarketMaker()
    try:
        spread = float(parameter)
    except ValueError as error:
        raise ConfigError(f"{parameter!r} is not a spread", do="write market-maker:0.2") from error
    if not 0 <= spread <= 1:
        raise ConfigError(f"spread {spread} is outside 0 .. 1", do="give a part of the band, such as 0.2")
    return MarketMaker(spread, name=f"market-maker:{spread:g}")
