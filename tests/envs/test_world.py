"""The laws of design.md section 2 on the real world: four designs; truthful, mark-up and random bidders."""

import numpy as np
import pytest

from agents.devices import wear_cost
from agents.fleet import Role
from agents.policies import mark_up
from agents.quoting import ACTIONS, TRUTHFUL, quote
from envs.episode import start_charge
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.tally import Flow
from envs.world import World
from market.contracts import Source
from market.design import find_design
from market.orders import Kind, Side
from market.settlement import PostingKind, post_contracts, post_delivery
from market.units import Int
from tests.played import BIDDERS, DESIGNS, Played, play, play_world

EVERY = [(design, bidder) for design in DESIGNS for bidder in BIDDERS]
every_world = pytest.mark.parametrize(("design", "bidder"), EVERY)
MARKETS = [(design, bidder) for design, bidder in EVERY if design != "retail"]


def total(columns: list[Int]) -> Int:
    """Sum of equal columns, element by element."""
    return np.asarray(np.sum(columns, axis=0), np.int64)


def first_slots(run: Played, world: np.ndarray) -> np.ndarray:
    """First slot of each row's world."""
    return np.asarray(run.world.episode.first_slot[world])


# ---------------------------------------------------------------- conservation


@every_world
def test_every_posting_kind_sums_to_zero_in_every_step_and_in_the_tally(design: str, bidder: str) -> None:
    """Double entry: nobody's money appears or disappears, per world, slot and kind."""
    run = play(design, bidder)
    for step in run.steps:
        assert not step.money_ujpy.sum(axis=1).any()
    assert not run.world.tally.money_ujpy.sum(axis=1).any()
    assert np.abs(run.world.tally.money_ujpy).sum() > 0


@every_world
def test_the_tally_is_the_sum_of_the_steps_postings(design: str, bidder: str) -> None:
    """Every delivered slot is counted once."""
    run = play(design, bidder)
    assert (total([step.money_ujpy for step in run.steps]) == run.world.tally.money_ujpy).all()


@every_world
def test_positions_are_what_was_bought_less_what_was_sold(design: str, bidder: str) -> None:
    """Contract by contract in plain Python; energy sold equals energy bought, so positions of a slot sum to zero."""
    run = play(design, bidder)
    world, position = run.world, np.zeros_like(run.world.position_wh)
    for row in run.contracts:
        column = int(row["slot"]) - int(world.episode.first_slot[row["world"]])
        position[row["world"], row["buyer"], column] += row["energy"]
        position[row["world"], row["seller"], column] -= row["energy"]
    assert (position == world.position_wh).all()
    assert not world.position_wh.sum(axis=1).any()


@every_world
def test_the_plan_is_the_position_once_the_gate_has_closed(design: str, bidder: str) -> None:
    """No contract forms later, so what was fixed at the gate still stands at delivery."""
    for before in play(design, bidder).before:
        assert (before.plan_wh == before.position_wh).all()


@pytest.mark.parametrize("design", DESIGNS)
def test_every_declared_plan_is_contracted_in_full(design: str) -> None:
    """Trade and last resort together bring each party's position to the plan it declared at the gate."""
    world = open_world(design=design, days=1, seed=3, worlds=2, ledger="off")
    world.reset()
    while world.t < world.slots - world.calendar.gate:
        truthful = np.array(TRUTHFUL, np.float32)
        plans = {
            role: quote(world.view(role), np.broadcast_to(truthful, (2, len(world.fleet.rows(role)), 4)), world.design)
            for role in (Role.HOME, Role.STORE, Role.SOLAR)
        }
        world.step()
        for role, made in plans.items():
            assert (world.position_wh[:, world.fleet.rows(role), world.t + 1] == made.plan_wh).all()


@every_world
def test_the_retailer_of_last_resort_steps_in_once_per_party_and_slot(design: str, bidder: str) -> None:
    """One contract closes the gap; it is never both supply and surplus."""
    run = play(design, bidder)
    is_retailer = run.world.fleet.role == Role.RETAILER
    resort = run.contracts[run.contracts["last_resort"] == 1]
    party = np.where(is_retailer[resort["seller"]], resort["buyer"], resort["seller"])
    assert len(set(zip(resort["world"], party, resort["slot"], strict=True))) == len(resort)


