"""Hypothesis strategies of devices, views and actions, and dice that bid at random."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from agents.devices import Battery
from agents.fleet import NO_COST, Role
from agents.observing import NO_QUOTE, Floats, View
from agents.policies import Stream
from agents.quoting import ACTIONS
from market.settlement import Terms
from market.units import PPM, Int

TERMS = Terms(9_440, 2_900, 660, 10_660, 1_000, 500, 3_000)
"""The prices outside the market of `urawa-misono`."""
SLOTS_PER_DAY = 48
SEEN = 2 * SLOTS_PER_DAY
"""Slots a view looks ahead."""


@dataclass(frozen=True)
class Dice:
    """All four numbers of the action at random, uniform in [-reach, reach]."""

    reach: float = 1.0
    name: str = "dice"
    needs_observation: bool = False

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Random actions of the stream."""
        draws = np.stack([2 * stream.uniform(salt) - 1 for salt in range(ACTIONS)], -1)
        return (self.reach * draws).astype(np.float32)


def batteries() -> st.SearchStrategy[Battery]:
    """One battery, columns (1,): any power, capacity, efficiency above one half, wear."""
    return st.builds(
        lambda power, capacity, efficiency, wear: Battery(
            np.array([power]), np.array([capacity]), np.array([efficiency]), np.array([wear])
        ),
        st.integers(0, 5_000),
        st.integers(0, 20_000),
        st.integers(PPM // 2, PPM),
        st.integers(0, 30_000),
    )


def actions(worlds: int, parties: int) -> st.SearchStrategy[Floats]:
    """Any action, far outside [-1, 1] too, (worlds, parties, ACTIONS)."""
    count = worlds * parties * ACTIONS
    number = st.one_of(st.sampled_from([-1.0, 0.0, 1.0, -100.0, 1e30]), st.floats(-3, 3, width=32))
    return st.lists(number, min_size=count, max_size=count).map(
        lambda numbers: np.array(numbers, np.float32).reshape(worlds, parties, ACTIONS)
    )


def views(roles: tuple[Role, ...] = (Role.HOME, Role.STORE, Role.SOLAR, Role.THERMAL)) -> st.SearchStrategy[View]:
    """What two parties of a role know in three worlds: any hour, any price, any position, quotes or none."""
    return st.builds(
        make_view,
        st.sampled_from(roles),
        st.integers(0, 2**32 - 1),
        slot_of_day=st.integers(0, SLOTS_PER_DAY - 1),
        open_slots=st.integers(1, 6),
        scale=st.sampled_from([0, 100, 3_000, 40_000]),
    )


def make_view(
    role: Role, seed: int, slot_of_day: int = 20, open_slots: int = 4, scale: int = 3_000, worlds: int = 3
) -> View:
    """A random view of two parties; `scale` is the size of energies [Wh]. Each world has dice of its own."""
    dice = [np.random.default_rng((seed, world)) for world in range(worlds)]
    fixed = np.random.default_rng(seed)
    has = (1 if role == Role.HOME else 0) * np.ones(2, np.int64)
    battery = Battery(
        has * fixed.integers(0, 4_000, 2),
        has * fixed.integers(0, 15_000, 2),
        fixed.integers(700_000, PPM + 1, 2),
        has * fixed.integers(0, 25_000, 2),
    )

    def each(low: int, high: int, *shape: int) -> Int:
        return np.stack([d.integers(low, high + 1, shape) for d in dice])

    def quotes(prices: Int) -> Int:
        return np.where(each(0, 1, 1, open_slots) == 1, prices, NO_QUOTE)

    stored = np.stack([d.integers(0, battery.capacity_wh + 1) for d in dice])
    thermal = role == Role.THERMAL
    return View(
        slot_of_day=slot_of_day,
        slots_per_day=SLOTS_PER_DAY,
        gate=2,
        open_first=2,
        role=int(role),
        battery=battery,
        stored_wh=stored,
        plan_wh=each(-scale, scale, 2, 2),
        net_wh=each(0, 0, 2, SEEN) if thermal else each(-scale, scale, 2, SEEN),
        solar_wh_kw=each(0, 400, 1, SEEN),
        outside=each(10, 80_000, 1, SEEN),
        traded_ppm=each(0, PPM, 1, SLOTS_PER_DAY),
        position_wh=-each(0, 12_000, 2, open_slots) if thermal else each(-scale, scale, 2, open_slots),
        best_bid=quotes(each(10, 90_000, 1, open_slots)),
        best_ask=quotes(each(10, 90_000, 1, open_slots)),
        live=each(0, 1, 2, open_slots, 2) == 1,
        cost=fixed.integers(5_000, 30_000, 2) if thermal else np.full(2, NO_COST),
        thermal_wh=np.full(2, 10_000 if thermal else 0),
        export_limit_wh={Role.STORE: np.zeros(2, np.int64)}.get(role, np.full(2, 10_000)),
        terms=TERMS,
    )


def world_of(view: View, world: int) -> View:
    """The view of one world alone."""
    columns: tuple[str, ...] = (
        "stored_wh",
        "plan_wh",
        "net_wh",
        "solar_wh_kw",
        "outside",
        "traded_ppm",
        "position_wh",
        "live",
    )
    columns += ("best_bid", "best_ask")
    return replace(view, **{name: getattr(view, name)[world : world + 1] for name in columns})
