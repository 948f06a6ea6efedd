"""simulate: the tables of a run, and that they repeat."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from agents.fleet import Role
from experiments.metrics import mean_price_jpy_kwh, without_limits
from experiments.simulate import Simulation, longest_days, make_order, run_episode, simulate
from experiments.trace import read_trace
from market.errors import ConfigError
from market.exchange import NO_PRICE

DESIGNS = ("dgp", "call", "spot", "spot+intraday", "supply-demand-ratio", "retail")


@pytest.fixture(scope="module", params=DESIGNS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """Two days of each design."""
    out = tmp_path_factory.mktemp(request.param) / "run"
    return simulate(make_order("urawa-misono", request.param, days=2, seed=3), out)


def test_the_same_order_writes_the_same_bytes(tmp_path: Path) -> None:
    """Config, metrics and every table repeat; only the ledger folder holds more than the tables do."""
    folders = []
    for name in ("first", "second"):
        order = make_order("urawa-misono", days=1, seed=5, policies={"home": "zero-intelligence"}, worlds=2)
        folders.append(simulate(order, tmp_path / name).folder)
    files = [sorted(path.relative_to(folder) for path in folder.rglob("*.*")) for folder in folders]
    assert files[0] == files[1]
    assert len(files[0]) >= 9
    for name in files[0]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_another_seed_gives_another_result(tmp_path: Path) -> None:
    """The heads tell two seeds apart."""
    heads = {simulate(make_order("urawa-misono", days=1, seed=s), tmp_path / str(s)).content_heads for s in (1, 2)}
    assert len(heads) == 2


def test_roles_add_up_to_parties_and_trade_balances(played: Simulation) -> None:
    """What is sold is bought, role rows are sums of party rows, and the market total is their purchases."""
    for field in ("bought_wh", "sold_wh", "short_wh", "long_wh", "cost_ujpy", "refused_rows"):
        assert sum(getattr(row, field) for row in played.roles) == sum(getattr(row, field) for row in played.parties)
    assert sum(row.bought_wh for row in played.parties) == sum(row.sold_wh for row in played.parties)
    assert sum(row.bought_wh for row in played.parties) == played.totals.traded_wh


def test_postings_written_sum_to_zero_in_every_kind(played: Simulation) -> None:
    """The table of postings balances column by column."""
    with (played.folder / "tables" / "postings.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    assert not np.array([row[1:] for row in rows], np.int64).sum(0).any()


def test_costs_of_parties_are_their_postings_with_wear_and_stored_energy(played: Simulation) -> None:
    """Cost is minus money, plus wear, less the credit for energy left in batteries."""
    with (played.folder / "tables" / "postings.csv").open(newline="") as file:
        money = {row[0]: sum(map(int, row[1:])) for row in list(csv.reader(file))[1:]}
    for row in played.parties:
        assert row.cost_ujpy == -money[row.name] + row.wear_ujpy - row.stored_credit_ujpy


def test_the_trace_agrees_with_the_tally(played: Simulation) -> None:
    """Energy by source, who traded with whom, and market totals are the same energy."""
    slots = played.trace.slots
    free = sum(int(column.sum()) for column in played.trace.named("traded_wh").values())
    assert free == played.totals.traded_wh
    assert int(played.trace.trades_wh.sum()) == free + int(slots["last_resort_wh"].sum())
    assert not np.diag(played.trace.trades_wh).any()


def test_prices_in_the_trace_lie_inside_the_band(played: Simulation) -> None:
    """Truthful trade is never worse than the retailer; only thermal units, who have no feed-in, may sell below it."""
    price, low, high = (played.trace.slots[f"{what}:tokyo"] for what in ("price", "feed_in", "value"))
    some = price != NO_PRICE
    assert some.any() == (played.order.design.name != "retail")
    cheapest = min(played.order.scenario.thermal[0].cost_jpy_kwh) * 1000
    assert (price[some] >= np.minimum(low[some], cheapest)).all()
    assert (price[some] <= high[some]).all()


def test_flow_in_the_trace_keeps_to_the_room(played: Simulation) -> None:
    """Net flow never exceeds the capacity of its direction."""
    slots = played.trace.slots
    assert (slots["flow_wh:tohoku-tokyo"] <= slots["forward_wh:tohoku-tokyo"]).all()
    assert (-slots["flow_wh:tohoku-tokyo"] <= slots["backward_wh:tohoku-tokyo"]).all()


def test_a_trace_survives_its_files(played: Simulation) -> None:
    """What is read from CSV is what was written."""
    again = read_trace(played.folder / "tables")
    assert (again.parties, again.roles) == (played.trace.parties, played.trace.roles)
    assert (again.trades_wh == played.trace.trades_wh).all()
    for name in ("slots", "devices"):
        ours, theirs = getattr(played.trace, name), getattr(again, name)
        assert list(ours) == list(theirs)
        assert all((ours[column] == theirs[column]).all() for column in ours)


def test_batteries_in_the_trace_lose_and_never_make_energy(played: Simulation) -> None:
    """A change of stored energy never exceeds what went in at the terminals, and discharge costs more than it gives."""
    passed, stored = played.trace.of_devices("passed_wh"), played.trace.of_devices("stored_wh")
    assert len(stored) == 5
    for home, column in stored.items():
        change = np.diff(column)
        assert (change <= np.maximum(passed[home][1:], 0)).all()
        assert (change[passed[home][1:] < 0] <= passed[home][1:][passed[home][1:] < 0]).all()


def test_no_table_holds_the_time_of_the_run(played: Simulation) -> None:
    """Config and metrics name no path and no clock."""
    config = json.loads((played.folder / "config.json").read_text())
    metrics = json.loads((played.folder / "metrics.json").read_text())
    assert config["data_source"] == played.order.year.source
    assert config["scenario"]["name"] == "urawa-misono"
    assert str(played.folder) not in json.dumps([config, metrics])
    assert (played.folder / "state").read_text() == "complete\n"


def test_only_splitting_designs_cancel_energy(played: Simulation) -> None:
    """Cancelled energy exists in `call` and `spot`, where the line fills in these days."""
    cancelled = played.totals.cancelled_wh
    assert (cancelled is not None) == (played.order.design.capacity == "splitting")
    assert cancelled is None or cancelled > 0


def test_nothing_is_cancelled_or_split_without_limits() -> None:
    """With ample lines the same auctions trade as if there were none."""
    order = make_order("urawa-misono", "call", days=1, seed=3)
    limited, ample = order.world(), make_order("urawa-misono", "call", days=1, seed=3).world()
    ample = type(ample)(without_limits(order.scenario), order.design, seed=3, days=1, held_out=True, year=order.year)
    volumes = []
    for world in (limited, ample):
        world.reset()
        played = run_episode(world)
        volumes.append((world.tally.energy_wh[..., 0].sum(), played.cancelled_wh, int(world.tally.split.sum())))
    assert volumes[1][1:] == (0, 0)
    assert volumes[0][0] + volumes[0][1] == volumes[1][0]


def test_mean_prices_are_weighted_by_energy() -> None:
    """1 kWh at 10 JPY and 3 kWh at 20 JPY cost 17.5 JPY/kWh; no energy has no price."""
    assert mean_price_jpy_kwh(1_000 * 10_000 + 3_000 * 20_000, 4_000) == 17.5
    assert mean_price_jpy_kwh(0, 0) is None


def test_roles_are_named_as_people_say_them() -> None:
    """`mall` is the solar plant, `homes` is a home; a role that nobody has is refused."""
    order = make_order("urawa-misono", policies={"mall": "markup:0.5", "homes": "truthful"})
    assert set(order.policies) == {Role.SOLAR, Role.HOME}
    with pytest.raises(ConfigError, match="no bidding role"):
        make_order("urawa-misono", policies={"retailer": "truthful"})


def test_the_longest_run_fits_into_the_year() -> None:
    """The bound on days is the largest that can be drawn."""
    order = make_order("urawa-misono", days=356)
    assert longest_days(order.year) == 356
    world = order.world()
    world.reset()
    assert world.episode.load_wh.shape[-1] == (356 + 2) * 48


def test_the_scenarios_lot_rules_every_trade() -> None:
    """With a lot of 50 Wh every free contract is a multiple of it, in the command as in the environments."""
    order = make_order("urawa-misono", days=1, settings={"lot_wh": 50})
    world = order.world()
    world.reset()
    sizes = []
    for _ in range(20):
        contracts = world.step().contracts
        sizes += contracts["energy"][contracts["last_resort"] == 0].tolist()
    assert sizes
    assert all(size % 50 == 0 for size in sizes)


def test_trades_of_a_group_add_up_when_parties_are_shown_by_group(played: Simulation) -> None:
    """Five homes are one row; all energy stays, and each group's sum is that of its parties."""
    trace, groups = played.trace, played.trace.by_group()
    assert groups.parties == ("home", "store", "mall", "thermal", "retailer-tokyo", "retailer-tohoku")
    assert groups.trades_wh.sum() == trace.trades_wh.sum()
    stores = [row for row, name in enumerate(trace.parties) if name.startswith("store-")]
    homes = [row for row, name in enumerate(trace.parties) if name.startswith("home-")]
    assert groups.trades_wh[0, 1] == trace.trades_wh[np.ix_(homes, stores)].sum()
