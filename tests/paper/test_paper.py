"""One test per claim of the paper that the product carries out now.

R. Abe, 「ブロックチェーンを使った電力取引の研究と実践」, Denki Hyoron, summer 2018. Each docstring names
the section and, in brackets, the item of the numbered inventory kept with the design.
"""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from agents.fleet import Role
from agents.forecasting import seasonal_naive
from agents.observing import NO_QUOTE
from agents.policies import FixedPolicy
from agents.quoting import TRUTHFUL, quote
from envs.opening import open_world
from envs.population import fleet_of
from envs.scenario import load_scenario
from envs.tally import Flow
from ledger.admission import check_rows
from ledger.audit import verify
from ledger.drill import flip_bits
from ledger.keys import (
    SoftwareSigner,
    create_key_file,
    is_signed_by,
    load_signer,
    simulation_chain_id,
    simulation_signer,
)
from market.certificates import Denial, issue, open_register, retire, transfer
from market.committed import look_ahead, use_of
from market.contracts import CONTRACT_FIELDS, Source
from market.design import find_design
from market.errors import LedgerError, Refusal
from market.exchange import trade
from market.grid import Grid, Line
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.planning import Entry, Stage, build_plans, check_plans
from market.settlement import PostingKind
from market.slots import HALF_HOURS, SlotCalendar
from market.tables import Table
from tests.played import DESIGNS, Played, play, play_world

DGP = find_design("dgp")
TWO = Grid(("tokyo", "tohoku"), (Line("tohoku-tokyo", 1, 0),))


def order(side: Side, party: int, area: int, energy: int, price: int, sequence: int, slot: int = 1_002) -> Table:
    """One new order."""
    row = np.zeros(1, ORDER)
    row["side"], row["party"], row["area"], row["energy"], row["price"] = side, party, area, energy, price
    row["kind"], row["time_in_force"], row["slot"] = Kind.NEW, TimeInForce.UNTIL_GATE, slot
    row["sequence"], row["reference"] = sequence, sequence
    return row


def room(wh: int) -> tuple[np.ndarray, np.ndarray]:
    """Capacity and use of the one line of one market."""
    return np.full((1, 1, 2), wh, np.int64), np.zeros((1, 1, 2), np.int64)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Played]:
    """A day in `dgp` with a signed ledger."""
    folder = tmp_path_factory.mktemp("paper") / "ledger"
    return folder, play_world(open_world(design="dgp", days=1, seed=3, ledger="full", folder=folder))


# ---------------------------------------------------------------- 1.1 and 2.1: the record


def test_the_order_of_transactions_fixes_the_chain(signed: tuple[Path, Played]) -> None:
    """Paper 1.1 and 2.1 [2, 3, 34]: hashes are linked: the same transactions give the same chain, others not."""
    _, run = signed
    head = run.world.keeper.content_heads
    assert play("dgp", "truthful", 1, 3).world.keeper.content_heads == head
    assert play("dgp", "truthful", 1, 4).world.keeper.content_heads != head


def test_tampering_is_found(signed: tuple[Path, Played]) -> None:
    """Paper 1.1 and 2.1 [3, 35]: whoever changes a bit anywhere in the record is found by comparing hashes."""
    assert all(flip.finding for flip in flip_bits(signed[0], 5, seed=1))


def test_a_copy_of_the_record_proves_itself_anywhere(signed: tuple[Path, Played], tmp_path: Path) -> None:
    """Paper 1.1 and 2.1 [4, 36, 38]: one surviving copy is enough; it is verified without the world that wrote it."""
    folder, run = signed
    here = tmp_path / "ledger"
    for path in folder.rglob("*"):
        if path.is_file():
            target = here / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert verify(here, run.world.keeper.chain_head).ok


def test_a_copy_that_differs_from_the_others_is_known_by_its_head(signed: tuple[Path, Played]) -> None:
    """Paper 2.1 [35]: comparison of hashes with another server reveals which record is not the agreed one."""
    verdict = verify(signed[0], bytes(32))
    assert not verdict.ok
    assert "head" in verdict.lines[0]


def test_inputs_program_and_result_are_kept_and_can_be_run_again(signed: tuple[Path, Played]) -> None:
    """Paper 1.1 and 2.2 [6, 40, 41, 43]: matching, prices and bills are derived anew and equal what was recorded."""
    folder, run = signed
    verdict = verify(folder)
    assert verdict.ok, verdict.lines
    assert verdict.counts["steps"] == 48
    assert verdict.counts["orders"] == len(run.given)
    assert verdict.counts["contracts"] == len(run.contracts)
    assert verdict.content_heads == tuple(run.world.keeper.content_heads)


