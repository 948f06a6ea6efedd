"""Curtailment (抑制): when a line's capacity falls, contracts over it are cut, last formed first, until flows fit.

- Contracts form only where there is room (paper 1.4), so they stop fitting only where capacity falls afterwards. The
  contract formed last gives way first: who came early relied on room that was there.
- In each pass over a market's contracts, from the last formed to the first, a contract is cut by what the lines and
  joint limits it loads are over their bounds, in part or wholly. A contract that only relieves what is too full
  stays: without it the flow would be larger.
- Where opposite flows net, cutting a contract takes away the room it made the other way. So passes follow one another
  until nothing that is too full is loaded by a contract. Every pass but the last cuts at least 1 Wh, and from the ninth
  on a contract that is cut is cut wholly: there are at most nine passes more than contracts.
- At the end, first formed first, each contract is given back what fits again.

After that every line and joint limit fits, provided that the flow is that of the contracts: a limit that is too full is
loaded by some contract, since the sum of what loads it less what relieves it is above its bound, which is not negative.

Both parties of a curtailed contract are made whole from the account `line_outage` (`post_curtailment`).
"""

from dataclasses import dataclass

import numpy as np

from market.contracts import Source
from market.design import MarketDesign
from market.grid import Grid
from market.pairing import count_ways, limit_room, limit_weights
from market.settlement import Accounts, post_outage
from market.tables import Table, pick_rows
from market.units import Int

GENERATORS = (Source.SOLAR, Source.THERMAL)
"""Sources that generate only what they sold: without the contract they save the fuel and have no surplus to sell."""


@dataclass(frozen=True)
class Curtailment:
    """What was cut.

    - cut_wh (contracts,): energy taken off each row of the contract table [Wh];
    - flow_wh (markets, lines, 2): use of each line forward and backward afterwards [Wh];
    - line_cuts (lines, 2): contracts cut that pass each line forward and backward; one over two lines counts at both;
    - line_cut_wh (lines, 2): energy taken off each line forward and backward [Wh];
    - over_wh (markets,): by how much the fullest line or joint limit is still beyond its bound [Wh]; above zero only
      where flow is not that of the contracts given, or a bound is negative.
    """

    cut_wh: Int
    flow_wh: Int
    line_cuts: Int
    line_cut_wh: Int
    over_wh: Int

    @property
    def count(self) -> int:
        """Contracts cut, in part or wholly."""
        return int((self.cut_wh > 0).sum())

    @property
    def energy_wh(self) -> int:
        """Energy cut, a Python integer."""
        return sum(self.cut_wh.tolist())


def curtail(
    design: MarketDesign,
    grid: Grid,
    contracts: Table,
    capacity_wh: Int,
    flow_wh: Int,
    *,
    limit_wh: Int | None = None,
) -> Curtailment:
    """Cut contracts, last formed first, in every market whose lines or joint limits are over their bounds.

    Args:
        design: says whether opposite flows net.
        grid: areas, lines, joint limits.
        contracts: rows of any markets; `formed` and, within a slot, the order of rows say which formed last.
        capacity_wh: (markets, lines, 2) room of each line forward and backward, as it is now [Wh].
        flow_wh: (markets, lines, 2) use of the contracts [Wh]; not changed.
        limit_wh: (markets, limits) bound of each joint limit of the grid [Wh]; the grid's own bounds if None.

    Raises ValueError when a contract names a path that the grid does not number.

    Source: the rule is this market's own; priority by time of contract is that of the time before 2018-10, when
    capacity of interconnectors was booked first come first served (先着優先, OCCTO).
    """
    from market.curtailment_kernels import curtail_markets

    if len(contracts) and int(contracts["path"].max()) >= len(grid.path_table):
        raise ValueError("a contract names a path that the grid does not number")
    use, market = flow_wh.copy(), contracts["market"].astype(np.int64)
    path, energy = contracts["path"].astype(np.int64), contracts["energy"].astype(np.int64)
    spare = limit_room(design, grid, use, limit_wh)
    over = find_overflow(design, capacity_wh, use, spare) > 0
    rows = np.flatnonzero(over[market] & (path > 0))
    rows = rows[np.lexsort((contracts["formed"][rows], market[rows]))]
    first = np.flatnonzero(np.diff(market[rows], prepend=-1))
    kept = curtail_markets(
        rows,
        np.append(first, len(rows)),
        market,
        path,
        energy,
        capacity_wh,
        use,
        spare,
        grid.path_table,
        limit_weights(grid, design.netting),
        design.netting,
    )
    cut = energy - kept
    passes = count_ways(grid)[path[cut > 0]]
    return Curtailment(cut, use, passes.sum(0), (flow_wh - use).sum(0), find_overflow(design, capacity_wh, use, spare))