@every_world
def test_given_orders_are_admitted_or_refused_and_the_refusals_are_counted(design: str, bidder: str) -> None:
    """Each row has one code; the tally's refusals are the rows with a code."""
    run = play(design, bidder)
    for step in run.steps:
        assert len(step.given) == len(step.codes)
    counted = np.zeros_like(run.world.tally.refused)
    refused = run.given[run.codes != 0]
    np.add.at(counted, (refused["world"], refused["party"]), 1)
    assert (counted == run.world.tally.refused).all()


@every_world
def test_admitted_energy_is_filled_resting_cancelled_or_expired(design: str, bidder: str) -> None:
    """Over an episode, counting both sides; nothing disappears."""
    run = play(design, bidder)
    entered = filled = cancelled = expired = 0
    for step in run.steps:
        enters = (step.codes == 0) & (step.given["kind"] != Kind.CANCEL)
        entered += int(step.given["energy"][enters].sum())
        expired += int(step.outcome.expired_wh.sum()) + int(step.expired["energy"].sum())
        filled += 2 * int(step.outcome.contracts["energy"].sum())
        cancelled += step.outcome.cancelled_wh
    assert entered == filled + cancelled + expired + int(run.world.resting["energy"].sum())
    assert (entered > 0) == (design != "retail")


@every_world
def test_rewards_of_an_episode_are_postings_less_wear_plus_stored_energy(design: str, bidder: str) -> None:
    """Accrual ends where cash ends, party by party, exactly."""
    run = play(design, bidder)
    rewards = total([step.reward_ujpy for step in run.steps])
    tally, parties = run.world.tally, run.world.fleet.count
    assert (rewards == tally.money_ujpy[:, :parties].sum(-1) - tally.wear_ujpy + tally.credit_ujpy).all()
    assert (tally.money_of_parties() == rewards).all()


def test_rewards_hold_with_wear_too() -> None:
    """With 22 JPY/kWh of wear and random batteries the same sum holds, and wear is no posting."""
    worn = load_scenario("urawa-misono", {"homes.battery.wear_jpy_kwh": 22.0})
    run = play_world(open_world(worn, policies={"home": BIDDERS["dice"]}, days=1, seed=8, worlds=2))
    tally, parties = run.world.tally, run.world.fleet.count
    wear = total([wear_cost(run.world.fleet.battery, before.passed_wh) for before in run.before])
    assert (tally.wear_ujpy == wear).all()
    assert tally.wear_ujpy.sum() > 0
    rewards = total([step.reward_ujpy for step in run.steps])
    assert (rewards == tally.money_ujpy[:, :parties].sum(-1) - wear + tally.credit_ujpy).all()


def test_stored_energy_left_over_is_credited_at_the_middle_of_the_band() -> None:
    """Written out: stored gain x one-way efficiency x mean of feed-in and consumption value over the period."""
    run = play("dgp", "dice")
    world, fleet = run.world, run.world.fleet
    gain = world.stored_wh - start_charge(fleet, world.key, world.episode.first_slot)
    outside = world.episode.outside[..., : world.slots]
    for w in range(world.worlds):
        for party in range(fleet.count):
            prices = outside[w, fleet.area[party]]
            both = world.terms.feed_in_price(prices) + world.terms.consumption_value(prices)
            middle = int(both.sum()) // (2 * world.slots)
            energy = int(gain[w, party]) * int(fleet.battery.efficiency_ppm[party]) // 1_000_000
            assert world.tally.credit_ujpy[w, party] == energy * middle