# ---------------------------------------------------------------- 1.2 and 1.3: half hours, contracts, plans


def test_balance_is_settled_over_half_hours() -> None:
    """Paper 1.2 [8]: 30分同時同量; reading, plan and imbalance are one number per party and 30 minutes."""
    assert HALF_HOURS.minutes == 30
    assert HALF_HOURS.per_day == 48
    run = play("dgp")
    assert run.world.slots == 48
    assert all(step.reading_wh.shape == (2, run.world.fleet.count) for step in run.steps)


def test_a_slot_of_fifteen_minutes_has_its_gate_an_hour_before_too() -> None:
    """Paper 3.1 [47]: Europe and the US balance over 15 minutes; the calendar allows it."""
    assert SlotCalendar(15).gate == 4
    assert SlotCalendar(15).per_day == 96


def test_a_contract_ties_one_seller_to_one_buyer() -> None:
    """Paper 1.3 [12, 71]: 相対; every contract of a day names a seller and another party that buys, in each design."""
    for design in ("dgp", "call", "spot", "retail"):
        run = play(design)
        contracts = run.contracts
        assert len(contracts)
        assert (contracts["seller"] != contracts["buyer"]).all()
        assert (np.minimum(contracts["seller"], contracts["buyer"]) >= 0).all()
        assert (np.maximum(contracts["seller"], contracts["buyer"]) < run.world.fleet.count).all()


def test_a_contract_says_when_how_much_at_what_price_from_whom_to_whom() -> None:
    """Paper 1.3 [13]: day and time, energy, price, generator and consumer; and what the energy comes from."""
    names = {field.name for field in CONTRACT_FIELDS if field.wire}
    assert {"slot", "energy", "sell_price", "buy_price", "seller", "buyer", "source"} <= names
    traded = play("dgp").contracts
    traded = traded[traded["last_resort"] == 0]
    assert (traded["energy"] > 0).all()
    assert {Source.THERMAL, Source.SOLAR} <= {Source(int(source)) for source in np.unique(traded["source"])}
    assert HALF_HOURS.label(int(traded["slot"][0])).startswith(("2018", "2019"))


def test_the_counterparty_changes_every_half_hour_and_the_supply_goes_on() -> None:
    """Paper 1.2 to 1.4 [9, 14, 16, 19]: a store buys all; its suppliers differ between slots, its plan is covered."""
    run = play("dgp")
    store = int(run.world.fleet.rows(Role.STORE)[0])
    bought = run.contracts[(run.contracts["buyer"] == store) & (run.contracts["world"] == 0)]
    sellers = {slot: frozenset(bought["seller"][bought["slot"] == slot].tolist()) for slot in np.unique(bought["slot"])}
    assert len(sellers) == 48
    assert len(set(sellers.values())) > 3


def test_a_generator_generates_what_it_contracted() -> None:
    """Paper 1.3 and 4.2 [15, 69]: 計画値同時同量; a thermal unit's reading is its plan is what it sold."""
    run = play("dgp")
    units = run.world.fleet.rows(Role.THERMAL)
    sold = 0
    for step, before in zip(run.steps, run.before, strict=True):
        assert (step.reading_wh[:, units] == before.plan_wh[:, units]).all()
        assert (before.plan_wh[:, units] == before.position_wh[:, units]).all()
        sold += int(-step.reading_wh[:, units].sum())
    assert sold > 0


@pytest.mark.parametrize("design", DESIGNS)
def test_plans_can_change_until_one_hour_before(design: str) -> None:
    """Paper 1.3 and 4.2 [18, 68]: the gate of a slot closes one hour, two slots, before it starts."""
    assert HALF_HOURS.gate * HALF_HOURS.minutes == 60
    for t, step in enumerate((run := play(design)).steps):
        assert (step.contracts["slot"] - run.world.episode.first_slot[step.contracts["world"]] >= t + 2).all()


