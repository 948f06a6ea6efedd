"""The nation as scenarios: one source of figures, demand and sun by area, sites that act as one party."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from agents.fleet import Role
from envs.area_series import WH_PER_SLOT_OF_MW
from envs.episode import draw_episode
from envs.japan_nine import AREAS, DEMAND_GWH, LINES, line_capacity_mw
from envs.japan_nine_data import half_hours, read_hours
from envs.loads import draw_load
from envs.opening import open_world
from envs.population import fleet_of, rows_of_groups
from envs.public_year import PublicYear, public_year
from envs.scenario import SCENARIO_FOLDER, load_scenario
from envs.scenario_schema import Scenario
from experiments.japan_scenarios import NATION_SITES, scenario_texts
from experiments.trace import TraceRecorder
from market.errors import ConfigError
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not (REAL_DATA / "area_demand").is_dir(), reason=f"published demand of the areas is not at {REAL_DATA}"
)
YEAR = 366 * HALF_HOURS.per_day


@pytest.fixture(scope="module")
def nine() -> Scenario:
    """The nine areas as a wholesale market."""
    return load_scenario("japan-nine")


@pytest.fixture(scope="module")
def nine_year(nine: Scenario) -> PublicYear:
    """Their synthetic year."""
    return public_year(nine)


@pytest.mark.parametrize("name", scenario_texts())
def test_the_files_are_what_the_tables_say(name: str) -> None:
    """No figure of these files is written by hand: `python -m experiments.japan_scenarios` writes them again."""
    assert (SCENARIO_FOLDER / name).read_text(encoding="utf-8") == scenario_texts()[name]


@pytest.mark.parametrize(("name", "on"), [("japan-nine", date(2019, 4, 1)), ("japan-nine-2025", date(2025, 4, 1))])
def test_lines_carry_what_they_carried_on_the_day(name: str, on: date) -> None:
    """Ten lines, both directions, as the backtest has them."""
    lines = load_scenario(name).lines
    found = [(line.forward_kw / 1_000, line.backward_kw / 1_000) for line in lines]
    assert [line.name for line in lines] == [name for name, _, _ in LINES]
    assert np.array_equal(found, line_capacity_mw([on])[0])


def test_a_buyer_of_a_whole_area_uses_what_the_scenario_states(nine: Scenario, nine_year: PublicYear) -> None:
    """A year's energy within a part in a thousand; evenings above nights, workdays above Sundays."""
    for row, area in enumerate(AREAS):
        load = nine_year.load_wh[f"buyer-{area}"][:YEAR, 0]
        stated = DEMAND_GWH[2019][row] * 1e9 * YEAR / HALF_HOURS.year
        assert load.sum() == pytest.approx(stated, rel=1e-3)
    by_slot = load.reshape(-1, 48).mean(0)
    assert by_slot[36] > 1.2 * by_slot[6]
    assert load[48 * 6 : 48 * 7].sum() < load[48 * 7 : 48 * 8].sum()


def test_the_loads_of_buyers_are_drawn_in_no_world(nine: Scenario, nine_year: PublicYear) -> None:
    """Every world of a batch has the same demand, as it has the same prices outside."""
    starts = nine_year.first_slot + np.array([30, 30]) * 48
    episode = draw_episode(nine, fleet_of(nine), nine_year, 5, starts, 48)
    assert np.array_equal(episode.load_wh[0], episode.load_wh[1])
    assert episode.load_wh[0, 2, 0] == nine_year.load_wh["buyer-tokyo"][30 * 48, 0]


@pytest.mark.parametrize("key", ["stores.0.count", "stores.0.weight"])
def test_a_whole_area_has_one_buyer(key: str) -> None:
    """Its demand is not to be had twice."""
    with pytest.raises(ConfigError, match="2 sites buy for the whole of 'hokkaido'"):
        load_scenario("japan-nine", {key: 2})


