"""The battery plan against the linear programme, and what it never does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.battery_plan import NOTHING_MORE, BatteryPlan, Outlook, best_plan, worth_keeping
from agents.devices import Battery, run_battery
from market.units import PPM, Int
from tests.reference.battery import Day, best_money, money_of

SLOTS = 14


def column(value: int) -> Int:
    """One battery's column."""
    return np.array([value], np.int64)


@st.composite
def days(draw: st.DrawFn) -> tuple[Battery, int, Day]:
    """A battery, what it holds and the slots ahead."""
    capacity = draw(st.integers(1, 12_000))
    lowest = draw(st.integers(0, capacity // 3))
    battery = Battery(
        power_wh=column(draw(st.integers(0, 3_000))),
        capacity_wh=column(capacity),
        efficiency_ppm=column(draw(st.integers(600_000, PPM))),
        wear_mjpy_kwh=column(draw(st.sampled_from((0, 0, 3_000, 22_000)))),
        lowest_wh=column(lowest),
        discharge_ppm=column(draw(st.integers(600_000, PPM))),
        discharge_wh=column(draw(st.integers(1, 3_000))),
    )
    series = st.lists(st.integers(-2_500, 2_500), min_size=SLOTS, max_size=SLOTS)
    prices = st.lists(st.integers(0, 40_000), min_size=SLOTS, max_size=SLOTS)
    sell = np.array(draw(prices), np.int64)
    spread = np.array(draw(prices), np.int64) // draw(st.sampled_from((1, 10, 1_000_000)))
    position = np.array(draw(series), np.int64) * draw(st.sampled_from((0, 1)))
    day = Day(
        np.array(draw(series), np.int64),
        position,
        sell,
        sell + spread,
        draw(st.sampled_from((0, 12_000))),
        draw(st.sampled_from((500, 3_750, 1_000_000))),
        draw(st.integers(0, 30_000)),
    )
    return battery, draw(st.integers(lowest, capacity)), day


def outlook_of(day: Day) -> Outlook:
    """The same slots for one world and party."""
    return Outlook(
        day.net_wh[None, None],
        day.position_wh[None, None],
        day.sell[None, None],
        day.buy[None, None],
        day.network,
        column(day.export_limit_wh),
        np.array([[day.end_value]], np.int64),
    )


def plan_of(battery: Battery, stored_wh: int, day: Day) -> BatteryPlan:
    """The plan of one battery."""
    return best_plan(battery, np.array([[stored_wh]], np.int64), outlook_of(day))


@given(days())
def test_the_plan_earns_what_the_linear_programme_earns(case: tuple[Battery, int, Day]) -> None:
    """Below it by no more than whole Wh and prices per whole mJPY/kWh cost: a few JPY-cents, never above it."""
    battery, stored_wh, day = case
    plan = plan_of(battery, stored_wh, day)
    stored = np.array([[stored_wh]], np.int64)
    for t in range(SLOTS):
        passed, stored = run_battery(battery, stored, plan.passed_wh[..., t])
        assert passed == plan.passed_wh[..., t]
        assert battery.lowest_wh <= stored <= battery.capacity_wh
    earned, most = (
        money_of(battery, stored_wh, day, plan.passed_wh[0, 0], int(stored[0, 0])),
        best_money(battery, stored_wh, day),
    )
    dearest = int(day.buy.max()) + day.network + day.end_value + int(battery.wear_mjpy_kwh[0])
    whole_wh = 4 * SLOTS * dearest
    whole_prices = 4 * int(np.abs(plan.passed_wh).sum() + battery.capacity_wh[0])
    assert most - whole_wh - whole_prices <= earned <= most + 1


@given(days())
def test_what_is_kept_is_worth_its_marginal_value(case: tuple[Battery, int, Day]) -> None:
    """One more Wh stored after the first slot is worth what the programme makes of it, a few Wh to either side."""
    battery, stored_wh, day = case
    plan = plan_of(battery, stored_wh, day)
    _, after = run_battery(battery, np.array([[stored_wh]], np.int64), plan.passed_wh[..., 0])
    rest = Day(
        *(c[1:] for c in (day.net_wh, day.position_wh, day.sell, day.buy)),
        day.network,
        day.export_limit_wh,
        day.end_value,
    )
    stored, aside, kept = int(after[0, 0]), 4 * SLOTS, int(plan.kept[0, 0, 0])
    if stored + aside < battery.capacity_wh.item():
        more = best_money(battery, stored + aside + 1, rest) - best_money(battery, stored + aside, rest)
        assert more <= kept + 4
    if stored - aside > np.asarray(battery.lowest_wh).item():
        less = best_money(battery, stored - aside, rest) - best_money(battery, stored - aside - 1, rest)
        assert kept <= less + 4


def test_worth_at_the_meter_bears_losses_and_wear() -> None:
    """What is discharged less saves loss and wear; what is charged more bears the loss; a full battery has no use."""
    battery = Battery(*(column(x) for x in (1_000, 5_000, 800_000, 3_000)))
    plan = BatteryPlan(np.array([[[-10, 10, 10]]]), np.array([[[8_000, 8_000, NOTHING_MORE]]]))
    assert worth_keeping(battery, plan)[0, 0].tolist() == [13_000, 6_400, 0]


def test_a_battery_charges_when_power_is_cheap_and_gives_when_it_is_dear() -> None:
    """From the grid too, where the spread pays for losses and wear."""
    battery = Battery(column(1_000), column(2_000), column(900_000), column(1_000))
    flat = np.full(4, 500, np.int64)
    price = np.array([5_000, 5_000, 30_000, 30_000], np.int64)
    day = Day(flat, np.zeros(4, np.int64), price - 1_000, price, 0, 10_000, 0)
    assert plan_of(battery, 0, day).passed_wh[0, 0].tolist() == [1_000, 1_000, -618, -1_000]
    worn = Battery(column(1_000), column(2_000), column(900_000), column(26_000))
    assert plan_of(worn, 0, day).passed_wh[0, 0].tolist() == [0, 0, 0, 0]


def test_many_batteries_plan_as_each_alone() -> None:
    """Worlds and parties do not touch one another; a party without a battery plans nothing."""
    dice = np.random.default_rng(5)
    capacity = np.array([0, 5_000, 10_000], np.int64)
    battery = Battery(capacity // 4, capacity, np.full(3, 920_000), np.array([0, 0, 9_000]))
    shape = (4, 3, 30)
    net = dice.integers(-1_500, 1_500, shape)
    sell = dice.integers(0, 30_000, (4, 1, 30))
    buy, none = sell + 4_000, np.zeros((1, 1, 1), np.int64)
    stored, end = dice.integers(0, 5_000, (4, 3)) * (capacity > 0), np.full((4, 1), 10_000)
    limit = np.array([3_750, 3_750, 900])
    together = best_plan(battery, stored, Outlook(net, none, sell, buy, 12_000, limit, end))
    assert (together.passed_wh[:, 0] == 0).all()
    for world, party in np.ndindex(4, 3):
        own = Battery(
            *(c[party : party + 1] for c in (capacity // 4, capacity, battery.efficiency_ppm)),
            battery.wear_mjpy_kwh[party : party + 1],
        )
        rows = (slice(world, world + 1), slice(party, party + 1))
        one = (slice(world, world + 1),)
        alone = best_plan(
            own, stored[rows], Outlook(net[rows], none, sell[one], buy[one], 12_000, limit[rows[1]], end[one])
        )
        assert (alone.passed_wh == together.passed_wh[rows]).all()
        assert (alone.kept == together.kept[rows]).all()


@pytest.mark.slow
def test_a_step_of_64_worlds_takes_milliseconds() -> None:
    """320 batteries, two days ahead: below 60 ms even on a busy machine."""
    import time

    dice = np.random.default_rng(1)
    battery = Battery(*(np.full(5, x) for x in (2_500, 10_000, 922_000, 0)))
    sell = dice.integers(5_000, 25_000, (64, 1, 96))
    outlook = Outlook(
        dice.integers(-1_500, 900, (64, 5, 96)),
        np.zeros(1, np.int64),
        sell,
        sell + 5_000,
        12_000,
        np.full(5, 3_750),
        np.full((64, 1), 12_000),
    )
    stored = dice.integers(0, 10_000, (64, 5))
    best_plan(battery, stored, outlook)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        best_plan(battery, stored, outlook)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.06
