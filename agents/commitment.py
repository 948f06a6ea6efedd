"""Unit commitment: when a thermal unit with minimum load, start cost and run lengths should run, and what it asks.

- *When*: a dynamic programme over the slots ahead at the expected price, exact for minimum run and standstill, start
  cost, no-load cost and the ramp of a unit's first slot; later ramps are left to `agents.thermal.run_units`.
- *Expected price*: the usual traded price of that half hour within the band of the unit's area.
- *What it asks*: in a slot it means to run, the minimum load at what recovers it (fuel, no-load, and the start spread
  over the energy of the whole run), what lies above at marginal cost. A party has one order a side, so the upper part
  follows when the lower is sold; in the gate slot, the last chance, all of it goes at the price that recovers all.
- What is missing to the minimum load of a slot partly sold is asked at marginal cost: the unit has to run anyway.

Which slots it ran is what it sold: a unit that sold nothing in a slot stands still in it.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from agents.devices import within
from agents.fleet import NO_COST
from agents.observing import View
from agents.policies import TRUTHFUL_POLICY, Stream
from agents.quoting import ACTIONS, THERMAL, Quote, quote
from agents.strategies import Memory, Strategy
from agents.thermal import UNIT_TYPES, ThermalUnits, UnitType, units_of
from market.design import MarketDesign
from market.errors import ConfigError
from market.units import PPM, Int

NEVER = -(1 << 60)
"""Value of what may not be done."""
HOURS = 47.0
"""Default horizon: as far as prices reach."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Schedule:
    """When units run: running, starts (w, r, T); output_wh (w, r, T) planned at the expected price."""

    running: Mask
    starts: Mask
    output_wh: Int


def commit(units: ThermalUnits, run_slots: Int, price: Int) -> Schedule:
    """The schedule that earns most at `price` (w, r, T) [mJPY/kWh]; a slot that earns nothing is not run.

    run_slots (w, r): slots run so far (> 0) or stood still (<= 0, negated), as `agents.thermal.UnitState`.
    """
    best, first = _best_output(units, price, units.most_wh), _best_output(units, price, units.first_wh)
    runs, rests = int(units.up_slots.max(initial=1)), int(units.down_slots.max(initial=0))
    goes_on, begins = _decide(units, _gain(units, price, best), _gain(units, price, first), max(runs, 1), rests)
    running, starts = np.zeros(price.shape, np.bool_), np.zeros(price.shape, np.bool_)
    state = np.asarray(run_slots)
    for t in range(price.shape[-1]):
        on = np.take_along_axis(goes_on[t], within(state, 0, max(runs, 1))[..., None], -1)[..., 0]
        start = np.take_along_axis(begins[t], within(-state, 0, rests)[..., None], -1)[..., 0]
        ran = state > 0
        running[..., t] = np.where(ran, on, start)
        starts[..., t] = ~ran & start
        state = np.where(running[..., t], np.maximum(state, 0) + 1, np.minimum(state, 0) - 1)
    return Schedule(running, starts, np.where(running, np.where(starts, first, best), 0))


def _best_output(units: ThermalUnits, price: Int, most: Int) -> Int:
    """Output of a running slot [Wh]: the most where it earns, else the minimum load."""
    top = np.minimum(most, units.most_wh)[:, None]
    return np.where(price > units.cost_mjpy_kwh[:, None], top, units.least_wh[:, None])


def _gain(units: ThermalUnits, price: Int, output: Int) -> Int:
    """What running a slot earns [uJPY]."""
    idle = units.most_wh * units.idle_mjpy_kwh
    return np.asarray((price - units.cost_mjpy_kwh[:, None]) * output - idle[:, None])


def _decide(units: ThermalUnits, gain: Int, first: Int, runs: int, rests: int) -> tuple[Mask, Mask]:
    """Whether to go on after k slots of running (T, w, r, runs + 1), to begin after k of rest (T, w, r, rests + 1)."""
    slots, shape = gain.shape[-1], gain.shape[:-1]
    run, rest = np.arange(runs + 1), np.arange(rests + 1)
    after_run, after_rest = np.minimum(run + 1, runs), np.minimum(rest + 1, rests)
    may_stop, may_start = run >= units.up_slots[:, None], rest >= units.down_slots[:, None]
    exists = units.most_wh[:, None] > 0
    on, off = np.zeros((*shape, runs + 1), np.int64), np.zeros((*shape, rests + 1), np.int64)
    goes_on, begins = np.zeros((slots, *on.shape), np.bool_), np.zeros((slots, *off.shape), np.bool_)
    for t in range(slots - 1, -1, -1):
        stop = np.where(may_stop, off[..., min(1, rests), None], NEVER)
        stay = gain[..., t, None] + on[..., after_run]
        start = first[..., t, None] - units.start_ujpy[:, None] + on[..., min(1, runs), None]
        start = np.where(may_start & exists, start, NEVER)
        idle = off[..., after_rest]
        goes_on[t], begins[t] = stay > stop, start > idle
        on, off = np.maximum(stay, stop), np.maximum(start, idle)
    return goes_on, begins


