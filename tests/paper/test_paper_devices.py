"""One test per claim of the paper about links, meters, devices and administrators; see `test_paper`."""

from collections.abc import Mapping

import numpy as np
import pytest

from agents.fleet import Role
from agents.router import RATING_W, SET_POINT, RouterRole, role_limit_wh, set_point
from agents.thermal import UNIT_TYPES
from envs.opening import open_world
from envs.population import fleet_of
from envs.scenario import load_scenario
from envs.tally import Flow
from envs.world import Step, World
from ledger.admission import check_rows
from ledger.messages import Tick
from market.certificates import issue, open_register
from market.design import find_design
from market.errors import Refusal
from market.exchange import trade
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.slots import HALF_HOURS, SlotCalendar
from market.units import ENERGY_BOUND, PRICE_BOUND
from tests.ledger.panel import Panel
from tests.paper.test_paper import TWO, order, room

DGP = find_design("dgp")


def play(settings: Mapping[str, object], worlds: int = 4) -> tuple[World, list[Step]]:
    """A day of the demonstration under these settings."""
    world = open_world(load_scenario("urawa-misono", settings), "dgp", worlds, 3, days=1, ledger="off")
    world.reset()
    return world, [world.step() for _ in range(world.slots)]


# ---------------------------------------------------------------- 1.1 and 2.1: administrators


def test_the_market_goes_on_while_one_server_is_down() -> None:
    """Paper 1.1 [4, 5]: no zero downtime is aimed at: with one of four down blocks are agreed on, and it catches up."""
    panel = Panel(4, 3)
    panel.append(0, b"while up")
    panel.append(0, b"one down", 3)
    assert [state.floor for state in panel.states] == [2, 2, 2, 1]
    panel.hear(0, 0, Tick())
    panel.settle()
    assert [state.floor for state in panel.states] == [2, 2, 2, 2]


def test_data_are_right_when_enough_administrators_say_so() -> None:
    """Paper 2.1 [37]: the algorithm that decides is a vote: three of four make a block final, two do not."""
    panel = Panel(4, 3)
    panel.append(0, b"11111111", 3)
    assert panel.states[0].floor == 1
    panel.append(0, b"22222222", 2, 3)
    assert panel.states[0].floor == 1


# ---------------------------------------------------------------- 1.4: the link, certified meters


def test_a_mobile_link_that_loses_messages_costs_imbalance_and_the_market_goes_on() -> None:
    """Paper 1.4 [26]: orders go over 3G/LTE; with a fifth lost and a fifth late there is trade, and more imbalance."""
    found = []
    cases: tuple[Mapping[str, object], ...] = ({}, {"link.loss": 0.2, "link.late": 0.2})
    for settings in cases:
        world, steps = play(settings)
        energy = world.tally.energy_wh.sum((0, 1))
        assert not world.tally.money_ujpy.sum(1).any()
        found.append((energy[Flow.SHORT] + energy[Flow.LONG], sum(len(step.outcome.contracts) for step in steps)))
    assert found[1][0] > 1.5 * found[0][0]
    assert found[1][1] > found[0][1] / 2 > 0


def test_only_the_meter_of_a_dgc_of_type_c_certifies_and_coarse_registers_add_nothing() -> None:
    """Paper 1.4 [32]: homes without one export as much and get nothing; a meter of 100 Wh makes no kWh more."""
    cases: tuple[Mapping[str, object], ...] = ({}, {"homes.certified": False}, {"meter.resolution_wh": 100})
    exact, plain, coarse = (play(settings)[0] for settings in cases)
    homes, mall = exact.fleet.rows(Role.HOME), exact.fleet.rows(Role.SOLAR)
    certified = [world.tally.certificates_kwh(world.fleet.certified) for world in (exact, plain, coarse)]
    assert certified[0][:, homes].sum() > 0 == certified[1][:, homes].sum()
    assert (certified[1][:, mall] == certified[0][:, mall]).all()
    assert (certified[2].sum(1) <= certified[0].sum(1) + len(homes)).all()
    exported = exact.tally.energy_wh[0, mall, Flow.EXPORT]
    register, _ = issue(open_register(mall), 0, np.arange(len(mall)), exported)
    assert register.issued == certified[0][0, mall].sum()


