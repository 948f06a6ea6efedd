"""The oracle: the most a party could have had in a finished run, knowing load, sun and prices before.

A linear programme (HiGHS) over the run's slots. In each slot the party may trade at the realised clearing price of its
area, as much as its meter and battery could ever need or as it traded, whichever is more; buy at tariff and sell at
feed-in without bound; run its battery without the rounding of whole Wh. Stored energy is credited as the world does.

*When it is a bound.* In a design without a market (`retail`) and in uniform auctions (`call`, `spot`) under the
imbalance rule `flat`, no bidder whatever can have more in that run: every kWh it traded had the area's clearing price,
every kWh planned but not traded the retailer's, every kWh of deviation one that is no better than the retailer's, and
its battery's path is one the programme may choose. Prices are data of the run, so a party large enough to move them
could have done better in another run: over runs it is a bound for price-takers only. In `retail` nobody moves a price,
so there one oracle bounds every bidder. Continuous and other designs have no one price; they are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agents.fleet import NO_COST
from envs.world import World
from market.errors import ConfigError
from market.exchange import NO_PRICE
from market.units import PPM, Int

Floats = npt.NDArray[np.float64]


@dataclass
class Course:
    """How a run went, filled slot by slot.

    price (w, areas, T): clearing price [mJPY/kWh], NO_PRICE without; traded_wh (w, parties, T): energy of contracts
    that are not last resort; stored_wh (w, parties, T + 1): before each slot and at the end.
    """

    world: World
    price: Int
    traded_wh: Int
    stored_wh: Int
    money_ujpy: Int = field(init=False)


def play_course(world: World) -> Course:
    """Play a world that is not reset to its end; raises ConfigError where the oracle would be no bound."""
    design, rule = world.design, world.terms.imbalance.rule
    if design.pairs not in ("none", "uniform"):
        raise ConfigError(
            f"{design.name!r} has no one price for each area and slot", where="oracle", do="choose retail, call or spot"
        )
    if rule != "flat":
        raise ConfigError(f"imbalance rule {rule!r} may pay more than the retailer", where="oracle", do="choose flat")
    world.reset()
    shape = (world.worlds, world.fleet.count, world.slots)
    areas = len(world.grid.areas)
    course = Course(
        world,
        np.full((world.worlds, areas, world.slots), NO_PRICE, np.int64),
        np.zeros(shape, np.int64),
        np.zeros((*shape[:2], world.slots + 1), np.int64),
    )
    done = False
    while not done:
        course.stored_wh[..., world.t] = world.stored_wh
        step = world.step()
        done = step.done
        _note(course, step.contracts, step.outcome.price)
    course.stored_wh[..., -1] = world.stored_wh
    course.money_ujpy = world.tally.money_of_parties()
    return course


def _note(course: Course, contracts: npt.NDArray[np.void], price: Int | None) -> None:
    world = course.world
    free = contracts[contracts["last_resort"] == 0]
    slot = free["slot"] - world.episode.first_slot[free["world"]]
    for side in ("buyer", "seller"):
        np.add.at(course.traded_wh, (free["world"], free[side], slot), free["energy"])
    if price is not None:
        seen = np.moveaxis(price.reshape(world.worlds, world.slots, -1), 1, 2)
        np.copyto(course.price, seen, where=seen != NO_PRICE)


@dataclass(frozen=True)
class Best:
    """What the oracle makes of parties in every world.

    money_ujpy (w, n): as `Tally.money_of_parties` counts it; stored_wh (w, n, T + 1).
    """

    money_ujpy: Floats
    stored_wh: Floats


def find_best(course: Course, parties: Sequence[int], same_end: bool = False) -> Best:
    """The oracle of these parties; raises ConfigError for one with fuel or a retailer.

    With `same_end` it leaves as much stored as the run did: it bounds what could be had before the end, for a run's
    last evening is known to the oracle only.
    """
    world = course.world
    for party in parties:
        if world.fleet.cost[party] != NO_COST or world.fleet.dispatchable[party]:
            raise ConfigError("its plan is what it sold", where=world.fleet.names[party], do="choose another party")
        if world.fleet.equipment is not None and party in world.fleet.equipment.rows:
            what = "the oracle knows load, PV and battery only"
            raise ConfigError(
                what, where=world.fleet.names[party], do="choose a party without car, fuel cell or heater"
            )
    found = [[_solve(course, at, party, same_end) for party in parties] for at in range(world.worlds)]
    return Best(np.array([[m for m, _ in row] for row in found]), np.array([[s for _, s in row] for row in found]))


def _solve(course: Course, at: int, party: int, same_end: bool) -> tuple[float, Floats]:
    """Most money [uJPY] and stored energy (T + 1,) of one party in world `at`."""
    from scipy import sparse
    from scipy.optimize import linprog

    world, count = course.world, course.world.slots
    battery = world.fleet.battery
    into, out = int(battery.divisor_ppm[party]) / PPM, int(battery.given_divisor_ppm[party]) / PPM
    power, given = int(battery.power_wh[party]), int(battery.given_wh[party])
    net = (world.episode.load_wh - world.episode.solar_wh)[at, party, :count]
    cost, most = _columns(course, at, party, net)
    start = int(course.stored_wh[at, party, 0])
    eye, none = sparse.identity(count), sparse.csr_matrix((count, count))
    after = sparse.identity(count) - sparse.eye(count, k=-1)
    # columns: charged, discharged, stored after, bought, sold, supplied, fed in, imported
    balance = sparse.hstack([-eye, eye, none, eye, -eye, eye, -eye, none])
    kept = sparse.hstack([-into * eye, eye / out, after, none, none, none, none, none])
    imports = sparse.hstack([eye, -eye, none, none, none, none, none, -eye])
    first = np.zeros(count)
    first[0] = start
    end, room = float(course.stored_wh[at, party, -1]), float(battery.capacity_wh[party])
    low, high = np.zeros(8 * count), np.full(8 * count, np.inf)
    high[: 3 * count] = np.repeat((power, given, room), count)
    high[3 * count : 5 * count] = np.tile(most, 2)
    if same_end:
        low[3 * count - 1] = high[3 * count - 1] = end
    found = linprog(
        cost,
        A_ub=sparse.vstack([kept, imports]).tocsc(),
        b_ub=np.concatenate([first, -net]),
        A_eq=balance.tocsc(),
        b_eq=net,
        bounds=np.stack([low, high], -1),
        method="highs",
    )
    credit = cost[3 * count - 1] * start
    return credit - found.fun, np.concatenate([[start], found.x[2 * count : 3 * count]])


def _columns(course: Course, at: int, party: int, net: Int) -> tuple[Floats, Int]:
    """Cost of one more Wh in each column of the programme [uJPY], and the most that can trade in each slot [Wh]."""
    world, terms, count = course.world, course.world.terms, course.world.slots
    area, battery = int(world.fleet.area[party]), world.fleet.battery
    outside, price = world.episode.outside[at, area, :count], course.price[at, area]
    trades = price != NO_PRICE
    fits = np.abs(net) + max(int(battery.power_wh[party]), int(battery.given_wh[party]))
    most = np.where(trades, np.maximum(fits, course.traded_wh[at, party]), 0)
    price = np.where(trades, price, 0)
    stored = np.zeros(count)
    middle = (terms.feed_in_price(outside) + terms.consumption_value(outside)).sum() // (2 * count)
    stored[-1] = -middle * int(battery.given_ppm[party]) / PPM
    columns = (
        np.zeros(count),
        np.full(count, int(battery.wear_mjpy_kwh[party])),
        stored,
        price + terms.fee,
        -price,
        terms.supply_price(outside),
        -terms.feed_in_price(outside),
        np.full(count, terms.wheeling + terms.surcharge),
    )
    return np.concatenate(columns).astype(np.float64), most
