"""What the parties of a world can know at the start of a step (agents.observing has the layout).

- Outside prices are published after the 10:00 auction for the whole of tomorrow; later slots show the price of the
  same half hour of the last known day.
- Forecasts reach as far as `agents.forecasting.known_slots` says.
- The book shows the best bid and ask that an area can reach; a sealed design shows nothing. A party sees its own
  live orders in any case.
- Where a design lets demand arrive first, sellers see the book as the step's demand would leave it; positions and
  live orders are those before the step, so that a replacement still counts what was filled on the way.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agents.devices import Battery
from agents.fleet import Fleet, Role
from agents.forecasting import READING_LAG, known_slots
from agents.observing import NO_QUOTE, Floats, View, observe
from envs.episode import AHEAD, solar_of
from envs.updates import Beliefs, updated_load, updated_sun
from market.opening import open_range
from market.pairing import best_quotes
from market.tables import Table
from market.units import Int

if TYPE_CHECKING:
    from envs.world import World

Mask = npt.NDArray[np.bool_]
NO_ASK = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Seat:
    """What never changes about the parties of a role: their rows, areas and devices, as `View` has them."""

    rows: slice
    areas: slice | Int
    battery: Battery
    cost: Int
    thermal_wh: Int
    export_limit_wh: Int


def seats_of(fleet: Fleet) -> dict[Role, Seat]:
    """A seat for each role that has parties; the rows of a role follow one another."""
    seats = {}
    for role in Role:
        rows = fleet.rows(role)
        if len(rows):
            areas = fleet.area[rows]
            # parties of one area share one column of prices and quotes
            shared = slice(int(areas[0]), int(areas[0]) + 1) if len(np.unique(areas)) == 1 else areas
            seats[role] = Seat(
                slice(int(rows[0]), int(rows[-1]) + 1),
                shared,
                fleet.battery_of(rows),
                fleet.cost[rows],
                fleet.thermal_wh[rows],
                fleet.export_limit_wh[rows],
            )
    return seats


class Sight:
    """The views of one step; made anew for each, every part at most once.

    Attributes:
        first, stop: first open slot and one past the last, counted from the start of the episode.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        first, stop = open_range(world.design, world.calendar, np.array([world.t]))
        self.first = int(first[0])
        self.stop = max(min(int(stop[0]), world.slots), self.first)
        self._views: dict[Role, View] = {}
        self._observations: dict[Role, Floats] = {}
        self._answered: tuple[Int, Int] | None = None

    @property
    def has_heard(self) -> bool:
        """Whether sellers have been shown the step's demand."""
        return self._answered is not None

    def hear(self, demand: Table) -> None:
        """Show sellers the book that the step's `demand` rows, numbered by arrival, would leave."""
        outcome = self._world.match(demand)
        self._answered = self._quotes_of(outcome.resting, outcome.flow_wh)

    def view(self, role: Role) -> View:
        """What the parties of a role know now."""
        if role not in self._views:
            self._views[role] = self._make_view(role)
        return self._views[role]

    def observe(self, role: Role) -> Floats:
        """Observations of a role's parties (worlds, parties of the role, WIDTH)."""
        if role not in self._observations:
            self._observations[role] = observe(self.view(role))
        return self._observations[role]

    def observe_party(self, role: Role, row: int) -> Floats:
        """Observations of one party of a role (worlds, WIDTH); `row` counts within the role."""
        if role in self._observations:
            return self._observations[role][:, row]
        return observe(self.view(role), slice(row, row + 1))[:, 0]

    def _make_view(self, role: Role) -> View:
        world, seat, open_slots = self._world, self._world.seats[role], slice(self.first, self.stop)
        t, gate = world.t, world.calendar.gate
        answers = self._answered is not None and role in world.answering
        bids, asks = self._answered if answers and self._answered else self._quotes
        return View(
            slot_of_day=world.slot_of_day,
            slots_per_day=world.calendar.per_day,
            gate=gate,
            open_first=self.first - t,
            role=int(role),
            battery=seat.battery,
            stored_wh=world.stored_wh[:, seat.rows],
            plan_wh=world.plan_wh[:, seat.rows, t : t + gate],
            net_wh=self.net_forecast(seat.rows),
            solar_wh_kw=world.episode.solar_forecast_wh_kw[:, None, t : t + self._reach],
            outside=self._prices[:, seat.areas],
            traded_ppm=world.traded_ppm[:, None, :],
            position_wh=world.position_wh[:, seat.rows, open_slots],
            best_bid=bids[:, seat.areas],
            best_ask=asks[:, seat.areas],
            live=self.live[:, seat.rows],
            cost=seat.cost,
            thermal_wh=seat.thermal_wh,
            export_limit_wh=seat.export_limit_wh,
            terms=world.terms,
        )

    @property
    def _reach(self) -> int:
        """Slots that are looked at, from the current one."""
        return max(AHEAD, self.stop - self._world.t)

    def net_forecast(self, rows: slice) -> Int:
        """Forecast net energy (worlds, parties, reach) [Wh] as it can be made now, planned devices included."""
        world, net = self._world, self.forecast(rows)
        return world.behind.add_schedule(world.t, net, rows, self._prices) if world.behind.homes else net

    def make_schedule(self) -> None:
        """Let the devices of this step be planned where nobody has asked what the homes see."""
        if self._world.behind.homes:
            self.view(Role.HOME)

    def forecast(self, rows: slice) -> Int:
        """Forecast load less PV (worlds, parties, reach) [Wh]."""
        world = self._world
        lag = world.scenario.meter.lag_slots
        if world.scenario.forecast == "perfect" or (self._reach <= AHEAD and lag <= READING_LAG):
            foretold = world.episode.net_forecast_wh[:, rows, world.t : world.t + self._reach]
        else:
            known = known_slots(self._reach, world.calendar.per_day, lag)
            foretold = world.episode.net_forecast_wh[:, rows].take(world.t + known, axis=-1)
        if world.episode.beliefs is None:
            return foretold
        return self._update(world.episode.beliefs, foretold, rows, lag)

    def _update(self, beliefs: Beliefs, foretold: Int, rows: slice, lag: int) -> Int:
        """The forecast of the next two days after the newest official readings; farther slots stay as they are."""
        t, fleet = self._world.t, self._world.fleet
        official, stop = t - lag, t + min(AHEAD, foretold.shape[-1])
        sun = updated_sun(beliefs, official, t, stop)
        less = solar_of(fleet, sun, rows) - solar_of(fleet, beliefs.sun_wh_kw[:, t:stop], rows)
        updated = foretold.copy()
        updated[..., : stop - t] += updated_load(beliefs, rows, official, t, stop) - less
        return updated

    @cached_property
    def _prices(self) -> Int:
        """Outside prices from now on as far as published (worlds, areas, reach), else of 24 h or more before."""
        world = self._world
        published = world.slot_of_day > world.calendar.auction_slot_of_day
        ahead = _known_prices(self._reach, world.slot_of_day, world.calendar.per_day, published)
        return world.episode.outside.take(world.t + ahead, axis=-1)

    def _cells(self, resting: Table) -> Int:
        """World and open slot of each resting order, as one number (resting,)."""
        world = self._world
        where = resting["world"].astype(np.int64)
        column = resting["slot"] - world.episode.first_slot[where] - self.first
        return np.asarray(where * (self.stop - self.first) + column)

    @cached_property
    def live(self) -> Mask:
        """Own live orders (worlds, parties, open slots, 2): buy and sell."""
        world, count = self._world, self.stop - self.first
        live = np.zeros((world.worlds, world.fleet.count, count, 2), np.bool_)
        if len(world.resting) and count:
            resting = world.resting
            live[resting["world"], resting["party"], self._cells(resting) % count, resting["side"] - 1] = True
        return live

    @cached_property
    def _quotes(self) -> tuple[Int, Int]:
        """Best reachable bid and ask before the step (worlds, areas, open slots), NO_QUOTE without."""
        return self._quotes_of(self._world.resting, self._world.flow_wh)

    def _quotes_of(self, resting: Table, flow_wh: Int) -> tuple[Int, Int]:
        world, count = self._world, self.stop - self.first
        areas = len(world.grid.areas)
        if world.design.book == "sealed" or not len(resting) or not count:
            none = np.full((world.worlds, areas, count), NO_QUOTE, np.int64)
            return none, none
        cells = world.worlds * count
        bids, asks = best_quotes(
            world.design, world.grid, resting, self._cells(resting), cells, world.capacity_wh, flow_wh
        )
        asks[asks == NO_ASK] = NO_QUOTE
        shape = (world.worlds, count, areas)
        return bids.reshape(shape).swapaxes(1, 2), asks.reshape(shape).swapaxes(1, 2)


@lru_cache(maxsize=256)
def _known_prices(count: int, slot_of_day: int, per_day: int, published: bool) -> Int:
    """Slot, from now on, whose price stands for each of `count` slots ahead; `published`: tomorrow's are known."""
    known = per_day - slot_of_day + (per_day if published else 0)
    ahead = np.arange(count)
    return np.asarray(ahead - np.maximum((ahead - known) // per_day + 1, 0) * per_day)