@every_world
def test_postings_are_those_of_the_rules_of_settlement(design: str, bidder: str) -> None:
    """The world's books, compiled for speed, equal `market.settlement` applied to the contracts due in each slot."""
    run = play(design, bidder)
    world, contracts = run.world, run.contracts
    for t, (step, before) in enumerate(zip(run.steps, run.before, strict=True)):
        due = contracts[contracts["slot"] == first_slots(run, contracts["world"]) + t]
        money = np.zeros_like(step.money_ujpy)
        post_contracts(money, due["world"], due, world.terms, world.accounts)
        outside, now = world.episode.outside[:, :, t], world.episode.first_slot + t
        rules = world.fuel, world.terms, world.accounts
        post_delivery(money, step.reading_wh, before.plan_wh, outside, *rules, slot=now)
        assert (money == step.money_ujpy).all()


# ---------------------------------------------------------------- contracts


@every_world
def test_contracts_keep_both_limits_and_sell_price_is_at_most_buy_price(design: str, bidder: str) -> None:
    """Each side of a traded contract is an order of its party for that slot, and neither price leaves its limit.

    Where limits are not read, neither price leaves what the retailer pays and asks.
    """
    run = play(design, bidder)
    reads = "individually-rational" in run.world.design.claims
    limits: dict[tuple[int, ...], tuple[int, ...]] = {}
    for step in run.steps:
        for row in step.given[(step.codes == 0) & (step.given["kind"] != Kind.CANCEL)]:
            key = tuple(int(row[name]) for name in ("world", "party", "slot", "side", "reference"))
            # a contract of this step may still have met the order that is replaced in it
            limits[key] = (*limits.get(key, ())[-1:], int(row["price"]))
        traded = step.contracts[step.contracts["last_resort"] == 0]
        assert (traded["energy"] > 0).all()
        assert (traded["sell_price"] <= traded["buy_price"]).all()
        for row in traded:
            world, slot = int(row["world"]), int(row["slot"])
            asks = limits[world, int(row["seller"]), slot, int(Side.SELL), int(row["sell_reference"])]
            bids = limits[world, int(row["buyer"]), slot, int(Side.BUY), int(row["buy_reference"])]
            outside_ask, outside_pay = run.world.retail[int(row["market"]), run.world.fleet.area[row["buyer"]]]
            low, high = (min(asks), max(bids)) if reads else (outside_pay, outside_ask)
            assert low <= row["sell_price"] <= row["buy_price"] <= high


@every_world
def test_nobody_trades_with_itself_and_the_source_is_the_sellers(design: str, bidder: str) -> None:
    """Homes are prosumers, the mall is solar, thermal units are thermal; retailers appear in last resort only."""
    run = play(design, bidder)
    contracts, role = run.contracts, run.world.fleet.role
    assert (contracts["seller"] != contracts["buyer"]).all()
    traded = contracts[contracts["last_resort"] == 0]
    assert (role[traded["seller"]] != Role.RETAILER).all()
    assert (role[traded["buyer"]] != Role.RETAILER).all()
    wanted = {
        Role.HOME: Source.PROSUMER,
        Role.SOLAR: Source.SOLAR,
        Role.THERMAL: Source.THERMAL,
        Role.STORE: Source.GRID,
    }
    assert all(wanted[Role(int(role[row["seller"]]))] == row["source"] for row in traded)


@every_world
def test_last_resort_prices_are_the_tariff_and_feed_in(design: str, bidder: str) -> None:
    """The area's retailer sells at the supply price and buys at feed-in, with the party of its own area."""
    run = play(design, bidder)
    world, accounts = run.world, run.world.accounts
    resort = run.contracts[run.contracts["last_resort"] == 1]
    assert len(resort)
    for row in resort:
        supplies = world.fleet.role[row["seller"]] == Role.RETAILER
        retailer, party = (row["seller"], row["buyer"]) if supplies else (row["buyer"], row["seller"])
        area = accounts.party_area[party]
        assert accounts.retailer[area] == retailer
        outside = world.episode.outside[row["world"], area, row["slot"] - world.episode.first_slot[row["world"]]]
        price = world.terms.supply_price(outside) if supplies else world.terms.feed_in_price(outside)
        assert row["sell_price"] == row["buy_price"] == price