def find_overflow(design: MarketDesign, capacity_wh: Int, flow_wh: Int, limit_room_wh: Int) -> Int:
    """By how much the fullest line or joint limit of each market is beyond its bound, 0 where all fit (markets,) [Wh].

    `limit_room_wh` (markets, limits) is what is left of each joint limit: `market.pairing.limit_room`.
    """
    use = flow_wh - flow_wh[..., ::-1] if design.netting else flow_wh
    lines = (use - capacity_wh).reshape(len(use), -1).max(1, initial=0)
    return np.asarray(np.maximum(lines, (-limit_room_wh).max(1, initial=0)))


def keep_rest(contracts: Table, cut_wh: Int) -> Table:
    """The contracts with what is left of them; those cut wholly are gone."""
    rest = pick_rows(contracts, contracts["energy"] > cut_wh)
    rest["energy"] -= cut_wh[contracts["energy"] > cut_wh]
    return rest


def take_back(contracts: Table, cut_wh: Int) -> Table:
    """Rows that take the cut energy out of whatever the contracts were entered into: their energy is below zero."""
    rows = pick_rows(contracts, cut_wh > 0)
    rows["energy"] = -cut_wh[cut_wh > 0]
    return rows


def prices_instead(contracts: Table, retail: Int, fuel: Int, accounts: Accounts) -> Int:
    """What the energy costs each buyer and brings each seller without the contract (contracts, 2) [mJPY/kWh].

    The buyer pays what its area's retailer asks, less the fee it saves; a seller with surplus gets what the retailer
    pays, a generator saves its fuel. `retail` (markets, areas, 2): `Terms.outside_options`; `fuel` (parties,): fuel
    price of an export.
    """
    market, area = contracts["market"].astype(np.int64), accounts.area_of_party
    asked = retail[market, area[contracts["buyer"]], 0]
    paid = retail[market, area[contracts["seller"]], 1]
    generates = np.isin(contracts["source"], GENERATORS)
    return np.stack([asked, np.where(generates, fuel[contracts["seller"]], paid)], -1)


def compensation(contracts: Table, cut_wh: Int, instead: Int) -> Int:
    """What makes buyer and seller whole (contracts, 2) [uJPY], never below zero.

    The buyer loses what the energy costs it otherwise less its own price, the seller its price less what the energy
    brings otherwise. `instead` (contracts, 2): `prices_instead`. Nobody pays for having been curtailed.
    """
    lost = np.stack([instead[:, 0] - contracts["buy_price"], contracts["sell_price"] - instead[:, 1]], -1)
    return np.asarray(np.maximum(lost, 0) * cut_wh[:, None])


def post_curtailment(money: Int, at: Int, contracts: Table, made_whole: Int, accounts: Accounts) -> None:
    """Post what makes the parties whole to `money` (rows, accounts, kinds), in place.

    `at` (contracts,) is the row of `money` that holds the contract's world and slot; `made_whole` (contracts, 2):
    `compensation`. The contracts themselves are posted with what is left of them (`keep_rest`).
    """
    for column, side in enumerate(("buyer", "seller")):
        post_outage(money, at, contracts[side].astype(np.int64), made_whole[:, column], accounts)
