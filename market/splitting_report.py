"""What an auction says to people: system price, area prices, price groups, flows, rent, and what was full.

- Price group (分断エリア): areas with one price, joined by lines that are not full; an area without a price stands
  alone. Two groups may have equal prices (71 slots of JEPX's published groups do).
- A line is binding when its net flow has reached what it could take in that direction; so is a joint limit. Without
  flow it is binding only where the price rises in a direction that it is closed in.
- Congestion rent of a line = the price difference along its net flow x that flow (値差収入); where the flow of a
  contract takes several lines, each line earns the difference of its own ends.
"""

from dataclasses import dataclass

import numpy as np

from market.design import MarketDesign
from market.exchange import NO_PRICE, Outcome
from market.fences import limit_use
from market.grid import Grid
from market.splitting import clear_without_limits, limits_of
from market.tables import Table
from market.units import Int


@dataclass(frozen=True)
class AuctionReport:
    """One market: prices [mJPY/kWh], None without trade; flows [Wh], + is forward; rent [uJPY] by line.

    `binding` names lines and joint limits that are full, `groups` lists the areas of each price group.
    """

    system_price: int | None
    prices: dict[str, int | None]
    groups: tuple[tuple[str, ...], ...]
    flows_wh: dict[str, int]
    rent_ujpy: dict[str, int]
    binding: tuple[str, ...]


def report_auctions(
    design: MarketDesign,
    grid: Grid,
    orders: Table,
    outcome: Outcome,
    capacity_wh: Int,
    flow_wh: Int,
    limit_wh: Int | None = None,
) -> list[AuctionReport]:
    """A report of each market from what `exchange.trade` was given and returned.

    Raises ValueError for the outcome of a design that has no area prices.
    """
    if outcome.price is None:
        raise ValueError(f"design {design.name} has no area prices to report")
    system = clear_without_limits(design, grid, orders, len(capacity_wh))
    before, after = _net(flow_wh), _net(outcome.flow_wh)
    full = _full_lines(grid, capacity_wh, after, outcome.price)
    limits_full = _full_limits(design, grid, outcome.flow_wh, limit_wh)
    return [
        AuctionReport(
            system_price=_price(int(system[market])),
            prices={area: _price(int(p)) for area, p in zip(grid.areas, outcome.price[market], strict=True)},
            groups=_groups(grid, outcome.price[market], full[market].any(-1)),
            flows_wh={line.name: int(after[market, row]) for row, line in enumerate(grid.lines)},
            rent_ujpy=_rent(grid, outcome.price[market], after[market] - before[market]),
            binding=(
                *(line.name for row, line in enumerate(grid.lines) if full[market, row].any()),
                *(limit.name for row, limit in enumerate(grid.limits) if limits_full[market, row]),
            ),
        )
        for market in range(len(capacity_wh))
    ]


def _net(flow_wh: Int) -> Int:
    return np.asarray(flow_wh[..., 0] - flow_wh[..., 1])


def _full_lines(grid: Grid, capacity_wh: Int, net: Int, price: Int) -> Int:
    """Whether each line is full forward and backward (markets, lines, 2)."""
    low, high = (price[:, [getattr(line, end) for line in grid.lines]] for end in ("source", "target"))
    priced = (low != NO_PRICE) & (high != NO_PRICE)
    rises = np.stack([priced & (low < high), priced & (low > high)], -1)
    both = np.stack([net, -net], -1)
    return np.asarray((both >= capacity_wh) & ((both > 0) | rises))


def _full_limits(design: MarketDesign, grid: Grid, flow_wh: Int, limit_wh: Int | None) -> Int:
    bound = limits_of(grid, len(flow_wh), limit_wh)
    used = limit_use(grid, flow_wh, design.netting)
    return np.asarray((used >= bound) & (used > 0))


def _price(price: int) -> int | None:
    return None if price == NO_PRICE else price


def _groups(grid: Grid, price: Int, full: Int) -> tuple[tuple[str, ...], ...]:
    """Areas of one price that lines with room join, in the grid's order."""
    group = list(range(len(grid.areas)))
    for _ in grid.areas:
        for row, line in enumerate(grid.lines):
            if not full[row] and price[line.source] == price[line.target] != NO_PRICE:
                group[line.source] = group[line.target] = min(group[line.source], group[line.target])
    return tuple(
        tuple(area for area, of in zip(grid.areas, group, strict=True) if of == leader) for leader in sorted(set(group))
    )


def _rent(grid: Grid, price: Int, moved: Int) -> dict[str, int]:
    """Rent of each line [uJPY] on what this auction moved; 0 where an end has no price."""
    rent = {}
    for row, line in enumerate(grid.lines):
        ends = int(price[line.source]), int(price[line.target])
        rent[line.name] = 0 if NO_PRICE in ends else (ends[1] - ends[0]) * int(moved[row])
    return rent
