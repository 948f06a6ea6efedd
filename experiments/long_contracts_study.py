"""What long contracts leave to the market, as a share of the stores' load is agreed ahead: volume, price, lines, money.

`urawa-misono` in held-out weeks with truthful bidders. The stores have fixed-price contracts for a share of their
expected load, from the thermal units behind the line or from the incumbent retailer of their own area, which buys what
it sold at the outside price. Volume and price of the market leave long contracts and last resort out. Intervals are
95 % t intervals over worlds; changes are against the same worlds without long contracts.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.fleet import Role
from envs.long_contracts import long_contracts_of
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.tally import Flow
from envs.world import World
from experiments.evaluate import HELD_OUT_WEEKS, JUDGE_SEED, t_interval
from experiments.findings import Estimate
from experiments.oracle_study import ratio_interval
from market.units import UJPY_PER_JPY, WH_PER_KWH

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

DESIGNS = ("spot", "dgp")
SELLERS = ("thermal", "retailer-tokyo")
SHARES = (0.0, 0.5, 0.9)
PRICE_JPY_KWH = 10.5
"""Price of the long contracts (assumption): the mean outside price of the synthetic year in the area of the site."""
DAYS = 7
RESORT = (Flow.RESORT_SUPPLY, Flow.RESORT_SURPLUS)


@dataclass(frozen=True)
class Course:
    """One run, a value for each world (w,): energies and money of all its days, and the part of slots with a full line.

    agreed_kwh, market_kwh, resort_kwh; market_jpy: value of what traded in the market; stores_jpy, thermal_jpy,
    retailer_jpy: money of all stores, of all units, of the retailer of the site's area.
    """

    agreed_kwh: Floats
    market_kwh: Floats
    market_jpy: Floats
    resort_kwh: Floats
    full: Floats
    stores_jpy: Floats
    thermal_jpy: Floats
    retailer_jpy: Floats


@dataclass(frozen=True)
class Residual:
    """What one share leaves: energies [kWh/day], price [JPY/kWh], money gained [JPY/day].

    full is the part of slots with a full line; price is None where nothing traded.
    """

    design: str
    seller: str
    share: float
    agreed: float
    market: Estimate
    price: Estimate | None
    resort: Estimate
    full: Estimate
    stores_gain: Estimate
    thermal_gain: Estimate
    retailer_gain: Estimate


@dataclass(frozen=True)
class LongContractStudy:
    """All of it; `played` says what was played."""

    played: str
    rows_found: tuple[Residual, ...]

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {"played": self.played, "residuals": [asdict(row) for row in self.rows_found]}

    def print(self) -> None:
        """One table on standard output."""
        from rich.table import Table

        from experiments.screen import console

        table = Table(title="what long contracts leave: kWh/day, JPY/kWh, money against none [JPY/day]")
        for head in ("design", "seller", "share", "agreed", "market", "price", "resort", "line full"):
            table.add_column(head, justify="left" if head in ("design", "seller") else "right")
        for head in ("stores", "thermal", "retailer"):
            table.add_column(head, justify="right")
        for row in self.rows_found:
            table.add_row(
                row.design,
                row.seller,
                f"{row.share:.0%}",
                f"{row.agreed:,.0f}",
                _say(row.market, 0),
                "-" if row.price is None else _say(row.price, 2),
                _say(row.resort, 0),
                f"{row.full.mean:.0%}",
                *(_say(gain, 0) for gain in (row.stores_gain, row.thermal_gain, row.retailer_gain)),
            )
        screen = console()
        screen.print(self.played)
        screen.print(table)


def study_long_contracts(
    seeds: int = 1, seed: int = JUDGE_SEED, progress: Progress | None = None, days: int = DAYS
) -> LongContractStudy:
    """Play every design, seller and share on the held-out weeks, `seeds` draws of each.

    Args:
        seeds: draws of loads and weather; 13 worlds each.
        seed: key of the first world; the same seed gives the same figures.
        progress: called with runs done and runs in all.
        days: days of each world.
    """
    found: list[Residual] = []
    runs = len(DESIGNS) * (1 + len(SELLERS) * (len(SHARES) - 1))
    done = 0
    source = ""
    for design in DESIGNS:
        without: Course | None = None
        for seller in SELLERS:
            for share in SHARES:
                if share == 0 and without is not None:
                    found.append(_compare(design, seller, share, without, without, days))
                    continue
                world = play(design, seller, share, HELD_OUT_WEEKS * seeds, seed, days)
                source, course = world.year.source, course_of(world)
                without = course if without is None else without
                found.append(_compare(design, seller, share, course, without, days))
                done += 1
                if progress:
                    progress(done, runs)
    return LongContractStudy(f"urawa-misono, {HELD_OUT_WEEKS * seeds} worlds, days {days}, {source}", tuple(found))


def play(design: str, seller: str, share: float, worlds: int, seed: int, days: int) -> World:
    """Held-out worlds in which the stores buy this share of their expected load ahead."""
    one = {"seller": seller, "buyer": "stores", "share": share, "price_jpy_kwh": PRICE_JPY_KWH}
    scenario = load_scenario("urawa-misono", {"long_contracts": [one] if share else []})
    world = open_world(scenario, design, worlds, seed, days=days, held_out=True, ledger="off")
    world.reset()
    while not world.step().done:
        pass
    return world


def course_of(world: World) -> Course:
    """The sums of a world played to its end."""
    tally, fleet, agreed = world.tally, world.fleet, long_contracts_of(world)
    long_wh, long_ujpy = np.zeros((2, world.worlds), np.int64)
    np.add.at(long_wh, agreed["world"], agreed["energy"])
    np.add.at(long_ujpy, agreed["world"], agreed["energy"] * agreed["buy_price"])
    money = tally.money_of_parties() / UJPY_PER_JPY
    bought, paid = tally.energy_wh[..., Flow.BOUGHT].sum(1), tally.value_ujpy[..., Flow.BOUGHT].sum(1)
    sites = fleet.role != Role.RETAILER
    return Course(
        long_wh / WH_PER_KWH,
        (bought - long_wh) / WH_PER_KWH,
        (paid - long_ujpy) / UJPY_PER_JPY,
        tally.energy_wh[:, sites][..., RESORT].sum((1, 2)) / WH_PER_KWH,
        tally.split / world.slots,
        money[:, fleet.role == Role.STORE].sum(1),
        money[:, fleet.role == Role.THERMAL].sum(1),
        money[:, world.accounts.retailer[world.scenario.area_row(world.scenario.site_area)]],
    )


def _compare(design: str, seller: str, share: float, course: Course, without: Course, days: int) -> Residual:
    traded = course.market_kwh.sum() > 0
    return Residual(
        design,
        seller,
        share,
        float(course.agreed_kwh.mean()) / days,
        t_interval(course.market_kwh / days),
        ratio_interval(course.market_jpy, course.market_kwh) if traded else None,
        t_interval(course.resort_kwh / days),
        t_interval(course.full),
        t_interval((course.stores_jpy - without.stores_jpy) / days),
        t_interval((course.thermal_jpy - without.thermal_jpy) / days),
        t_interval((course.retailer_jpy - without.retailer_jpy) / days),
    )


def _say(value: Estimate, digits: int) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:z,.{digits}f}"
    return f"{value.mean:z,.{digits}f} ± {(value.high - value.low) / 2:,.{digits}f}"
