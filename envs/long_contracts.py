"""From the long contracts of a scenario to those of the rules: which parties, how much in each month and half hour."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from agents.fleet import Fleet
from envs.agreements import LongContractSpec
from envs.loads import expected_load
from envs.population import NO_LIMIT_WH, rows_of_groups
from envs.public_year import PublicYear
from envs.quantities import slot_energy_wh
from envs.scenario_schema import Scenario
from market.contracts import no_contracts
from market.long_contracts import MONTHS, LongContract, form_long_contracts
from market.slots import HALF_HOURS
from market.tables import Table, pick_rows
from market.units import PPM, Int, mjpy_from_jpy

if TYPE_CHECKING:
    from envs.world import World


def agree_long_contracts(scenario: Scenario, fleet: Fleet, year: PublicYear) -> tuple[LongContract, ...]:
    """One for each long contract and group of buyers, in the order of the file."""
    return tuple(one for said in scenario.long_contracts for one in _agree(said, scenario, fleet, year))


def _agree(said: LongContractSpec, scenario: Scenario, fleet: Fleet, year: PublicYear) -> Iterator[LongContract]:
    rows = rows_of_groups(scenario)
    if said.seller in scenario.retailer_names:
        sellers = [(fleet.names.index(said.seller), NO_LIMIT_WH)]
    else:
        units = [row for group in scenario.groups_named(said.seller) for row in _range(rows[group.name])]
        sellers = [(row, int(fleet.thermal_wh[row])) for row in units]
    for group in scenario.groups_named(said.buyer):
        if group.count:
            expected = mean_by_month(expected_load(fleet, year, group.name, rows[group.name]), year)
            wanted = tuple(tuple(month) for month in _wanted(said, expected).tolist())
            buyers = tuple(_range(rows[group.name]))
            yield LongContract(tuple(sellers), buyers, mjpy_from_jpy(said.price_jpy_kwh), wanted)


def enter_long_contracts(world: "World") -> Table:
    """Form an episode's long contracts, enter them into its books and take their room of the lines."""
    if not world.rules.agreed:
        return no_contracts()
    given = world.sources, world.episode.first_slot, world.capacity_wh, world.calendar
    contracts, world.flow_wh = form_long_contracts(world.rules.agreed, world.accounts, *given)
    world.books.enter(contracts, world.opening_reward_ujpy)
    # a price that nobody in the market has seen is not the usual one
    world.books.traded[:] = 0
    return contracts


def long_contracts_of(world: "World") -> Table:
    """Contracts of the world's episode that were agreed before the market opened, as they formed."""
    opening = world.keeper.worlds.opening
    return pick_rows(opening, opening["last_resort"] == 0)


def mean_by_month(series_wh: Int, year: PublicYear) -> Int:
    """Means of a year's series by month and half hour of the day (MONTHS, per_day) [Wh], rounded down."""
    days = len(series_wh) // HALF_HOURS.per_day
    month = [HALF_HOURS.day_of(year.first_slot + day * HALF_HOURS.per_day).month - 1 for day in range(days)]
    total = np.zeros((MONTHS, HALF_HOURS.per_day), np.int64)
    np.add.at(total, month, series_wh[: days * HALF_HOURS.per_day].reshape(days, -1))
    return total // np.bincount(month, minlength=MONTHS)[:, None]


def _wanted(said: LongContractSpec, expected_wh: Int) -> Int:
    """What each buyer takes, (MONTHS, per_day) [Wh], rounded down."""
    mean = int(expected_wh.sum()) // expected_wh.size
    profile = expected_wh if said.profile == "load" else np.full_like(expected_wh, mean)
    if said.share is not None:
        return profile * round(said.share * PPM) // PPM
    return profile * slot_energy_wh(said.kw or 0) // mean


def _range(rows: slice) -> range:
    return range(rows.start, rows.stop)