@every_world
def test_no_contract_forms_after_the_gate_of_its_slot(design: str, bidder: str) -> None:
    """Traded ones at least one hour ahead; those of last resort exactly at the gate."""
    run = play(design, bidder)
    gate = run.world.calendar.gate
    for t, step in enumerate(run.steps):
        now = run.world.episode.first_slot[step.contracts["world"]] + t
        assert (step.contracts["formed"] == now).all()
        ahead = step.contracts["slot"] - now
        last = step.contracts["last_resort"] == 1
        assert (ahead[~last] >= gate).all()
        assert (ahead[last] == gate).all()
    assert (run.opening["slot"] - first_slots(run, run.opening["world"]) < gate).all()


# ---------------------------------------------------------------- lines and devices


@pytest.mark.parametrize(("design", "bidder"), MARKETS)
def test_no_line_is_ever_used_beyond_its_capacity(design: str, bidder: str) -> None:
    """Net flow of every line, slot and world; it is what the traded contracts add up to along their paths."""
    run = play(design, bidder)
    world = run.world
    net = world.flow_wh[..., 0] - world.flow_wh[..., 1]
    assert (net <= world.capacity_wh[..., 0]).all()
    assert (-net <= world.capacity_wh[..., 1]).all()
    added = np.zeros_like(net)
    for row in run.contracts[run.contracts["last_resort"] == 0]:
        for step in world.grid.paths[row["path"]]:
            added[row["market"], abs(step) - 1] += row["energy"] if step > 0 else -row["energy"]
    assert (added == net).all()
    assert net.any() == (world.design.capacity != "local")


@pytest.mark.parametrize(("design", "bidder"), MARKETS)
def test_a_contracts_path_leads_from_its_seller_to_its_buyer(design: str, bidder: str) -> None:
    """Empty within an area; over the line in the right direction between areas."""
    run = play(design, bidder)
    area, grid = run.world.fleet.area, run.world.grid
    for row in run.contracts[run.contracts["last_resort"] == 0]:
        at = int(area[row["seller"]])
        for step in grid.paths[row["path"]]:
            line = grid.lines[abs(step) - 1]
            start, stop = (line.source, line.target) if step > 0 else (line.target, line.source)
            assert start == at
            at = stop
        assert at == area[row["buyer"]]


def test_the_line_binds_in_some_slots_and_not_in_others() -> None:
    """The reference scenario shows splitting and capacity at contract time from the first day."""
    for design in ("dgp", "spot"):
        run = play(design, "truthful", 4)
        share = run.world.tally.split.sum() / (run.world.slots * 4)
        assert 0.1 < share < 0.9


@pytest.mark.parametrize(("design", "bidder"), EVERY)
def test_thermal_units_never_sell_beyond_their_capacity(design: str, bidder: str) -> None:
    """Their net position of every slot lies between full output and nothing."""
    run = play(design, bidder)
    units = run.world.fleet.rows(Role.THERMAL)
    position = run.world.position_wh[:, units]
    assert (position <= 0).all()
    assert (position >= -run.world.fleet.thermal_wh[units][:, None]).all()


@every_world
def test_the_meter_reads_load_less_sun_plus_battery_or_what_was_sold(design: str, bidder: str) -> None:
    """Reading = load - PV + what passed the battery; thermal units and retailers deliver their plan."""
    run = play(design, bidder)
    world, dispatchable = run.world, run.world.fleet.dispatchable
    for t, (step, before) in enumerate(zip(run.steps, run.before, strict=True)):
        net = world.episode.load_wh[:, :, t] - world.episode.solar_wh[:, :, t]
        expected = np.where(dispatchable, before.plan_wh, net + before.passed_wh)
        assert (step.reading_wh == expected).all()


@every_world
def test_a_battery_that_can_cover_the_gap_brings_the_meter_to_the_plan(design: str, bidder: str) -> None:
    """Where the battery stands inside its limits after the slot, reading equals plan: energy is really delivered."""
    run = play(design, bidder)
    fleet, homes = run.world.fleet, run.world.fleet.rows(Role.HOME)
    followed = 0
    for step, before, after in zip(run.steps, run.before, [*run.before[1:], None], strict=True):
        stored = run.world.stored_wh if after is None else after.stored_wh
        free = np.abs(before.passed_wh) < fleet.battery.power_wh
        free &= (stored > 1) & (stored < fleet.battery.capacity_wh - 1)
        assert (step.reading_wh == before.plan_wh)[:, homes][free[:, homes]].all()
        followed += int(free[:, homes].sum())
    assert followed > 100