def test_an_order_after_the_gate_is_refused() -> None:
    """Paper 1.3 [18]: the slot of the gate is open, the one before is closed."""
    now = np.array([1_000])
    rows = np.concatenate([order(Side.BUY, 0, 0, 5, 10_000, n, 1_001 + n) for n in range(2)])
    rows["reference"] = [1, 2]
    assert check_rows(DGP, TWO, rows, now, now + 48, HALF_HOURS).tolist() == [Refusal.CLOSED, Refusal.ADMITTED]


def test_with_true_forecasts_imbalance_hardly_ever_occurs() -> None:
    """Paper 1.3 [18]: with plans up to the gate, imbalance is below 1 % of the energy; with real forecasts more."""
    share = {}
    for forecast in ("perfect", "weather"):
        scenario = load_scenario("urawa-misono", {"forecast": forecast})
        run = play_world(open_world(scenario, days=1, seed=3, worlds=4, ledger="off"))
        energy = run.world.tally.energy_wh.sum((0, 1))
        share[forecast] = (energy[Flow.SHORT] + energy[Flow.LONG]) / energy[Flow.IMPORT]
    assert share["perfect"] < 0.01 < share["weather"] < 0.25


# ---------------------------------------------------------------- 1.4: flow, splitting, the DGC


def test_the_flow_of_a_future_slot_is_known_from_its_contracts() -> None:
    """Paper 1.4 [20]: contracts one to one let the flow be assumed; committed flow is their sum before delivery."""
    world = open_world(design="dgp", days=1, seed=3, ledger="off")
    world.reset()
    known = 0
    while world.t < 40:
        step = world.step()
        ahead = step.contracts[(step.contracts["path"] > 0)]
        known += int(ahead["energy"].sum())
        future = (world.flow_wh[world.t + 1 :, 0, 0] + world.flow_wh[world.t + 1 :, 0, 1]).sum()
        assert future >= int(ahead["energy"].sum())
    assert known > 0


def test_a_full_line_splits_the_market_into_two_prices() -> None:
    """Paper 1.2 and 1.4 [10, 21]: 市場分断 in `spot`; where capacity is short each area has its own price, else one."""
    orders = np.concatenate([order(Side.BUY, 0, 0, 1_000, 20_000, 1), order(Side.SELL, 1, 1, 1_000, 8_000, 2)])
    orders = np.concatenate([orders, order(Side.SELL, 2, 0, 1_000, 15_000, 3)])
    spot, now = find_design("spot"), np.array([1_000])
    tight = trade(spot, TWO, no_orders(), orders, *room(400), now)
    wide = trade(spot, TWO, no_orders(), orders, *room(2_000), now)
    assert tight.price is not None
    assert wide.price is not None
    assert tight.price[0, 0] == 15_000 > tight.price[0, 1] == 8_000
    assert wide.price[0, 0] == wide.price[0, 1]
    assert int(tight.flow_wh[0, 0, 0]) == 400


def test_a_contract_beyond_the_lines_capacity_never_forms() -> None:
    """Paper 1.4 [22]: 送電容量を超える取引は契約が成立しない; what fits forms, the rest waits."""
    ask, bid = order(Side.SELL, 1, 1, 1_000, 8_000, 1), order(Side.BUY, 0, 0, 1_000, 20_000, 2)
    outcome = trade(DGP, TWO, no_orders(), np.concatenate([ask, bid]), *room(400), np.array([1_000]))
    assert outcome.contracts["energy"].tolist() == [400]
    assert sorted(outcome.resting["energy"].tolist()) == [600, 600]
    full = trade(
        DGP,
        TWO,
        outcome.resting,
        order(Side.BUY, 2, 0, 50, 30_000, 3),
        *room(400)[:1],
        outcome.flow_wh,
        np.array([1_000]),
    )
    assert len(full.contracts) == 0


def test_an_opposite_contract_makes_room_again() -> None:
    """Paper 1.4 [22]: capacity is used by net flow; a contract the other way frees what it carries."""
    first = np.concatenate([order(Side.SELL, 1, 1, 400, 8_000, 1), order(Side.BUY, 0, 0, 400, 9_000, 2)])
    capacity, use = room(400)
    one = trade(DGP, TWO, no_orders(), first, capacity, use, np.array([1_000]))
    back = np.concatenate([order(Side.SELL, 2, 0, 100, 8_000, 3), order(Side.BUY, 3, 1, 100, 9_000, 4)])
    two = trade(DGP, TWO, one.resting, back, capacity, one.flow_wh, np.array([1_000]))
    again = np.concatenate([order(Side.SELL, 1, 1, 500, 8_000, 5), order(Side.BUY, 0, 0, 500, 9_000, 6)])
    three = trade(DGP, TWO, two.resting, again, capacity, two.flow_wh, np.array([1_000]))
    assert [outcome.contracts["energy"].sum() for outcome in (one, two, three)] == [400, 100, 100]