def test_a_dgc_can_command_what_stands_behind_the_meter() -> None:
    """Paper 1.4 [31]: control signals to inverters, as energy of a slot; voltage is out of scope."""
    world, steps = play({"mall.curtail_to_contract": True})
    homes, mall = world.fleet.rows(Role.HOME), world.fleet.rows(Role.SOLAR)
    wanted = np.stack([step.set_point_wh for step in steps])
    assert (wanted[..., homes, 0] != 0).any()
    assert (wanted[..., mall, 1] < np.stack([world.episode.solar_wh[:, mall, t] for t in range(48)])).any()


# ---------------------------------------------------------------- 3: slots, numbers, devices


def test_a_market_of_quarter_hours_trades_up_to_the_same_hour() -> None:
    """Paper 3.1 [47]: with 15 minutes the gate is four slots; what is open there trades, what is nearer is refused."""
    quarter, now = SlotCalendar(15), np.array([1_000])
    rows = np.concatenate([order(Side.BUY, 0, 0, 5, 10_000, n, 1_003 + n) for n in range(2)])
    rows["reference"] = [1, 2]
    assert check_rows(DGP, TWO, rows, now, now + 96, quarter).tolist() == [Refusal.CLOSED, Refusal.ADMITTED]
    pair = np.concatenate([rows[1:], order(Side.SELL, 1, 1, 5, 9_000, 3, 1_004)])
    outcome = trade(DGP, TWO, no_orders(), pair, *room(9), now, calendar=quarter)
    assert outcome.contracts["energy"].tolist() == [5]
    assert quarter.year == 96 * 365


def test_fifty_million_sites_of_about_3_kw_cover_the_demand_of_japan() -> None:
    """Paper 3.2 [50]: 160 GW over 50 million sites are 3.2 kW each, "about 3"; one book can hold all of it."""
    sites, demand_kw, each_kw = 50_000_000, 160_000_000, 3
    assert round(demand_kw / sites) == each_kw
    assert sites * each_kw == 0.9375 * demand_kw
    slot_wh = demand_kw * 1_000 // 2
    assert slot_wh < ENERGY_BOUND
    # prefix sums of price x energy stay whole at the dearest price of an order
    assert slot_wh * (PRICE_BOUND - 1) < 2**62
    bids = np.zeros(1, ORDER)
    bids["side"], bids["energy"], bids["price"], bids["slot"] = Side.BUY, slot_wh, 20_000, 1_002
    bids["kind"], bids["time_in_force"], bids["reference"] = Kind.NEW, TimeInForce.UNTIL_GATE, 1
    asks = np.repeat(bids, 50)
    asks["side"], asks["party"], asks["energy"] = Side.SELL, 1 + np.arange(50), 1_000_000 * each_kw * 500
    asks["sequence"], asks["reference"], asks["price"] = np.arange(50), 2 + np.arange(50), 10_000
    bids["sequence"] = 50
    outcome = trade(DGP, TWO, no_orders(), np.concatenate([asks, bids]), *room(0), np.array([1_000]))
    assert int(outcome.contracts["energy"].sum()) == sites * each_kw * 500 < slot_wh


def test_a_town_of_small_sites_trades_without_anybodys_schedule() -> None:
    """Paper 3.2 [48, 52]: each of 200 sites has a DGC of its own that orders; nearly all get contracts within a day."""
    world = open_world(load_scenario("town", {"size": 200}), "dgp", 1, 3, days=1, ledger="off")
    world.reset()
    steps = [world.step() for _ in range(world.slots)]
    ordered = np.unique(np.concatenate([step.given["party"] for step in steps]))
    traded = np.concatenate([step.outcome.contracts[["buyer", "seller"]] for step in steps])
    partners = np.union1d(traded["buyer"], traded["seller"])
    assert len(np.intersect1d(ordered, world.fleet.senders)) == len(world.fleet.senders) > 200
    assert len(partners) > 0.95 * len(ordered)