@every_world
def test_the_tallys_energies_are_those_of_contracts_and_meters(design: str, bidder: str) -> None:
    """Bought less sold is the position; import less export is the reading; short less long is reading less plan."""
    run = play(design, bidder)
    energy, parties = run.world.tally.energy_wh, run.world.fleet.senders
    reading = total([step.reading_wh for step in run.steps])
    plan = run.world.position_wh.sum(-1)
    bought = energy[..., Flow.BOUGHT] + energy[..., Flow.RESORT_SUPPLY]
    sold = energy[..., Flow.SOLD] + energy[..., Flow.RESORT_SURPLUS]
    assert ((bought - sold)[:, parties] == plan[:, parties]).all()
    assert (energy[..., Flow.IMPORT] - energy[..., Flow.EXPORT] == reading).all()
    assert (energy[..., Flow.SHORT] - energy[..., Flow.LONG] == reading - plan).all()
    assert (energy >= 0).all()


# ---------------------------------------------------------------- designs


def test_retail_never_trades() -> None:
    """No order is given and every contract is last resort."""
    run = play("retail", "dice")
    assert len(run.given) == 0
    assert (run.contracts["last_resort"] == 1).all()


def test_spot_trades_at_ten_only_and_for_tomorrow_only() -> None:
    """All orders of an episode are given in one step of each day, for the 48 slots after midnight."""
    run = play("spot", "truthful")
    for t, step in enumerate(run.steps):
        traded = step.contracts[step.contracts["last_resort"] == 0]
        assert t == 20 or not len(traded)
        assert t % 48 == 20 or not len(step.given)
        tomorrow = first_slots(run, step.given["world"]) + 48
        assert ((step.given["slot"] >= tomorrow) & (step.given["slot"] < tomorrow + 48)).all()
    assert len(np.unique(run.steps[20].given["slot"][run.steps[20].given["world"] == 0])) == 48


def test_call_trades_the_gate_slot_only() -> None:
    """Each order and contract is for the slot whose gate closes in that step."""
    run = play("call", "dice")
    for t, step in enumerate(run.steps):
        for table in (step.given, step.contracts):
            assert (table["slot"] == first_slots(run, table["world"]) + t + 2).all()


def test_dgp_takes_orders_from_the_gate_on_as_far_as_its_horizon() -> None:
    """Four open slots, the first two ahead."""
    run = play("dgp", "dice")
    for t, step in enumerate(run.steps):
        ahead = step.given["slot"] - first_slots(run, step.given["world"]) - t
        assert ((ahead >= 2) & (ahead < 6)).all()
    assert len(run.given)


@pytest.mark.parametrize("design", DESIGNS)
def test_no_order_outlives_the_gate_of_its_slot(design: str) -> None:
    """What rests after a step is for a slot that is still open; what expired is for the slot that closed."""
    world = open_world(design=design, days=1, seed=3, worlds=2, ledger="off", policies={"store": BIDDERS["dice"]})
    world.reset()
    done, rested = False, 0
    while not done:
        step = world.step()
        closed = world.episode.first_slot + world.t + world.calendar.gate - 1
        assert (world.resting["slot"] > closed[world.resting["world"]]).all()
        assert (step.expired["slot"] == closed[step.expired["world"]]).all()
        rested, done = rested + len(world.resting), step.done
    assert (rested > 0) == (design in ("dgp", "dgp-batch", "spot+intraday"))


