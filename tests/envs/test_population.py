"""From the scenario to the fleet and the accounts: who lives there, in which order, with which devices."""

import numpy as np

from agents.fleet import NO_COST, ROLE_NAMES, Role
from envs.population import accounts_of, fleet_of, rows_of_groups, source_of_party
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from market.contracts import Source

HOMES, STORES, MALL, UNITS, RETAILERS = slice(0, 5), slice(5, 10), slice(10, 11), slice(11, 15), slice(15, 17)


def test_parties_stand_in_the_order_homes_stores_mall_units_retailers(scenario: Scenario) -> None:
    """Names and roles of the 17 parties."""
    fleet = fleet_of(scenario)
    assert fleet.names[HOMES] == tuple(f"home-{n}" for n in range(1, 6))
    assert fleet.names[STORES] == tuple(f"store-{n}" for n in range(1, 6))
    assert fleet.names[10:] == (
        "mall",
        *(f"thermal-{n}" for n in range(1, 5)),
        "retailer-tokyo",
        "retailer-tohoku",
    )
    assert fleet.role.tolist() == [0] * 5 + [1] * 5 + [2] + [3] * 4 + [4] * 2
    assert set(ROLE_NAMES) == set(Role)


def test_powers_become_energies_of_half_an_hour(scenario: Scenario) -> None:
    """kW / 2 x 1,000 Wh: battery 2,500, unit 10,000, interchange 3,750; PV keeps its rating in W."""
    fleet = fleet_of(scenario)
    assert fleet.battery.power_wh.tolist() == [2_500] * 5 + [0] * 12
    assert fleet.battery.capacity_wh.tolist() == [10_000] * 5 + [0] * 12
    assert fleet.thermal_wh[UNITS].tolist() == [10_000] * 4
    assert fleet.export_limit_wh[HOMES].tolist() == [3_750] * 5
    assert fleet.export_limit_wh[STORES].tolist() == [0] * 5
    assert fleet.solar_w[HOMES].tolist() == [5_000] * 5
    assert fleet.solar_w[MALL].tolist() == [60_000]


def test_one_way_efficiency_squared_is_the_round_trip(scenario: Scenario) -> None:
    """There and back, to one part in 100,000."""
    one_way = fleet_of(scenario).battery.efficiency_ppm[HOMES] / 1e6
    assert np.allclose(one_way * one_way, scenario.homes[0].battery.round_trip, atol=1e-5)


def test_loads_are_the_mean_slot_of_the_year(scenario: Scenario) -> None:
    """kWh of a year over 17,520 half hours; the mall, units and retailers have none."""
    fleet = fleet_of(scenario)
    assert fleet.load_wh[HOMES].tolist() == [round(scenario.homes[0].load_kwh_year * 1_000 / 17_520)] * 5
    assert fleet.load_wh[STORES].tolist() == [round(scenario.stores[0].load_kwh_year * 1_000 / 17_520)] * 5
    assert not fleet.load_wh[10:].any()


def test_only_thermal_units_have_a_fuel_cost(scenario: Scenario) -> None:
    """The scenario's JPY/kWh in mJPY/kWh; everybody else is marked as without."""
    fleet = fleet_of(scenario)
    assert fleet.cost[UNITS].tolist() == [round(1_000 * jpy) for jpy in scenario.thermal[0].cost_jpy_kwh]
    assert (fleet.cost[UNITS] > 0).all()
    assert (np.delete(fleet.cost, np.arange(11, 15)) == NO_COST).all()
    assert fleet.dispatchable.tolist() == [False] * 11 + [True] * 6


def test_everybody_but_the_retailers_has_a_dgc(scenario: Scenario) -> None:
    """Senders are the first fifteen parties."""
    assert fleet_of(scenario).senders.tolist() == list(range(15))


def test_sources_follow_the_role(scenario: Scenario) -> None:
    """Prosumer, grid, solar, thermal."""
    source = source_of_party(fleet_of(scenario))
    assert source.tolist() == [Source.PROSUMER] * 5 + [Source.GRID] * 5 + [Source.SOLAR] + [Source.THERMAL] * 4 + [0, 0]


def test_each_area_has_its_own_retailer_and_operator(scenario: Scenario) -> None:
    """The retailer of an area stands in that area; every account has one row and one name."""
    fleet = fleet_of(scenario)
    accounts = accounts_of(scenario, fleet)
    assert [fleet.names[row] for row in accounts.retailer] == ["retailer-tokyo", "retailer-tohoku"]
    assert [accounts.party_area[row] for row in accounts.retailer] == [0, 1]
    assert accounts.names[accounts.operator(1)] == "operator:tohoku"
    assert accounts.names[accounts.line(0)] == "line:tohoku-tokyo"
    assert len(set(accounts.names)) == accounts.count


def test_another_number_of_homes_gives_another_fleet() -> None:
    """Two homes and no store: nine parties."""
    fleet = fleet_of(load_scenario("urawa-misono", {"homes.count": 2, "stores.count": 0}))
    assert fleet.count == 9
    assert len(fleet.rows(Role.STORE)) == 0
    assert fleet.rows(Role.SOLAR).tolist() == [2]


def test_groups_of_a_role_follow_one_another_with_devices_of_their_own() -> None:
    """Homes without PV and battery beside the ordinary ones, a shop with PV, two plants; a role is one run of rows."""
    flats = {"name": "flat", "area": "tokyo", "count": 3, "pv_kw": 0, "battery": {"kw": 0, "kwh": 0}}
    shop = {"name": "shop", "area": "tohoku", "count": 1, "pv_kw": 10, "battery": {"kw": 3, "kwh": 6}}
    plants = {"name": "plant", "area": "tokyo", "count": 2, "pv_kw": 50, "routers": 2}
    settings = {"homes": [{"area": "tokyo", "count": 2}, flats], "stores": [{"area": "tokyo"}, shop], "mall": [plants]}
    scenario = load_scenario("urawa-misono", settings)
    fleet, rows = fleet_of(scenario), rows_of_groups(scenario)
    assert fleet.solar_w[rows["home"]].tolist() == [5_000] * 2
    assert fleet.battery.capacity_wh[rows["flat"]].tolist() == [0] * 3
    assert (fleet.export_limit_wh[rows["shop"]].tolist(), fleet.area[rows["shop"]].tolist()) == ([5_000], [1])
    assert fleet.names[rows["plant"]] == ("plant-1", "plant-2")
    assert all((np.diff(fleet.rows(role)) == 1).all() for role in Role)


def test_routers_limit_what_a_plant_generates_and_sells() -> None:
    """Two routers of 20 kW pass 20,000 Wh per half hour, whatever the panels give (paper 3.3)."""
    fleet = fleet_of(load_scenario("urawa-misono", {"mall.routers": 2}))
    assert (fleet.export_limit_wh[MALL].tolist(), fleet.solar_limit_wh[MALL].tolist()) == ([20_000], [20_000])