def test_splitting_is_known_before_the_day_when_trade_is_a_year_ahead() -> None:
    """Paper 1.4 [22]: with orders for tomorrow placed today, the line of a slot of tomorrow is full today already."""
    now = np.array([1_000])
    far = np.concatenate([order(Side.SELL, 1, 1, 400, 8_000, 1, 1_070), order(Side.BUY, 0, 0, 400, 9_000, 2, 1_070)])
    outcome = trade(DGP.with_horizon(HALF_HOURS.year), TWO, no_orders(), far, *room(400), now)
    assert int(outcome.contracts["slot"][0]) - int(outcome.contracts["formed"][0]) == 70
    assert int(outcome.flow_wh[0, 0, 0]) == 400


def test_committed_flow_and_full_slots_can_be_asked_for_the_whole_year_ahead() -> None:
    """Paper 1.4 [20, 22]: for each of 48 x 365 slots, what contracts commit on the line and whether it is full."""
    now, last = np.array([1_000]), 1_000 + 1 + HALF_HOURS.year
    far = np.concatenate([order(Side.SELL, 1, 1, 400, 8_000, 1, last), order(Side.BUY, 0, 0, 400, 9_000, 2, last)])
    far["market"] = HALF_HOURS.year - 1
    capacity = np.full((HALF_HOURS.year, 1, 2), 400)
    outcome = trade(DGP.with_horizon(HALF_HOURS.year), TWO, no_orders(), far, capacity, 0 * capacity, now)
    slots = 1_000 + HALF_HOURS.gate + np.arange(HALF_HOURS.year)
    ahead = look_ahead(DGP, TWO, slots, capacity, outcome.flow_wh)
    assert slots[ahead.full.any((1, 2))].tolist() == [last]
    assert ahead.net_wh[-1].tolist() == [400]
    assert (use_of(TWO, outcome.contracts, int(slots[0]), HALF_HOURS.year) == outcome.flow_wh).all()


def test_a_dgc_forecasts_prices_and_orders() -> None:
    """Paper 1.4 [23, 24]: forecast demand, decide the quantity, compute a desirable price, place the buy order."""
    world = open_world(design="dgp", days=1, seed=3, ledger="off")
    world.reset()
    view = world.view(Role.STORE)
    history = np.concatenate([world.episode.history_wh, world.episode.load_wh], -1)[:, 5:10]
    assert (view.net_wh[..., :48] == seasonal_naive(history, 48)[..., :48]).all()
    made = quote(view, np.broadcast_to(np.array(TRUTHFUL, np.float32), (1, 5, 4)), world.design)
    step = world.step()
    placed = step.given[np.isin(step.given["party"], world.fleet.rows(Role.STORE))]
    assert (placed["side"] == Side.BUY).all()
    assert placed["energy"].tolist() == made.wanted_wh[0].reshape(-1).tolist()
    assert placed["price"].tolist() == made.price[0].reshape(-1).tolist()


def test_the_key_cannot_be_taken_out_of_the_dgc(tmp_path: Path) -> None:
    """Paper 1.4 [25]: a signer signs; it is not printed, copied or pickled, and no attribute of it holds the key."""
    signer = create_key_file(tmp_path / "device.key")
    secret = (tmp_path / "device.key").read_text("ascii").splitlines()[1]
    assert secret not in repr(signer)
    for take in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            take(signer)
    shown = {name for name in dir(signer) if not name.startswith("_")}
    assert shown == {"key_id", "public_key", "sign", "generate"}


def test_a_device_has_the_same_key_after_a_restart_and_a_simulation_never_a_real_one(tmp_path: Path) -> None:
    """Paper 1.4 [25]: the key file keeps the identity; derived keys exist on chains marked as simulations only."""
    signer = create_key_file(tmp_path / "device.key")
    assert load_signer(tmp_path / "device.key").public_key == signer.public_key
    with pytest.raises(LedgerError):
        simulation_signer(bytes(16), 1, "home-1")
    assert simulation_signer(simulation_chain_id(1, b""), 1, "home-1").public_key != signer.public_key


