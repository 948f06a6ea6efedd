"""The contract test of a market design: what every design must hold, and what it claims for itself.

`check_design` trades many small random markets through `exchange.trade` and looks for a counterexample to each property
of `market.properties`. "Proved" means: no counterexample among the markets tried. Randomness is an argument (`seed`).
"""

from dataclasses import dataclass, field

import numpy as np

from market.design import MarketDesign
from market.grid import Grid, Line
from market.orders import Kind, Side
from market.properties import ALWAYS, CLAIMS, ON_RESTING_TOO, Check, lies
from market.slots import HALF_HOURS, SlotCalendar
from market.trials import Case, plain_call, two_calls

PLAIN_GRID = Grid(("north", "middle", "south"), (Line("north-middle", 0, 1), Line("middle-south", 1, 2)))


@dataclass(frozen=True)
class Report:
    """What was found: properties proved, failed ones and unclaimed ones with a counterexample each."""

    design: str
    markets: int
    proved: tuple[str, ...]
    failed: dict[str, str] = field(default_factory=dict)
    not_claimed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.design}: {self.markets} random markets"]
        lines += [f"  proved: {name}" for name in self.proved]
        lines += [f"  FAILED: {name}\n{example}" for name, example in self.failed.items()]
        lines += [f"  not claimed, and not so: {name}\n{example}" for name, example in self.not_claimed.items()]
        return "\n".join(lines)


def check_design(
    design: MarketDesign,
    grid: Grid = PLAIN_GRID,
    seed: int = 0,
    markets: int = 200,
    calendar: SlotCalendar = HALF_HOURS,
) -> Report:
    """Look for counterexamples to every property of a design; see `market.properties` for the list.

    `grid` has at most ten areas; `markets` random markets of up to nine orders are traded twice in a row.
    """
    rng = np.random.default_rng(seed)
    mixed = two_calls(design, grid, calendar, rng, markets)
    plain = plain_call(design, grid, calendar, rng, markets)
    proved: list[str] = []
    failed: dict[str, str] = {}
    not_claimed: dict[str, str] = {}
    for name, check in {**ALWAYS, **CLAIMS}.items():
        cases = mixed if name in ALWAYS else (plain, *mixed) if name in ON_RESTING_TOO else (plain,)
        example = _first_example(name, check, cases)
        if name not in design.claims and name not in ALWAYS:
            not_claimed |= {name: example} if example else {}
        elif example:
            failed[name] = example
        else:
            proved.append(name)
    return Report(design.name, markets, tuple(proved), failed, not_claimed)


def _first_example(name: str, check: Check, cases: tuple[Case, ...]) -> str:
    for case in cases:
        bad = np.flatnonzero(check(case))
        if len(bad):
            sizes = np.bincount(case.orders["market"], minlength=case.markets)
            market = int(bad[np.argmin(sizes[bad])])
            return "\n".join(f"    {line}" for line in (*_describe(case, market), *_describe_lie(name, case, market)))
    return ""


def _describe(case: Case, market: int) -> list[str]:
    """One market in words: lines, the retailer's prices, orders by arrival, contracts."""
    areas, out = case.grid.areas, []
    for line, room in zip(case.grid.lines, case.capacity_wh[market], strict=True):
        out.append(f"line {line.name}: {room[0]} Wh forward, {room[1]} Wh backward")
    if case.design.pairs == "sharing":
        prices = zip(areas, case.retail[market], strict=True)
        out += [f"retailer in {area}: asks {asks}, pays {pays} mJPY/kWh" for area, (asks, pays) in prices]
    for what, table in (("resting", case.resting), ("arrives", case.orders)):
        for row in np.sort(table[table["market"] == market], order="sequence"):
            kind = Kind(row["kind"]).name.lower()
            out.append(
                f"{what} #{row['reference']} {kind}: party {row['party']} in {areas[row['area']]}"
                f" {Side(row['side']).name.lower()}s {row['energy']} Wh at {row['price']} mJPY/kWh"
            )
    for row in case.outcome.contracts[case.outcome.contracts["market"] == market]:
        out.append(
            f"contract #{row['sell_reference']} to #{row['buy_reference']}: {row['energy']} Wh,"
            f" paid {row['buy_price']}, received {row['sell_price']}"
        )
    return out


def _describe_lie(name: str, case: Case, market: int) -> list[str]:
    """For the two properties about an order's own price: the price that changes what they say does not change."""
    if name not in ("own-price-monotone", "truthful"):
        return []
    for lie in lies(case):
        shows = lie.worse & (lie.more_wh > 0) if name == "own-price-monotone" else lie.gain_ujpy > 0
        for at in np.flatnonzero(shows & (case.orders["market"][lie.row] == market)):
            what = f"#{case.orders['reference'][lie.row[at]]} at {lie.price[at]} instead"
            more, gain = int(lie.more_wh[at]), int(lie.gain_ujpy[at])
            return [f"{what}: trades {more:+} Wh" if name == "own-price-monotone" else f"{what}: gains {gain:+} uJPY"]
    return []