def test_each_area_has_a_sun_of_its_own(nine: Scenario, nine_year: PublicYear) -> None:
    """The site's is everybody's elsewhere; others' clouds are alike and not the same."""
    suns = nine_year.area_wh_per_kw
    assert suns is not None
    assert np.array_equal(suns[:, 2], nine_year.solar_wh_per_kw)
    noon = suns.reshape(-1, 48, 9)[:, 24]
    assert 0.3 < np.asarray(np.corrcoef(noon.T))[2, 8] < 0.95
    fleet = fleet_of(nine)
    start = nine_year.first_slot + np.array([40]) * 48
    episode = draw_episode(nine, fleet, nine_year, 5, start, 48)
    at = 40 * 48 + 24
    for row, area in enumerate(AREAS):
        plant = fleet.names.index(f"solar-{area}")
        assert episode.solar_wh[0, plant, 24] == suns[at, row] * fleet.solar_w[plant] // 1_000


def test_without_the_key_all_areas_have_the_sun_of_the_site() -> None:
    """Scenarios from before it keep their bytes."""
    assert public_year(load_scenario("urawa-misono")).area_wh_per_kw is None
    assert "sun_by_area" not in load_scenario("urawa-misono").model_dump()


def test_the_forecast_of_an_area_is_its_sun_under_an_error() -> None:
    """With `naive` its sun of the day before last, with `weather` near its own, with `perfect` the same."""
    found = {}
    for kind in ("naive", "weather", "perfect"):
        scenario = load_scenario("japan-nine", {"forecast": kind})
        year, fleet = public_year(scenario), fleet_of(scenario)
        rows = fleet.rows(Role.SOLAR)
        episode = draw_episode(scenario, fleet, year, 5, year.first_slot + np.array([40]) * 48, 48)
        found[kind] = np.abs(episode.net_forecast_wh[0, rows] + episode.solar_wh[0, rows]).sum()
    assert found["perfect"] == 0 < found["weather"] < found["naive"]


@needs_data
def test_published_demand_is_what_buyers_use() -> None:
    """Half hours between the published hours, in Wh; the days after the year are those of a week before."""
    nine = load_scenario("japan-nine")
    year = public_year(nine, REAL_DATA)
    first = date(2019, 4, 1)
    hours = read_hours(REAL_DATA, first, first + timedelta(days=365))
    expected = np.rint(half_hours(hours.demand_mw) * WH_PER_SLOT_OF_MW)
    for row, area in enumerate(AREAS):
        load = year.load_wh[f"buyer-{area}"][:, 0]
        assert np.array_equal(load[:YEAR], expected[:, row])
        assert np.array_equal(load[YEAR:], load[YEAR - 7 * 48 : YEAR - 4 * 48])


def test_a_party_of_many_sites_has_everything_as_many_times() -> None:
    """Load, PV, limits and battery times the weight; what is a factor or a price stays."""
    one = fleet_of(load_scenario("town"))
    row = one.names.index("home-1")
    many = fleet_of(load_scenario("town", {"homes.2.weight": 400}))
    for name in ("load_wh", "solar_w", "export_limit_wh", "start_low_wh", "start_high_wh"):
        assert getattr(many, name)[row] == 400 * getattr(one, name)[row]
    for name in ("power_wh", "capacity_wh"):
        assert getattr(many.battery, name)[row] == 400 * getattr(one.battery, name)[row]
    assert many.battery.efficiency_ppm[row] == one.battery.efficiency_ppm[row]
    assert many.solar_limit_wh[row] == one.solar_limit_wh[row]
    assert many.load_wh[0] == one.load_wh[0]


def test_many_sites_vary_as_one_party_as_they_would_apart() -> None:
    """Over the half hours of a day the summed load of 400 homes and a party of weight 400 spread alike."""
    apart = load_scenario("town", {"size": 400, "homes.0.share": 1000.0} | _no_others())
    whole = load_scenario("town", {"size": 1, "homes.0.share": 1000.0, "homes.0.weight": 400} | _no_others())
    year = public_year(apart)
    at = np.arange(30 * 48, 58 * 48)[None]
    loads = []
    for scenario in (apart, whole):
        fleet = fleet_of(scenario)
        rows = rows_of_groups(scenario)["flat"]
        load = draw_load(scenario, fleet, year, 3, np.zeros(1, np.int64), at, at + year.first_slot)[0, rows].sum(0)
        loads.append(load / year.household_ppm[at[0]])
    spread = [float(np.std(load / load.mean())) for load in loads]
    assert spread[0] == pytest.approx(0.4 / 20, rel=0.15)
    assert spread[1] == pytest.approx(spread[0], rel=0.1)
    assert loads[0].mean() == pytest.approx(loads[1].mean(), rel=0.05)