def test_an_order_is_signed_and_a_changed_order_is_not(signed: tuple[Path, Played]) -> None:
    """Paper 1.4 [26]: the DGC signs its order; anyone can check it with the public key, nobody can alter it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signer = SoftwareSigner.generate()
    public, signature = Ed25519PublicKey.from_public_bytes(signer.public_key), signer.sign(b"buy 1 kWh at 10 JPY")
    assert is_signed_by(public, signature, b"buy 1 kWh at 10 JPY")
    assert not is_signed_by(public, signature, b"buy 9 kWh at 10 JPY")
    assert verify(signed[0]).counts["envelopes"] == 48 * signed[1].world.fleet.count


def test_generators_see_the_buy_orders_they_answer() -> None:
    """Paper 1.4 [27]: sell orders respond to the demand's buy orders; a thermal unit's observation shows the bids."""
    patient = FixedPolicy("low", (1.0, 1.0, -1.0, 0.0))
    world = open_world(design="dgp", days=1, seed=3, ledger="off", policies={"store": patient, "thermal": patient})
    world.reset()
    world.step()
    assert (world.view(Role.THERMAL).best_bid != NO_QUOTE).any()


def test_a_year_of_half_hours_is_open_at_once() -> None:
    """Paper 1.4 and 3.2 [28, 49]: 48 x 365 slots; the farthest takes an order and trades, the one beyond refuses."""
    year = DGP.with_horizon(48 * 365)
    assert HALF_HOURS.year == year.horizon == 17_520
    now, gate = np.array([1_000]), HALF_HOURS.gate
    last = 1_000 + gate + 17_520 - 1
    rows = np.concatenate([order(Side.BUY, 0, 0, 5, 10_000, 1, last), order(Side.BUY, 0, 0, 5, 10_000, 2, last + 1)])
    codes = check_rows(year, TWO, rows, now, now + 40_000, HALF_HOURS)
    assert codes.tolist() == [Refusal.ADMITTED, Refusal.BEYOND_HORIZON]
    pair = np.concatenate([rows[:1], order(Side.SELL, 1, 1, 5, 10_000, 3, last)])
    assert trade(year, TWO, no_orders(), pair, *room(9), now).contracts["slot"].tolist() == [last]


def test_17520_books_trade_in_one_call() -> None:
    """Paper 1.4 [28]: a buyer and a seller in every slot of a year give 17,520 contracts, one in each."""
    count = 48 * 365
    bids, asks = (
        np.repeat(order(Side.BUY, 0, 0, 5, 12_000, 0), count),
        np.repeat(order(Side.SELL, 1, 1, 5, 9_000, 0), count),
    )
    rows = np.concatenate([asks, bids])
    rows["market"] = np.tile(np.arange(count), 2)
    rows["slot"], rows["sequence"] = 1_002 + rows["market"], np.arange(2 * count)
    rows["reference"] = rows["slot"]
    capacity = np.full((count, 1, 2), 9, np.int64)
    outcome = trade(DGP, TWO, no_orders(), rows, capacity, np.zeros_like(capacity), np.array([1_000]))
    assert np.sort(outcome.contracts["slot"]).tolist() == list(range(1_002, 1_002 + count))
    assert len(outcome.resting) == 0


def test_price_and_quantity_that_agree_make_a_contract_and_others_wait() -> None:
    """Paper 1.4 [29]: like a stock market: a bid below the ask rests, one that meets it trades at the resting price."""
    ask = order(Side.SELL, 1, 0, 100, 10_000, 1)
    low = trade(DGP, TWO, ask, order(Side.BUY, 0, 0, 100, 9_990, 2), *room(0), np.array([1_000]))
    met = trade(DGP, TWO, ask, order(Side.BUY, 0, 0, 60, 11_000, 2), *room(0), np.array([1_000]))
    assert len(low.contracts) == 0
    assert len(low.resting) == 2
    assert met.contracts[["energy", "sell_price", "buy_price"]].tolist() == [(60, 10_000, 10_000)]


# ---------------------------------------------------------------- 3: distributed sources, Urawa-Misono


def test_the_site_is_the_demonstration_in_urawa_misono() -> None:
    """Paper 3.3 [56, 60]: 60 kW PV at the mall, 5 houses with PV and batteries, 5 stores, dummy thermal generation."""
    scenario = load_scenario("urawa-misono")
    fleet = fleet_of(scenario)
    counts = {role: len(fleet.rows(role)) for role in Role}
    assert (counts[Role.HOME], counts[Role.STORE], counts[Role.SOLAR]) == (5, 5, 1)
    assert counts[Role.THERMAL] > 0
    assert fleet.solar_w[fleet.rows(Role.SOLAR)].tolist() == [60_000]
    homes = fleet.rows(Role.HOME)
    assert (fleet.solar_w[homes] > 0).all()
    assert (fleet.battery.capacity_wh[homes] > 0).all()


def test_routers_have_the_powers_of_the_paper() -> None:
    """Paper 3.3 [58]: 20 kW solar inverters, three for 60 kW; homes 5 kW battery, 5 kW PV, 7.5 kW interchange."""
    scenario = load_scenario("urawa-misono")
    assert scenario.mall[0].pv_kw / scenario.mall[0].routers == 20
    homes, fleet = scenario.homes[0], fleet_of(scenario)
    assert (homes.battery.kw, homes.pv_kw, homes.export_limit_kw) == (5.0, 5.0, 7.5)
    assert fleet.battery.power_wh[0] == 2_500
    assert fleet.export_limit_wh[0] == 3_750


def test_no_home_offers_more_than_its_interchange_carries() -> None:
    """Paper 3.3 [58]: 家庭間電力融通 of 7.5 kW: net sales of a home in a slot stay within 3,750 Wh."""
    run = play("dgp", "truthful", 4)
    traded = run.contracts[run.contracts["last_resort"] == 0]
    net: dict[tuple[int, int, int], int] = {}
    for row in traded:
        for party, energy in ((row["seller"], row["energy"]), (row["buyer"], -row["energy"])):
            key = int(row["world"]), int(party), int(row["slot"])
            net[key] = net.get(key, 0) + int(energy)
    assert max(energy for (_, party, _), energy in net.items() if party < 5) <= 3_750


def test_what_a_home_delivers_keeps_the_interchange_and_the_contract() -> None:
    """Paper 3.3 [57, 58]: a home's router passes 7.5 kW whatever was planned; PV gives only what is contracted."""
    settings = {"homes.pv_kw": 20.0, "homes.limit_delivery": True}
    bound = open_world(load_scenario("urawa-misono", settings), "dgp", seed=3, days=1, ledger="off")
    strict = open_world(load_scenario("urawa-misono", {"homes.curtail_to_contract": True}), "dgp", seed=3, days=1)
    least = []
    for world in (bound, strict):
        world.reset()
        while world.t < world.slots:
            world.step()
            if world is bound:
                least.append(int(world.reading_wh[:, :5].min()))
            else:
                assert (world.reading_wh[:, :5] >= np.minimum(world.plan_wh[:, :5, world.t - 1], 0)).all()
    assert min(least) == -3_750