@pytest.mark.parametrize("design", ["call", "spot"])
def test_a_uniform_design_has_one_price_per_area_and_slot(design: str) -> None:
    """Sellers of an area are paid its price, buyers of an area pay its price; without trade there is no price."""
    run = play(design, "truthful")
    area = run.world.fleet.area
    seen: dict[tuple[int, int, int], int] = {}
    for row in run.contracts[run.contracts["last_resort"] == 0]:
        for party, price in ((row["seller"], row["sell_price"]), (row["buyer"], row["buy_price"])):
            key = int(row["world"]), int(row["slot"]), int(area[party])
            assert seen.setdefault(key, int(price)) == price
    assert len(seen) > 50


def test_congestion_rent_arises_only_where_the_line_is_full() -> None:
    """In the auctions a price difference goes with a full line; in `dgp` buyer and seller name one price."""
    assert not play("dgp", "dice").world.tally.money_ujpy[..., PostingKind.RENT].any()
    run = play("call", "truthful")
    full = [run.world.full_lines(t).any(-1) for t in range(run.world.slots)]
    apart = run.contracts[run.contracts["sell_price"] < run.contracts["buy_price"]]
    assert len(apart)
    for row in apart:
        assert full[row["slot"] - run.world.episode.first_slot[row["world"]]][row["world"]]


# ---------------------------------------------------------------- repeatable


@every_world
def test_the_same_seed_gives_the_same_heads(design: str, bidder: str) -> None:
    """Two worlds built apart, the same actions, the same content heads."""
    again = play.__wrapped__(design, bidder)
    assert again.world.keeper.content_heads == play(design, bidder).world.keeper.content_heads


@pytest.mark.parametrize("bidder", ["truthful", "dice"])
@pytest.mark.parametrize("design", DESIGNS)
def test_a_world_in_a_batch_equals_the_world_alone(design: str, bidder: str) -> None:
    """World 1 of two, and a world whose seed is one higher."""
    together, alone = play(design, bidder), play(design, bidder, 1, 4)
    assert together.world.keeper.content_heads[1] == alone.world.keeper.content_heads[0]
    mine = together.contracts[together.contracts["world"] == 1]
    for name in ("slot", "seller", "buyer", "energy", "sell_price", "buy_price", "formed"):
        assert (np.sort(mine[name]) == np.sort(alone.contracts[name])).all()


def test_different_seeds_give_different_heads() -> None:
    """Four worlds and four more: eight heads."""
    heads = [head for seed in (3, 7) for head in play("dgp", "truthful", 4, seed).world.keeper.content_heads]
    assert len(set(heads)) == 8