def _no_others() -> dict[str, object]:
    shares: dict[str, object] = {f"homes.{row}.share": 0.0 for row in range(1, 6)} | {
        f"stores.{row}.share": 0.0 for row in (0, 1)
    }
    counts = {f"homes.{row}.count": 0 for row in range(1, 6)} | {f"stores.{row}.count": 0 for row in (0, 1)}
    return shares | counts | {"mall.0.share": 0.0, "mall.0.count": 0}


def test_the_nation_has_fifty_million_sites_and_its_demand() -> None:
    """Sites of paper 3.2; a year's demand as published; a peak near the paper's 160 GW."""
    nation = load_scenario("nation")
    sites = sum(group.count * group.weight for group in (*nation.homes, *nation.stores))
    assert sites == pytest.approx(NATION_SITES, rel=1e-4)
    stated = sum(g.count * g.weight * g.load_kwh_year for g in (*nation.homes, *nation.stores))
    assert stated / 1e6 == pytest.approx(sum(DEMAND_GWH[2019]), rel=1e-3)
    fleet, year = fleet_of(nation), public_year(nation)
    assert 2_000 < fleet.count < 5_000
    at = np.arange(0, YEAR, 5)[None]
    load = draw_load(nation, fleet, year, 0, np.zeros(1, np.int64), at, at + year.first_slot)[0].sum(0)
    assert 135 < load.max() * 2 / 1e9 < 165


@pytest.fixture(scope="module")
def played(nine: Scenario, nine_year: PublicYear) -> TraceRecorder:
    """Two days of the nine areas in the day-ahead auction."""
    world = open_world(nine, "spot", year=nine_year, days=2, held_out=True, ledger="off")
    world.reset()
    recorder = TraceRecorder(world)
    while world.t < world.slots:
        recorder.record(world.step())
    return recorder


def test_the_nine_areas_trade_a_day_ahead(played: TraceRecorder) -> None:
    """The second day has a price in every area, at a level of those years; all demand is met; money sums to zero."""
    world, trace = played.world, played.finish()
    price = np.stack(list(trace.named("price").values()))[:, 48:]
    assert (price != NO_PRICE).all()
    assert 4_000 < price.mean() < 14_000
    assert not world.tally.money_ujpy.sum(1).any()
    buyers = world.fleet.rows(Role.STORE)
    lots = world.scenario.lot_wh
    short = world.episode.load_wh[0, buyers, 48:96] - world.position_wh[0, buyers, 48:96]
    assert ((short >= 0) & (short < lots)).all()


def test_no_line_of_the_nine_areas_carries_more_than_it_can(played: TraceRecorder) -> None:
    """Flows stay within both directions, and areas joined by a line that is not full share a price."""
    world, trace = played.world, played.finish()
    price = trace.named("price")
    for line in world.scenario.lines:
        flow = trace.named("flow_wh")[line.name][48:]
        forward, backward = trace.named("forward_wh")[line.name][48:], trace.named("backward_wh")[line.name][48:]
        assert ((flow <= forward) & (-flow <= backward)).all()
        joined = (flow < forward) & (-flow < backward)
        assert (price[line.source][48:] == price[line.target][48:])[joined].all()


def test_readings_do_not_correct_the_suns_of_areas() -> None:
    """The correction knows one sun: both keys together are refused."""
    with pytest.raises(ConfigError, match="forecast_updates: readings correct the forecast of the site's sun"):
        load_scenario("japan-nine", {"forecast_updates": True})