def test_cars_and_fuel_cells_are_small_sources_of_a_town() -> None:
    """Paper 3.2 [51]: car batteries feed homes, fuel cells make electricity behind the meter."""
    world = open_world(load_scenario("town", {"size": 300}), "dgp", seed=2, days=1, ledger="off")
    world.reset()
    fed = made = 0
    while world.t < world.slots:
        world.step()
        assert world.behind.homes
        point = world.behind.homes.set_point
        fed, made = fed + np.maximum(-point["vehicle_wh"], 0).sum(), made + point["fuel_cell_wh"].sum()
    assert fed > 0
    assert made > 0


def test_small_sources_join_by_their_own_orders() -> None:
    """Paper 3.2 [48, 53]: homes and the mall sell without anybody's schedule; their contracts name them as source."""
    run = play("dgp", "truthful", 4)
    traded = run.contracts[run.contracts["last_resort"] == 0]
    assert {Source.PROSUMER, Source.SOLAR} <= set(traded["source"].tolist())


# ---------------------------------------------------------------- 4: retail, payment, plans


def test_buyer_pays_and_seller_is_paid_through_the_collection_agent() -> None:
    """Paper 1.3 and 4.1 [17, 66]: 収納代行; what the agent takes in it pays out: its account is zero each slot."""
    for design in ("dgp", "call", "spot", "retail"):
        run = play(design)
        agent = run.world.accounts.row("collection")
        moved = 0
        for step in run.steps:
            assert not step.money_ujpy[:, agent].sum(-1).any()
            moved += int(np.abs(step.money_ujpy[:, agent]).sum())
        # a contract of last resort enters and leaves the agent as one kind of posting
        assert (moved > 0) == (design != "retail")


