"""Agents as windows on columns against agents as objects, and a Mesa society against its bare world.

- Devices: a slot of load, PV and battery of all homes as one array step (`agents.devices`), against Mesa's
  `AgentSet.do` over as many plain Python objects that hold their state and follow the same rules with Python integers.
- Society: `Society.step`, in which every agent decides and what agents show is collected, against `World.step` of the
  same world with the same policies, half hour by half hour; the ratio says how much of the bare speed is left.
"""

import gc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from time import process_time
from typing import Any, NamedTuple

import mesa
import numpy as np

from agents.devices import Battery, run_battery, wear_cost
from envs.opening import open_world
from envs.public_year import public_year
from envs.scenario import load_scenario
from envs.society import Society
from experiments.bench_rows import BenchRow, alternate, print_rows
from market.slots import HALF_HOURS
from market.units import PPM, Int

SCENARIO = "urawa-misono"
SLOTS, ROUNDS = HALF_HOURS.per_day, 9
DEVICES_TARGET, SOCIETY_TARGET = 100.0, 0.2
"""A society may take five times as long as its world."""
POWER_WH, CAPACITY_WH, EFFICIENCY_PPM, WEAR_MJPY_KWH = 2_500, 10_000, 921_954, 22_000
"""The home battery of the scenario, with an honest wear."""
MOST_LOAD_WH, MOST_SOLAR_WH, MOST_PLAN_WH = 1_500, 2_500, 2_000

Shown = tuple[Int, Int, Int]
"""Stored energy, reading [Wh] and wear [uJPY] of every home after a slot (homes,)."""


class StepTimes(NamedTuple):
    """Processor time of one step with so many homes, four ways [s]."""

    homes: int
    objects_s: float
    columns_s: float
    society_s: float
    world_s: float


class Day(NamedTuple):
    """Stored energy at the start (homes,), and load, PV and plan of each slot (SLOTS, homes) [Wh]."""

    stored_wh: Int
    load_wh: Int
    solar_wh: Int
    plan_wh: Int


class HomeColumns:
    """Every home in columns: a slot is one array step."""

    def __init__(self, day: Day) -> None:
        self.day, self.stored_wh, self.slot = day, day.stored_wh, 0
        ones = np.ones(len(day.stored_wh), np.int64)
        self.battery = Battery(ones * POWER_WH, ones * CAPACITY_WH, ones * EFFICIENCY_PPM, ones * WEAR_MJPY_KWH)

    def step(self) -> Shown:
        """The slot that comes next, the first again after the last."""
        day, slot = self.day, self.slot % SLOTS
        net = day.load_wh[slot] - day.solar_wh[slot]
        passed, self.stored_wh = run_battery(self.battery, self.stored_wh, day.plan_wh[slot] - net)
        self.slot += 1
        return self.stored_wh, net + passed, wear_cost(self.battery, passed)


