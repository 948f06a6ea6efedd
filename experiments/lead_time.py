"""study lead-time: the same year-ahead order flow under `spot` with splitting and under `dgp` (paper 1.4).

Under dgp orders arrive day by day and a contract takes its room on the lines when it forms. Under spot the same orders
are all cleared at 10:00 the day before delivery. Measured: what splitting cancels, what never forms, and how well the
contracts of a lead foretold the final flow and the full lines. "Known at lead L" is what orders with leads longer than
L days have contracted: what can be seen as day L before delivery begins.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.lead_time_skill import LineUse, Skill, full_directions, mean_correlation, measure_skills, net_flow
from experiments.order_flow import WH_PER_SLOT_OF_MW, Flow, japan_grid, line_capacity_wh, make_flow, shade_limits
from market.design import DESIGNS
from market.errors import ConfigError
from market.exchange import NO_PRICE, Outcome, trade
from market.grid import Grid
from market.orders import Side, no_orders
from market.slots import HALF_HOURS
from market.statements import AHEAD_DAYS
from market.tables import Table, pick_rows
from market.units import Int

Floats = npt.NDArray[np.float64]

LEADS = (300, 200, 100, 60, 30, 14, 7, 3, 1)
NO_LIMIT_WH = 1 << 40
WITHOUT_LIMITS = ("spot_traded_without_limits", "spot_cancelled", "spot_cross_area_undone")
"""Shares that need an auction without line limits."""
MOST_DAYS, MOST_SEEDS, LAST_SEED = 120, 20, 1 << 40


class Case(NamedTuple):
    """What sets a case apart from the base case.

    - arrivals: when orders come, one of `order_flow.ARRIVALS`;
    - shaded: bidders know the usual price and shade their limits to it;
    - finer: how many smaller parties stand for one;
    - netting: opposite flows free room on a line.
    """

    arrivals: str = "log"
    shaded: bool = False
    finer: int = 1
    netting: bool = True


CASES = {
    "base": Case(),
    "many parties": Case(finer=5),
    "usual price": Case(shaded=True),
    "uniform": Case("uniform"),
    "late": Case("late"),
    "no netting": Case(netting=False),
}


class Played(NamedTuple):
    """One design played over all days.

    filled_wh (orders,); use of the lines, under dgp at each lead too; contracts in the order in which they formed.
    """

    filled_wh: Int
    use: LineUse
    contracts: Table


@dataclass(frozen=True)
class Run:
    """One case with one seed: shares of all demand in the flow or as named, and the skill of its contracts."""

    case: str
    seed: int
    shares: dict[str, float]
    skill: Skill


@dataclass(frozen=True)
class Example:
    """One line on one sampled day: net flow known at each lead and final [MW], and its capacities [MW]."""

    line: str
    slot: int
    known_mw: Floats
    final_mw: Floats
    capacity_mw: tuple[float, float]


@dataclass(frozen=True)
class LeadTime:
    """What the study found."""

    days: int
    seeds: int
    runs: tuple[Run, ...]
    lines: tuple[str, ...]
    example: Example

    def of_case(self, case: str) -> list[Run]:
        """Runs of one case, one for each seed."""
        return [run for run in self.runs if run.case == case]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each case and seed; None where there is no value."""
        rows = []
        for run in self.runs:
            skill = {name: _plain(value) for name, value in vars(run.skill).items()}
            skill["line_correlation"] = dict(zip(self.lines, _plain(run.skill.line_correlation.T), strict=True))
            shares = {name: _plain(value) for name, value in run.shares.items()}
            rows.append({"case": run.case, "seed": run.seed, **shares, "leads": list(LEADS), **skill})
        return rows

    def print(self) -> None:
        """Shares by case, and skill by lead of each case, on standard output."""
        from experiments.lead_time_tables import print_tables

        print_tables(self)


