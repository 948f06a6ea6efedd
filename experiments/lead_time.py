"""study lead-time: the same year-ahead order flow under `spot` with splitting and under `dgp` (paper 1.4).

Under dgp orders arrive day by day and a contract takes its room on the lines when it forms. Under spot the same orders
are all cleared at 10:00 the day before delivery. Measured: what splitting cancels, what never forms, and how well the
contracts of a lead foretold the final flow and the full lines. "Known at lead L" is what orders with leads longer than
L days have contracted: what can be seen as day L before delivery begins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.order_flow import Flow, japan_grid, line_capacity_wh, make_flow, shade_limits
from market.design import DESIGNS
from market.errors import ConfigError
from market.exchange import NO_PRICE, Outcome, trade
from market.grid import Grid
from market.orders import Side, no_orders
from market.slots import HALF_HOURS
from market.splitting import cancelled_by_splitting_wh
from market.statements import AHEAD_DAYS
from market.tables import Table, pick_rows
from market.units import Int

Floats = npt.NDArray[np.float64]

LEADS = (300, 200, 100, 60, 30, 14, 7, 3, 1)
NO_LIMIT_WH = 1 << 40


class Case(NamedTuple):
    """What sets a case apart: when orders come, whether bidders know the usual price, how many stand for one."""

    arrivals: str = "log"
    shaded: bool = False
    finer: int = 1


CASES = {
    "base": Case(),
    "many parties": Case(finer=5),
    "usual price": Case(shaded=True),
    "uniform": Case("uniform"),
    "late": Case("late"),
}
"""`order_flow.ARRIVALS` has the arrivals; those who know the usual price shade their limits to it."""
MOST_DAYS, MOST_SEEDS = 120, 20


class Played(NamedTuple):
    """One design played over all days.

    filled_wh (orders,); net_wh (markets, lines) [Wh], final; cross_wh: energy between different areas; ahead_wh: formed
    more than AHEAD_DAYS ahead; known_wh (leads, markets, lines): net flow known at each lead; contracts as formed.
    """

    filled_wh: Int
    net_wh: Int
    cross_wh: int
    ahead_wh: int
    known_wh: Int
    contracts: Table


@dataclass(frozen=True)
class Skill:
    """How well contracts foretold the lines at each lead: (leads,) over all lines, (leads, lines) for each.

    - correlation: mean over the lines of the correlation over half hours of known with final net flow;
    - error: mean of |known - final| as a part of the line's capacity in the final direction;
    - precision, recall: of (line, half hour) known to be full, how many ended full; of those that ended full, how many
      were full already; NaN where there is none;
    - usual_correlation, usual_error: the same of a forecast without contracts, the mean final flow of the other days at
      the same half hour.
    """

    correlation: Floats
    error: Floats
    precision: Floats
    recall: Floats
    line_correlation: Floats
    line_error: Floats
    usual_correlation: float
    usual_error: float


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
        """One row for each case and seed."""
        return [
            {"case": run.case, "seed": run.seed, **{k: _plain(v) for k, v in run.shares.items()}, "leads": list(LEADS)}
            | {
                name: _plain(getattr(run.skill, name))
                for name in ("correlation", "error", "precision", "recall", "usual_correlation", "usual_error")
            }
            | {"line_correlation": dict(zip(self.lines, _plain(run.skill.line_correlation.T), strict=True))}
            for run in self.runs
        ]

    def print(self) -> None:
        """Two tables on standard output: shares by case, and skill by lead."""
        from experiments.lead_time_tables import print_tables

        print_tables(self)


def study_lead_time(
    days: int = 12, seeds: int = 3, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> LeadTime:
    """Play every case with every seed; raises ConfigError for impossible numbers."""
    for name, value, least, most in (("days", days, 2, MOST_DAYS), ("seeds", seeds, 1, MOST_SEEDS)):
        if not least <= value <= most:
            raise ConfigError(f"{value} is not possible", where=f"--{name}", do=f"give {least} to {most}")
    grid, runs, example = japan_grid(), [], None
    for name, case in CASES.items():
        for number in range(seed, seed + seeds):
            flow = make_flow(number, days, case.arrivals, case.finer)
            run, dgp = _play_case(name, number, grid, flow, case.shaded)
            example = example or _pick_example(grid, flow, dgp)
            runs.append(run)
            if progress:
                progress(len(runs), len(CASES) * seeds)
    assert example is not None
    return LeadTime(days, seeds, tuple(runs), tuple(line.name for line in grid.lines), example)


def play_dgp(grid: Grid, flow: Flow, orders: Table, capacity_wh: Int) -> Played:
    """Let the orders arrive day by day, longest lead first, under continuous trade with capacity at contract time."""
    resting, use = no_orders(), np.zeros_like(capacity_wh)
    formed, known = [], np.zeros((len(LEADS), *capacity_wh.shape[:2]), np.int64)
    ahead_wh = 0
    for lead in range(int(flow.lead.max()), 0, -1):
        if lead in LEADS:
            known[LEADS.index(lead)] = _net(use)
        now = flow.first_slot - lead * HALF_HOURS.per_day
        outcome = trade(DESIGNS["dgp"], grid, resting, pick_rows(orders, flow.lead == lead), capacity_wh, use, now)
        resting, use = outcome.resting, outcome.flow_wh
        formed.append(outcome.contracts)
        ahead_wh += int(outcome.contracts["energy"].sum()) if lead > AHEAD_DAYS else 0
    contracts = np.concatenate(formed)
    filled = np.zeros(len(orders), np.int64)
    for column in ("sell_reference", "buy_reference"):
        np.add.at(filled, contracts[column].astype(np.int64) - 1, contracts["energy"])
    cross_wh = int(contracts["energy"][contracts["path"] > 0].sum())
    return Played(filled, _net(use), cross_wh, ahead_wh, known, contracts)


def play_spot(grid: Grid, flow: Flow, orders: Table, capacity_wh: Int) -> tuple[Played, Outcome]:
    """Clear all orders at once at 10:00 the day before, areas split where a line is full."""
    now = flow.first_slot - HALF_HOURS.per_day + HALF_HOURS.auction_slot_of_day
    outcome = trade(DESIGNS["spot"], grid, no_orders(), orders, capacity_wh, np.zeros_like(capacity_wh), now)
    contracts = outcome.contracts
    cross_wh = _net_imports(grid, orders, outcome.filled_wh)
    net = _net(outcome.flow_wh)
    nothing = np.zeros((len(LEADS), *net.shape), np.int64)
    return Played(outcome.filled_wh, net, cross_wh, 0, nothing, contracts), outcome


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


def measure_skill(known_wh: Int, net_wh: Int, capacity_wh: Int) -> Skill:
    """Compare the net flow known at each lead (leads, markets, lines) with the final one (markets, lines)."""
    room = np.where(net_wh >= 0, capacity_wh[..., 0], capacity_wh[..., 1])
    full = _is_full(net_wh, capacity_wh)
    line_correlation = np.array([_correlations(known, net_wh) for known in known_wh])
    line_error = np.array([(np.abs(known - net_wh) / room).mean(0) for known in known_wh])
    hits = [(seen & full & same, seen) for seen, same in _full_before(known_wh, net_wh, capacity_wh)]
    usual = _usual_flow(net_wh)
    return Skill(
        correlation=_mean(line_correlation),
        error=line_error.mean(1),
        precision=np.array([_part(hit, seen) for hit, seen in hits]),
        recall=np.array([_part(hit, full) for hit, _ in hits]),
        line_correlation=line_correlation,
        line_error=line_error,
        usual_correlation=float(_mean(_correlations(usual, net_wh)[None])[0]),
        usual_error=float((np.abs(usual - net_wh) / room).mean()),
    )


def _play_case(case: str, seed: int, grid: Grid, flow: Flow, shaded: bool) -> tuple[Run, Played]:
    capacity = line_capacity_wh(flow.markets)
    unlimited = np.full_like(capacity, NO_LIMIT_WH)
    true = flow.orders
    spot, outcome = play_spot(grid, flow, true, capacity)
    optimum = _welfare(true, spot.filled_wh)
    asked = shade_limits(flow, _usual_price(outcome)) if shaded else true
    spot, _ = play_spot(grid, flow, asked, capacity)
    best, _ = play_spot(grid, flow, asked, unlimited)
    dgp, free = (play_dgp(grid, flow, asked, limits) for limits in (capacity, unlimited))
    # limits shaded to area prices know the lines already: without lines they say nothing
    unlimited_spot = np.nan if shaded else 1.0
    cancelled = cancelled_by_splitting_wh(DESIGNS["spot"], grid, asked, capacity, np.zeros_like(capacity))
    agree = _is_full(dgp.net_wh, capacity) == _is_full(spot.net_wh, capacity)
    wanted = flow.wanted_wh
    shares = {
        "spot_traded": _bought(true, spot.filled_wh) / wanted,
        "spot_traded_without_limits": unlimited_spot * _bought(true, best.filled_wh) / wanted,
        "spot_cancelled": unlimited_spot * int(cancelled.sum()) / wanted,
        "spot_cross_area": spot.cross_wh / wanted,
        "spot_cross_area_undone": unlimited_spot * (best.cross_wh - spot.cross_wh) / wanted,
        "spot_lines_full": float(_is_full(spot.net_wh, capacity).mean()),
        "spot_welfare": _welfare(true, spot.filled_wh) / optimum,
        "dgp_traded": _bought(true, dgp.filled_wh) / wanted,
        "dgp_never_formed": (_bought(true, free.filled_wh) - _bought(true, dgp.filled_wh)) / wanted,
        "dgp_cross_area": dgp.cross_wh / wanted,
        "dgp_cross_area_never_formed": (free.cross_wh - dgp.cross_wh) / wanted,
        "dgp_lines_full": float(_is_full(dgp.net_wh, capacity).mean()),
        "dgp_welfare": _welfare(true, dgp.filled_wh) / optimum,
        "dgp_covered_over_30_days": dgp.ahead_wh / wanted,
        "blind_contracts_cancelled": cut_to_capacity(grid, free.contracts, capacity) / wanted,
        "same_lines_full": float(agree.mean()),
        "correlation_of_designs": float(_mean(_correlations(dgp.net_wh, spot.net_wh)[None])[0]),
    }
    return Run(case, seed, shares, measure_skill(dgp.known_wh, dgp.net_wh, capacity)), dgp


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


def _pick_example(grid: Grid, flow: Flow, dgp: Played) -> Example:
    """The line and day whose flow changes most over the day among those full for some but not all of it."""
    capacity = line_capacity_wh(flow.markets)
    by_day = (-1, HALF_HOURS.per_day, len(grid.lines))
    part = _is_full(dgp.net_wh, capacity).reshape(by_day).mean(1)
    swing = np.ptp(dgp.net_wh.reshape(by_day), axis=1) / capacity[0].max(-1)
    day, line = (int(i) for i in np.unravel_index(np.argmax(np.where((part > 0) & (part < 1), swing, -1)), part.shape))
    rows = slice(day * HALF_HOURS.per_day, (day + 1) * HALF_HOURS.per_day)
    forward, backward = (float(side) / 500_000 for side in capacity[0, line])
    known, final = dgp.known_wh[:, rows, line] / 500_000, dgp.net_wh[rows, line] / 500_000
    return Example(grid.lines[line].name, int(flow.first_slot[day]), known, final, (forward, backward))


def _net_imports(grid: Grid, orders: Table, filled_wh: Int) -> int:
    """Energy that must cross between areas: each market's net imports, summed over the areas that import."""
    signed = np.where(orders["side"] == Side.BUY, filled_wh, -filled_wh)
    balance = np.zeros((int(orders["market"].max()) + 1, len(grid.areas)), np.int64)
    np.add.at(balance, (orders["market"], orders["area"]), signed)
    return int(np.maximum(balance, 0).sum())