def test_each_retailer_and_generator_states_a_plan_and_its_deviation_costs() -> None:
    """Paper 3.1 and 4.2 [46, 67, 69]: deviation of meter from plan is imbalance with penalty, for demand and supply."""
    run = play("dgp", "dice")
    parties = run.world.fleet.count
    for t, (step, before) in enumerate(zip(run.steps, run.before, strict=True)):
        deviation = step.reading_wh - before.plan_wh
        paid = step.money_ujpy[:, :parties, PostingKind.IMBALANCE]
        assert ((deviation > 0) <= (paid < 0)).all()
        outside = run.world.episode.outside[:, run.world.fleet.area, t]
        contract = -np.abs(deviation) * run.world.terms.supply_price(outside)
        assert (paid[deviation > 0] < contract[deviation > 0]).all()


def test_demand_and_supply_plans_of_a_contract_agree() -> None:
    """Paper 4.1 and 4.2 [65, 70]: the plans of all parties sum to zero in every slot: 計画値同時同量."""
    for design in ("dgp", "call", "spot", "retail"):
        for before in play(design).before:
            assert not before.plan_wh.sum(1).any()


def test_plans_are_sent_monthly_weekly_daily_and_at_the_gate() -> None:
    """Paper 4.2 [67, 68]: contracts fill the plans of their time, both sides agree in each, the last has all."""
    contracts = play("dgp").contracts.copy()
    early = np.flatnonzero(contracts["last_resort"] == 0)[::2]
    contracts["formed"][early] -= 100 * HALF_HOURS.per_day
    planned = []
    for stage in Stage:
        plans = build_plans(contracts, stage, HALF_HOURS)
        assert not len(check_plans(plans))
        planned.append(int(plans["energy"][plans["entry"] == Entry.PROCUREMENT].sum()))
    assert 0 < planned[0] <= planned[1] <= planned[2] < planned[3] == contracts["energy"].sum()


def test_each_metered_renewable_kilowatt_hour_is_certified_once() -> None:
    """Paper 1.4 and 2.2 [32, 42]: the meters of a day's PV surplus issue certificates once; a store retires some."""
    run = play("dgp")
    mall = int(run.world.fleet.rows(Role.SOLAR)[0])
    store = int(run.world.fleet.rows(Role.STORE)[0])
    register = open_register(np.array([mall]))
    metered = 0
    for t, step in enumerate(run.steps):
        surplus = np.maximum(-step.reading_wh[0, [mall]], 0)
        metered += int(surplus[0])
        for _ in range(2):
            register, _ = issue(register, t, np.array([0]), surplus)
    assert register.issued == metered // 1_000 > 3
    register, _ = transfer(register, 0, 3, mall, store)
    register, _ = retire(register, 0, 2, store, len(run.steps))
    assert retire(register, 0, 2, store, len(run.steps))[1] == Denial.RETIRED
    assert (register.held_by(mall), register.held_by(store)) == (register.issued - 3, 1)


def test_energy_is_certified_from_a_generator_to_a_consumer() -> None:
    """Paper 4.2 [71]: the contract names both, and what a store's contracts deliver is what its plan says."""
    run = play("dgp")
    store = int(run.world.fleet.rows(Role.STORE)[2])
    mine = run.contracts[
        (run.contracts["world"] == 0) & ((run.contracts["buyer"] == store) | (run.contracts["seller"] == store))
    ]
    for t, before in enumerate(run.before):
        due = mine[mine["slot"] == run.world.episode.first_slot[0] + t]
        signs = np.where(due["buyer"] == store, 1, -1)
        assert int((due["energy"] * signs).sum()) == before.plan_wh[0, store]


def test_perfect_knowledge_makes_the_contracted_plan_the_delivered_one() -> None:
    """Paper 4.2 [70, 72]: with true forecasts every store's 30 minutes are delivered as contracted."""
    seer = load_scenario("urawa-misono", {"forecast": "perfect"})
    run = play_world(open_world(seer, days=1, seed=3, ledger="off"))
    stores = run.world.fleet.rows(Role.STORE)
    for step, before in zip(run.steps, run.before, strict=True):
        assert (step.reading_wh[:, stores] == before.plan_wh[:, stores]).all()