def study_lead_time(
    days: int = 12, seeds: int = 4, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> LeadTime:
    """Play every case with every seed; raises ConfigError for impossible numbers."""
    for name, value, least, most in (
        ("days", days, 2, MOST_DAYS),
        ("seeds", seeds, 1, MOST_SEEDS),
        ("seed", seed, 0, LAST_SEED),
    ):
        if not least <= value <= most:
            raise ConfigError(f"{value} is not possible", where=f"--{name}", do=f"give {least} to {most}")
    grid, capacity = japan_grid(), line_capacity_wh(days * HALF_HOURS.per_day)
    runs: list[Run] = []
    for name, case in CASES.items():
        shares, uses = [], []
        for number in range(seed, seed + seeds):
            found, use = play_case(case, grid, make_flow(number, days, case.arrivals, case.finer))
            shares.append(found)
            uses.append(use)
            if progress:
                progress(len(runs) + len(uses), len(CASES) * seeds)
        if not runs:
            example = _pick_example(grid, make_flow(seed, days).first_slot, uses[0], capacity)
        skills = measure_skills(uses, capacity)
        runs += [Run(name, seed + row, *found) for row, found in enumerate(zip(shares, skills, strict=True))]
    return LeadTime(days, seeds, tuple(runs), tuple(line.name for line in grid.lines), example)


def play_case(case: Case, grid: Grid, flow: Flow) -> tuple[dict[str, float], LineUse]:
    """Shares of one case with one order flow, and how its contracts under dgp took the lines."""
    capacity = line_capacity_wh(flow.markets)
    unlimited = np.full_like(capacity, NO_LIMIT_WH)
    true = flow.orders
    truthful, outcome = play_spot(grid, flow, true, capacity)
    asked = shade_limits(flow, _usual_price(outcome)) if case.shaded else true
    spot, whole = (play_spot(grid, flow, asked, limits)[0] for limits in (capacity, unlimited))
    dgp, free = (play_dgp(grid, flow, asked, limits, case.netting) for limits in (capacity, unlimited))
    full = [full_directions(played.use.final_wh, capacity, played.use.netting).any(-1) for played in (spot, dgp)]
    optimum, wanted = _welfare(true, truthful.filled_wh), flow.wanted_wh
    energies = {
        "spot_traded_without_limits": _bought(true, whole),
        "spot_traded": _bought(true, spot),
        "spot_cancelled": _bought(true, whole) - _bought(true, spot),
        "spot_cross_area": _net_imports(grid, true, spot),
        "spot_cross_area_undone": _net_imports(grid, true, whole) - _net_imports(grid, true, spot),
        "dgp_traded": _bought(true, dgp),
        "dgp_never_formed": _bought(true, free) - _bought(true, dgp),
        "dgp_cross_area": _cross_area(dgp),
        "dgp_cross_area_net": _net_imports(grid, true, dgp),
        "dgp_cross_area_never_formed": _cross_area(free) - _cross_area(dgp),
        "dgp_covered_ahead": _ahead(dgp.contracts),
        "blind_contracts_cancelled": cut_to_capacity(grid, free.contracts, capacity),
    }
    shares = {name: energy / wanted for name, energy in energies.items()}
    if case.shaded:
        # limits near the prices of areas know the lines already: one price for all areas is not theirs
        shares |= dict.fromkeys(WITHOUT_LIMITS, np.nan)
    return shares | {
        "spot_lines_full": float(full[0].mean()),
        "dgp_lines_full": float(full[1].mean()),
        "same_lines_full": float((full[0] == full[1]).mean()),
        "spot_welfare": _welfare(true, spot.filled_wh) / optimum,
        "dgp_welfare": _welfare(true, dgp.filled_wh) / optimum,
        "correlation_of_designs": mean_correlation(net_flow(dgp.use.final_wh), net_flow(spot.use.final_wh)),
    }, dgp.use


def play_dgp(grid: Grid, flow: Flow, orders: Table, capacity_wh: Int, netting: bool = True) -> Played:
    """Let the orders arrive day by day, longest lead first, under continuous trade with capacity at contract time."""
    design = replace(DESIGNS["dgp"], netting=netting)
    resting, use = no_orders(), np.zeros_like(capacity_wh)
    formed, known = [], np.zeros((len(LEADS), *capacity_wh.shape), np.int64)
    for lead in range(int(flow.lead.max()), 0, -1):
        if lead in LEADS:
            known[LEADS.index(lead)] = use
        now = flow.first_slot - lead * HALF_HOURS.per_day
        outcome = trade(design, grid, resting, pick_rows(orders, flow.lead == lead), capacity_wh, use, now)
        resting, use = outcome.resting, outcome.flow_wh
        formed.append(outcome.contracts)
    contracts = np.concatenate(formed)
    filled = np.zeros(len(orders), np.int64)
    for column in ("sell_reference", "buy_reference"):
        np.add.at(filled, contracts[column].astype(np.int64) - 1, contracts["energy"])
    return Played(filled, LineUse(known, use, netting), contracts)


def play_spot(grid: Grid, flow: Flow, orders: Table, capacity_wh: Int) -> tuple[Played, Outcome]:
    """Clear all orders at once at 10:00 the day before, areas split where a line is full."""
    now = flow.first_slot - HALF_HOURS.per_day + HALF_HOURS.auction_slot_of_day
    outcome = trade(DESIGNS["spot"], grid, no_orders(), orders, capacity_wh, np.zeros_like(capacity_wh), now)
    use = LineUse(np.zeros((0, *capacity_wh.shape), np.int64), outcome.flow_wh)
    return Played(outcome.filled_wh, use, outcome.contracts), outcome


def cut_to_capacity(grid: Grid, contracts: Table, capacity_wh: Int) -> int:
    """Energy [Wh] lost when contracts formed without regard to lines are held to them, the last formed cut first.

    Source: paper 1.4 (prior contracts over a full line are cancelled). Contracts are taken in order of formation, each
    over its own path, opposite flows netting.
    """
    order = np.argsort(contracts["market"], kind="stable")
    market, path = contracts["market"][order].astype(np.int64), contracts["path"][order].astype(np.int64)
    energy = contracts["energy"][order]
    place = np.arange(len(market)) - np.searchsorted(market, market)
    turn = np.argsort(place, kind="stable")
    net, lost = np.zeros(capacity_wh.shape[:2], np.int64), 0
    # one turn holds at most one contract of each market, so a turn is one vector operation
    for rows in np.split(turn, np.flatnonzero(np.diff(place[turn])) + 1):
        lost += _take_room(net, capacity_wh, market[rows], grid.path_table[path[rows]], energy[rows])
    return lost


def _usual_price(outcome: Outcome) -> Floats:
    """Mean price of each area and half hour of the day over the sampled days (48, areas) [mJPY/kWh]."""
    assert outcome.price is not None
    price = np.where(outcome.price == NO_PRICE, np.nan, outcome.price)
    return np.asarray(np.nanmean(price.reshape(-1, HALF_HOURS.per_day, price.shape[1]), 0))


def _take_room(net: Int, capacity: Int, market: Int, paths: Int, energy: Int) -> int:
    """Put contracts of different markets on their paths as far as there is room; returns what found none [Wh]."""
    room = energy.astype(np.int64)
    for step in paths.T:
        line, forward = np.abs(step) - 1, step > 0
        left = np.where(
            forward, capacity[market, line, 0] - net[market, line], capacity[market, line, 1] + net[market, line]
        )
        room = np.where(step == 0, room, np.minimum(room, left))
    room = np.maximum(room, 0)
    for step in paths.T:
        on = step != 0
        net[market[on], np.abs(step[on]) - 1] += np.where(step[on] > 0, room[on], -room[on])
    return int((energy - room).sum())


def _pick_example(grid: Grid, first_slot: Int, use: LineUse, capacity_wh: Int) -> Example:
    """The line and day whose flow changes most over the day among those full for some but not all of it."""
    by_day = (-1, HALF_HOURS.per_day, len(grid.lines))
    net, known = net_flow(use.final_wh), net_flow(use.known_wh)
    part = full_directions(use.final_wh, capacity_wh, use.netting).any(-1).reshape(by_day).mean(1)
    swing = np.ptp(net.reshape(by_day), axis=1) / capacity_wh[0].max(-1)
    day, line = (int(i) for i in np.unravel_index(np.argmax(np.where((part > 0) & (part < 1), swing, -1)), part.shape))
    rows = slice(day * HALF_HOURS.per_day, (day + 1) * HALF_HOURS.per_day)
    forward, backward = (float(side) / WH_PER_SLOT_OF_MW for side in capacity_wh[0, line])
    known_mw, final_mw = (flow / WH_PER_SLOT_OF_MW for flow in (known[:, rows, line], net[rows, line]))
    return Example(grid.lines[line].name, int(first_slot[day]), known_mw, final_mw, (forward, backward))


def _net_imports(grid: Grid, orders: Table, played: Played) -> int:
    """Energy that must cross between areas: each market's net imports, summed over the areas that import."""
    signed = np.where(orders["side"] == Side.BUY, played.filled_wh, -played.filled_wh)
    balance = np.zeros((int(orders["market"].max()) + 1, len(grid.areas)), np.int64)
    np.add.at(balance, (orders["market"], orders["area"]), signed)
    return int(np.maximum(balance, 0).sum())


def _cross_area(played: Played) -> int:
    """Energy of contracts between different areas, whatever goes the other way."""
    return int(played.contracts["energy"][played.contracts["path"] > 0].sum())


def _ahead(contracts: Table) -> int:
    """Energy of contracts formed more than AHEAD_DAYS before delivery."""
    ahead = contracts["slot"].astype(np.int64) - contracts["formed"] > AHEAD_DAYS * HALF_HOURS.per_day
    return int(contracts["energy"][ahead].sum())


def _bought(orders: Table, played: Played) -> int:
    return int(played.filled_wh[orders["side"] == Side.BUY].sum())


def _welfare(orders: Table, filled_wh: Int) -> int:
    """Value of what is bought less cost of what is sold at true limits [uJPY]."""
    signed = np.where(orders["side"] == Side.BUY, filled_wh, -filled_wh)
    money = signed * orders["price"]
    return sum(int(part) for part in np.add.reduceat(money, np.arange(0, len(money), 1 << 12)))


def _plain(values: Any) -> Any:
    """Lists of floats with None for NaN."""
    if isinstance(values, float):
        return None if np.isnan(values) else values
    return [_plain(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]