@pytest.mark.parametrize("design", DESIGNS)
def test_every_ledger_mode_has_the_same_contracts_and_rewards(
    design: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`off`, `digest` and `full`; the last two the same content heads, `off` none."""
    off, digest = play(design, "dice", 1, 3, "off"), play(design, "dice", 1, 3)
    policies = dict.fromkeys(("home", "store", "solar", "thermal"), BIDDERS["dice"])
    folder = tmp_path_factory.mktemp("ledger") / "run"
    full = play_world(
        open_world(design=design, seed=3, policies=policies, days=digest.world.days, ledger="full", folder=folder)
    )
    for other in (off, full):
        assert other.contracts.tobytes() == digest.contracts.tobytes()
        assert all((a.reward_ujpy == b.reward_ujpy).all() for a, b in zip(other.steps, digest.steps, strict=True))
    assert full.world.keeper.content_heads == digest.world.keeper.content_heads
    assert off.world.keeper.content_heads == []


def test_a_second_episode_moves_on_by_the_number_of_worlds() -> None:
    """World i of episode n has the key seed + n x worlds + i."""
    world = open_world(worlds=2, seed=3, days=1)
    world.reset()
    world.reset()
    assert world.key == 5
    while not world.step().done:
        pass
    assert world.keeper.content_heads == play("dgp", "truthful", 2, 5).world.keeper.content_heads


# ---------------------------------------------------------------- what must be visible


def test_a_sale_that_was_never_generated_is_seen_as_shortage() -> None:
    """A home that sells its battery's whole power and has not got it pays for what is missing; the tally shows it."""
    small = load_scenario("urawa-misono", {"forecast": "naive", "homes.load_noise": 2.0})
    greedy = np.zeros((1, 5, ACTIONS), np.float32)
    greedy[..., :3], greedy[..., 3] = -1, 1
    run = play_world(open_world(small, days=1, seed=3), {Role.HOME: greedy})
    homes = run.world.fleet.rows(Role.HOME)
    energy, money = run.world.tally.energy_wh[0, homes], run.world.tally.money_ujpy[0, homes]
    assert (energy[:, Flow.SOLD] + energy[:, Flow.RESORT_SURPLUS] > 0).all()
    assert (energy[:, Flow.SHORT] > 0).all()
    assert (money[:, PostingKind.IMBALANCE] < 0).any()


def test_buying_and_selling_the_same_slot_again_is_seen_as_gross_trade() -> None:
    """Paper trading: a home whose target swings buys and sells one slot; gross trade exceeds what the meter saw."""
    world = open_world(days=1, seed=3, ledger="off", policies={"store": mark_up(0.0)})
    world.reset()
    swing = np.full((1, 5, ACTIONS), -1, np.float32)
    done = False
    while not done:
        swing[..., 3] = 1.0 if world.t % 2 else -1.0
        done = world.step({Role.HOME: swing}).done
    homes = world.fleet.rows(Role.HOME)
    energy = world.tally.energy_wh[0, homes]
    bought, sold = energy[:, Flow.BOUGHT], energy[:, Flow.SOLD]
    gross = bought + sold
    net = np.abs(world.position_wh[0, homes]).sum(-1)
    assert (np.minimum(bought, sold) > 0).any()
    assert (gross + energy[:, Flow.RESORT_SUPPLY] + energy[:, Flow.RESORT_SURPLUS] > net).any()


def test_a_shortage_pays_the_penalty_price_and_a_surplus_earns_less_than_feed_in() -> None:
    """Slot by slot: imbalance money is deviation x the flat rule's price, against the area's operator."""
    run = play("dgp", "dice")
    world, terms = run.world, run.world.terms
    for t, (step, before) in enumerate(zip(run.steps, run.before, strict=True)):
        deviation = step.reading_wh - before.plan_wh
        outside = world.episode.outside[:, world.fleet.area, t]
        short, penalty = terms.supply_price(outside) + terms.imbalance_penalty, terms.imbalance_penalty
        price = np.where(deviation > 0, short, np.maximum(terms.feed_in_price(outside) - penalty, 0))
        assert (step.money_ujpy[:, : world.fleet.count, PostingKind.IMBALANCE] == -deviation * price).all()


def test_perfect_forecasts_leave_stores_without_imbalance() -> None:
    """What was planned is what happens: no deviation of stores and no surplus sold by them."""
    seer = load_scenario("urawa-misono", {"forecast": "perfect"})
    run = play_world(open_world(seer, days=1, seed=3, ledger="off"))
    stores = run.world.fleet.rows(Role.STORE)
    energy = run.world.tally.energy_wh[0, stores]
    assert not energy[:, [Flow.SHORT, Flow.LONG, Flow.SOLD, Flow.EXPORT]].any()
    assert energy[:, Flow.IMPORT].all()


def test_warm_up_days_are_left_out_of_the_tally() -> None:
    """Two days of which the first is not counted: the tally holds the second day's postings only."""
    world = World(load_scenario("urawa-misono"), find_design("dgp"), 1, 3, days=2, warm_up_days=1, ledger="off")
    run = play_world(world)
    assert (total([step.money_ujpy for step in run.steps[48:]]) == world.tally.money_ujpy).all()
    energy = world.tally.energy_wh
    assert (
        total([step.reading_wh for step in run.steps[48:]]) == energy[..., Flow.IMPORT] - energy[..., Flow.EXPORT]
    ).all()


def test_a_rule_written_with_a_bigger_lot_trades_in_lots() -> None:
    """With a 100 Wh lot each traded energy is a whole number of lots."""
    lots = load_scenario("urawa-misono", {"lot_wh": 100})
    run = play_world(open_world(lots, days=1, seed=3, ledger="off"))
    traded = run.contracts[run.contracts["last_resort"] == 0]
    assert len(traded)
    assert not (traded["energy"] % 100).any()