def _full_before(known_wh: Int, net_wh: Int, capacity_wh: Int) -> Sequence[tuple[Any, Any]]:
    """For each lead: which (market, line) were known full, and which known in the direction they ended in."""
    return [(_is_full(known, capacity_wh), np.sign(known) == np.sign(net_wh)) for known in known_wh]


def _is_full(net_wh: Int, capacity_wh: Int) -> npt.NDArray[np.bool_]:
    return (net_wh >= capacity_wh[..., 0]) | (-net_wh >= capacity_wh[..., 1])


def _usual_flow(net_wh: Int) -> Floats:
    """Mean of the other days at the same half hour, (markets, lines)."""
    days = net_wh.reshape(-1, HALF_HOURS.per_day, net_wh.shape[1])
    return np.asarray(((days.sum(0) - days) / (len(days) - 1)).reshape(net_wh.shape), np.float64)


def _correlations(known: npt.NDArray[Any], final: Int) -> Floats:
    """Correlation over markets of each line, NaN where one side never changes."""
    left, right = known - known.mean(0), final - final.mean(0)
    scale = np.sqrt((left**2).sum(0) * (right**2).sum(0))
    nothing = np.full(final.shape[1], np.nan)
    return np.asarray(np.divide((left * right).sum(0), scale, out=nothing, where=scale > 0))


def _mean(lines: Floats) -> Floats:
    """Mean over the lines that have a value, NaN where none has."""
    there = ~np.isnan(lines)
    count = there.sum(-1)
    total = np.where(there, lines, 0).sum(-1)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def _part(hit: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]) -> float:
    return float(hit.sum() / of.sum()) if of.any() else float("nan")


def _net(use: Int) -> Int:
    return np.asarray(use[..., 0] - use[..., 1])


def _bought(orders: Table, filled_wh: Int) -> int:
    return int(filled_wh[orders["side"] == Side.BUY].sum())


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