def start_share(units: ThermalUnits, schedule: Schedule) -> Int:
    """Start cost of each slot's run spread over the run's energy, (w, r, T) [mJPY/kWh], rounded up."""
    total = np.zeros_like(schedule.output_wh)
    tail = np.zeros(total.shape[:-1], np.int64)
    for t in range(total.shape[-1] - 1, -1, -1):
        tail = np.where(schedule.running[..., t], tail + schedule.output_wh[..., t], 0)
        total[..., t] = tail
    started = np.zeros_like(tail, np.bool_)
    for t in range(total.shape[-1]):
        goes_on = schedule.running[..., t] & ~schedule.starts[..., t]
        if t:
            total[..., t] = np.where(goes_on, total[..., t - 1], total[..., t])
        started = schedule.starts[..., t] | (started & goes_on)
        total[..., t] = np.where(started, total[..., t], 0)
    return np.where(total > 0, -(-units.start_ujpy[:, None] // np.maximum(total, 1)), 0)


@dataclass(frozen=True)
class Commitment(Strategy):
    """Thermal units of one kind that decide when to run, at the scenario's fuel cost; other roles bid the truth."""

    kind: UnitType
    hours: float = HOURS
    name: str = field(default="commitment")

    def begin(self, view: View, stream: Stream) -> Memory:
        """Slots each unit has run (> 0) or stood still before the gate slot: long enough to start."""
        units = self._units(view)
        return np.broadcast_to(-units.down_slots, view.stored_wh.shape).copy()

    def _units(self, view: View) -> ThermalUnits:
        units = units_of((self.kind,) * len(view.thermal_wh), view.thermal_wh)
        return replace(units, cost_mjpy_kwh=np.where(view.cost == NO_COST, units.cost_mjpy_kwh, view.cost))

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Offers of the slots in which the units mean to run."""
        if view.role != THERMAL:
            action = np.array(TRUTHFUL_POLICY.action, np.float32)
            return quote(view, np.broadcast_to(action, (*view.stored_wh.shape, ACTIONS)), design)
        units = self._units(view)
        # the slot before the gate slot is closed now: what it sold says whether it runs
        sold = view.plan_wh[..., -1] < 0
        memory[:] = np.where(sold, np.maximum(memory, 0) + 1, np.minimum(memory, 0) - 1)
        first, count = view.open_first - view.gate, view.position_wh.shape[-1]
        slots = min(max(round(self.hours * 2), first + count), view.outside.shape[-1] - view.gate)
        price = np.broadcast_to(expected_price(view, slots), (*view.stored_wh.shape, slots))
        schedule = commit(units, memory, price)
        wanted, limit = _offers(view, units, schedule, design, first)
        ticks = -(-limit // design.tick_mjpy_kwh) * design.tick_mjpy_kwh
        plan = np.zeros(view.stored_wh.shape, np.int64)
        return Quote(-wanted, within(ticks, *design.band_mjpy_kwh), plan)


def expected_price(view: View, slots: int) -> Int:
    """The usual traded price within the band of the party's area, `slots` from the gate (w, r or 1, T) [mJPY/kWh]."""
    outside = view.outside[..., view.gate : view.gate + slots]
    feed_in, value = view.terms.feed_in_price(outside), view.terms.consumption_value(outside)
    at = (view.slot_of_day + view.gate + np.arange(slots)) % view.slots_per_day
    return np.asarray(feed_in + np.maximum(value - feed_in, 0) * view.traded_ppm[..., at] // PPM)


def _offers(view: View, units: ThermalUnits, schedule: Schedule, design: MarketDesign, first: int) -> tuple[Int, Int]:
    """Energy offered in each open slot [Wh] and its price [mJPY/kWh], (w, r, h) each."""
    count = view.position_wh.shape[-1]
    part = slice(first, first + count)
    sold, planned = -view.position_wh, schedule.output_wh[..., part]
    # minimum load first; all of it where there is no later chance
    last = np.arange(count) + first == 0
    target = np.where(last | (sold >= units.least_wh[:, None]), planned, units.least_wh[:, None])
    wanted = np.where(schedule.running[..., part], np.maximum(target - sold, 0), 0)
    energy = np.maximum(np.where(sold > 0, 1, wanted), 1)
    idle = (units.most_wh * units.idle_mjpy_kwh)[:, None]
    fixed = -(-idle // energy) + start_share(units, schedule)[..., part]
    price = units.cost_mjpy_kwh[:, None] + np.where(sold > 0, 0, fixed)
    return wanted // design.lot_wh * design.lot_wh, price


def make_commitment(text: str) -> Commitment:
    """The strategy from a kind of unit, `gtcc` if empty; raises ConfigError for one that is not known."""
    name = text or "gtcc"
    if name not in UNIT_TYPES:
        raise ConfigError(f"unknown kind of unit {name!r}", do=f"choose {', '.join(sorted(UNIT_TYPES))}")
    return Commitment(UNIT_TYPES[name], name=f"commitment:{name}")