class HomeObject(mesa.Agent):  # type: ignore[misc]  # mesa is not typed
    """A home as one writes it in Mesa: it holds its devices and what is stored, and runs by itself."""

    def __init__(self, model: mesa.Model, stored: int, load: list[int], solar: list[int], plan: list[int]) -> None:
        super().__init__(model)
        self.stored, self.load, self.solar, self.plan = stored, load, solar, plan
        self.power, self.capacity, self.efficiency, self.wear = POWER_WH, CAPACITY_WH, EFFICIENCY_PPM, WEAR_MJPY_KWH
        self.reading = self.cost = 0

    def run(self, slot: int) -> None:
        """One slot: the battery makes the meter follow the plan as far as it can."""
        net = self.load[slot] - self.solar[slot]
        passed = min(max(self.plan[slot] - net, -self.discharge_limit()), self.charge_limit())
        if passed > 0:
            self.stored += passed * self.efficiency // PPM
        else:
            self.stored += passed * PPM // self.efficiency
        self.reading = net + passed
        self.cost = max(-passed, 0) * self.wear

    def charge_limit(self) -> int:
        """Most energy the terminals can take [Wh]."""
        return min(self.power, (self.capacity - self.stored) * PPM // self.efficiency)

    def discharge_limit(self) -> int:
        """Most energy the terminals can give [Wh]."""
        return min(self.power, self.stored * self.efficiency // PPM)


class HomeObjects:
    """The same homes as Mesa agents with state of their own."""

    def __init__(self, day: Day) -> None:
        self.model, self.slot = mesa.Model(rng=0), 0
        columns = (column.T.tolist() for column in day)
        for stored, load, solar, plan in zip(*columns, strict=True):
            HomeObject(self.model, stored, load, solar, plan)

    def step(self) -> None:
        """The slot that comes next, the first again after the last."""
        self.model.agents.do("run", self.slot % SLOTS)
        self.slot += 1

    def shown(self) -> Shown:
        """What the homes show now; not part of a step."""
        stored, reading, cost = (np.array(self.model.agents.get(name)) for name in ("stored", "reading", "cost"))
        return stored, reading, cost


@dataclass(frozen=True)
class AgentsBench:
    """What `bench_agents` measured."""

    agents: int
    speed: list[BenchRow]

    def rows(self) -> list[dict[str, Any]]:
        """One row a comparison, with times of a step [s], ratio, and agents stepped per second on both sides."""
        return [
            asdict(row)
            | {
                "ratio": row.ratio,
                "agents_s": self.agents / row.ours_s,
                "reference_agents_s": self.agents / row.reference_s,
            }
            for row in self.speed
        ]

    def print(self) -> None:
        """The table on standard output, and how many agents step per second."""
        from experiments.screen import console

        print_rows(f"{self.agents:,} agents, one step, medians of alternating rounds", self.speed)
        for row in self.rows():
            rates = f"{row['agents_s']:,.0f} against {row['reference_agents_s']:,.0f}"
            console().print(f"{row['what']}: {rates} agents per second")


def bench_agents(
    agents: int = 10_000, seed: int = 0, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> AgentsBench:
    """Devices, then a society of truthful homes, then one whose homes bid at random within their band."""
    parts = (
        partial(devices_row, agents, seed),
        partial(society_row, agents, seed, "truthful"),
        partial(society_row, agents, seed, "zero-intelligence"),
    )
    speed = []
    for done, part in enumerate(parts):
        progress(done, len(parts))
        speed.append(part())
    progress(len(parts), len(parts))
    return AgentsBench(agents, speed)


def random_day(homes: int, seed: int) -> Day:
    """Homes whose loads, yields and plans are drawn uniformly."""
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, CAPACITY_WH, homes, endpoint=True)
    load, solar = (rng.integers(0, most, (SLOTS, homes)) for most in (MOST_LOAD_WH, MOST_SOLAR_WH))
    return Day(stored, load, solar, rng.integers(-MOST_PLAN_WH, MOST_PLAN_WH, (SLOTS, homes)))


def devices_row(homes: int, seed: int) -> BenchRow:
    """A slot of all homes, columns against objects; a whole day of both is compared first."""
    day = random_day(homes, seed)
    same = same_day(HomeColumns(day), HomeObjects(day))
    ours_s, theirs_s, *_ = alternate(HomeColumns(day).step, HomeObjects(day).step, ROUNDS)
    what = f"load, PV and battery of {homes:,} homes, array step"
    return BenchRow(what, "Mesa AgentSet.do over Python objects", ours_s, theirs_s, DEVICES_TARGET, same)


def same_day(columns: HomeColumns, objects: HomeObjects) -> bool:
    """Whether both sides show the same integers after every slot of a day."""
    for _ in range(SLOTS):
        ours = columns.step()
        objects.step()
        if not all(map(np.array_equal, ours, objects.shown())):
            return False
    return True


def society_row(homes: int, seed: int, policy: str) -> BenchRow:
    """A half hour of a society against one of its bare world, over a day; the heads must be equal at its end."""
    world_s, society_s, traded_wh, same = time_society(homes, seed, policy)
    what = f"Society.step, {homes:,} homes, {policy}, {traded_wh / 1_000:,.0f} kWh traded"
    return BenchRow(what, "World.step, same world and policies", society_s, world_s, SOCIETY_TARGET, same)


def time_society(homes: int, seed: int, policy: str) -> tuple[float, float, int, bool]:
    """Median processor time of a half hour of the world and of the society [s], energy traded, and equal heads.

    Both take the same half hour in turn; the first, which compiles or loads, does not count.
    """
    scenario = load_scenario(SCENARIO, {"homes.count": homes, "stores.count": 0})
    options: dict[str, Any] = {
        "scenario": scenario,
        "year": public_year(scenario),
        "policies": {"home": policy},
        "days": 1,
    }
    world, society = open_world(seed=seed, **options), Society(seed, **options)
    world.reset(seed)
    times: tuple[list[float], list[float]] = ([], [])
    steps: tuple[Callable[[], Any], ...] = (world.step, society.step)
    # garbage is collected before the day and not within: looking through all agents takes longer than a step
    gc.collect()
    gc.disable()
    try:
        while society.running:
            for side, step in zip(times, steps, strict=True):
                began = process_time()
                step()
                side.append(process_time() - began)
    finally:
        gc.enable()
    traded_wh = sum(society.datacollector.model_vars["traded_wh"])
    same = world.keeper.content_heads[0].hex() == society.content_head
    return median(times[0][1:]), median(times[1][1:]), traded_wh, same


def time_sizes(most: int, seed: int = 0, progress: Callable[[int, int], None] = lambda _d, _t: None) -> list[StepTimes]:
    """Steps of 10, 100, 1,000, ... homes up to `most`: devices as objects and as columns, society and bare world."""
    sizes = [10**power for power in range(1, len(str(most))) if 10**power < most] + [most]
    times = []
    for done, homes in enumerate(sizes):
        progress(done, len(sizes))
        devices = devices_row(homes, seed)
        world_s, society_s, *_ = time_society(homes, seed, "truthful")
        times.append(StepTimes(homes, devices.reference_s, devices.ours_s, society_s, world_s))
    progress(len(sizes), len(sizes))
    return times