def test_trade_within_one_area_needs_no_line() -> None:
    """Paper 4.1 [64]: the platform begins within one utility area; such contracts name no path, others one."""
    world, steps = play({})
    contracts = np.concatenate([step.outcome.contracts for step in steps])
    inside = world.fleet.area[contracts["seller"]] == world.fleet.area[contracts["buyer"]]
    assert inside.any()
    assert (contracts["path"][inside] == 0).all()
    assert (contracts["path"][~inside] > 0).all()


def test_pv_generates_only_what_was_contracted() -> None:
    """Paper 3.3 [57]: a plant that curtails to contract never exports beyond its plan; without it, it does."""
    beyond = []
    for curtails in (True, False):
        world, steps = play({"mall.curtail_to_contract": curtails})
        mall = world.fleet.rows(Role.SOLAR)
        plan = np.moveaxis(world.plan_wh[:, mall, : world.slots], -1, 0)
        read = np.stack([step.reading_wh[:, mall] for step in steps])
        beyond.append(int(np.maximum(np.minimum(plan, 0) - read, 0).sum()))
    assert beyond[0] == 0 < beyond[1]


def test_a_router_passes_what_its_role_allows() -> None:
    """Paper 3.3 [58]: 5 kW battery and PV, 6 kW uninterruptible supply, 7.5 kW between houses, 20 kW at the mall."""
    assert [RATING_W[role] for role in RouterRole] == [5_000, 5_000, 6_000, 7_500, 20_000]
    one, three = (fleet_of(load_scenario("urawa-misono", {"mall.routers": n})) for n in (1, 3))
    mall = three.rows(Role.SOLAR)
    assert one.solar_limit_wh[mall].tolist() == [role_limit_wh(RouterRole.PLANT)]
    assert three.solar_limit_wh[mall].tolist() == [3 * role_limit_wh(RouterRole.PLANT)]


def test_one_hardware_plays_every_role() -> None:
    """Paper 3.3 [59]: the same DGR with other software: one record commands a home's router, a plant's and a car's."""
    none = np.zeros(1, np.int64)
    home = set_point(np.array([2_500]), none, np.array([900]), none, none)
    plant = set_point(none, none, np.array([role_limit_wh(RouterRole.PLANT)]), none, none)
    assert home.dtype == plant.dtype == SET_POINT
    assert len({role_limit_wh(role) for role in RouterRole}) == 4


def test_dummy_thermal_units_sell_what_their_limits_allow() -> None:
    """Paper 3.3 [60]: dummy thermal generation takes part; with gas turbines' limits it starts, idles and is short."""
    assert {"coal", "gtcc", "oil"} <= set(UNIT_TYPES)
    sold = {}
    for kind in ("free", "gtcc"):
        world, steps = play({"thermal.type": kind})
        units = world.fleet.rows(Role.THERMAL)
        read = -np.stack([step.reading_wh[:, units] for step in steps])
        assert (read <= world.fleet.thermal_wh[units]).all()
        sold[kind] = int(read.sum())
    assert sold["free"] > 0
    assert sold["gtcc"] > 0


@pytest.mark.parametrize("minutes", [15, 30])
def test_the_year_ahead_has_as_many_slots_as_fit(minutes: int) -> None:
    """Paper 3.1 and 1.4 [47, 28]: 365 days of slots of that length, with a gate one hour before each."""
    calendar = SlotCalendar(minutes)
    assert calendar.year * minutes == 365 * 24 * 60
    assert calendar.gate * minutes == HALF_HOURS.gate * HALF_HOURS.minutes == 60
