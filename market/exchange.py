"""trade(): the one engine. Orders and resting orders in, contracts and what is left out.

Training, evaluation, simulation and ledger verification all call this function, for one market or
for thousands: every row names its market, and markets do not see each other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.contracts import no_contracts
from market.design import MarketDesign
from market.errors import ConfigError, Refusal
from market.grid import Grid
from market.orders import Kind, is_block, no_orders
from market.slots import HALF_HOURS, SlotCalendar
from market.tables import Table
from market.units import Int

NO_PRICE = np.iinfo(np.int64).min
"""Marks an area and slot without trade: its price is null, never a number."""


@dataclass(frozen=True)
class Outcome:
    """What one call of `trade` did.

    - contracts: table, in the order in which they formed;
    - resting: orders still live, energy = what is left;
    - codes (orders,): Refusal of each given order row, ADMITTED where it entered;
    - filled_wh, expired_wh (orders,): energy of each given row that traded at once, or lapsed;
    - cancelled_wh: resting energy withdrawn by cancel and replace;
    - flow_wh (markets, lines, 2): committed use of each line forward and backward after the call, as given
      plus that of the new contracts; net flow is forward less backward;
    - price (markets, areas) [mJPY/kWh]: clearing prices of a uniform design, NO_PRICE without trade;
      None for a continuous one;
    - paths: what `path` of a contract counts; the grid's paths, and on a meshed grid those that this call added;
    - lost_ujpy (markets,): welfare lost to whole Wh under joint limits that are no fences [uJPY]; None elsewhere.
    """

    contracts: Table
    resting: Table
    codes: npt.NDArray[np.uint8]
    filled_wh: Int
    expired_wh: Int
    cancelled_wh: int
    flow_wh: Int
    price: Int | None
    paths: tuple[tuple[int, ...], ...] = ()
    lost_ujpy: Int | None = None


@dataclass(frozen=True)
class Call:
    """One call of `trade`: what a rule function of a design is given.

    - design: the rules;
    - grid: areas and lines;
    - resting: live orders of earlier calls (designs whose orders rest);
    - orders: admitted rows of this step, any order; `sequence` decides who came first;
    - capacity_wh: (markets, lines, 2) room of each line forward and backward [Wh];
    - flow_wh: (markets, lines, 2) use already committed forward and backward [Wh];
    - now: (worlds,) the slot in which this happens, written as `formed`;
    - limit_wh: (markets, limits) bound of each joint limit of the grid [Wh]; the grid's own bounds if None;
    - retail: (markets, areas, 2) prices outside the market [mJPY/kWh]: what the retailer asks, less the fee a contract
      bears, and what it pays (`Terms.outside_options`); read by designs that share by them;
    - owner: (parties,) who owns each party, for self-trade prevention; everybody owns itself if None;
    - calendar: slot length, which tells a design with sessions which of them is on.
    """

    design: MarketDesign
    grid: Grid
    resting: Table
    orders: Table
    capacity_wh: Int
    flow_wh: Int
    now: Int
    limit_wh: Int | None = None
    retail: Int | None = None
    owner: Int | None = None
    calendar: SlotCalendar = HALF_HOURS


def trade(
    design: MarketDesign,
    grid: Grid,
    resting: Table,
    orders: Table,
    capacity_wh: Int,
    flow_wh: Int,
    now: Int,
    *,
    limit_wh: Int | None = None,
    retail: Int | None = None,
    owner: Int | None = None,
    calendar: SlotCalendar = HALF_HOURS,
) -> Outcome:
    """Match orders as the design says: by its rule function, or in sequence, all at once, or not at all.

    The arguments are those of a `Call`; rows of block orders may be among the orders (`market.block_rows`). Raises
    ConfigError when the design's rule is not registered here.
    """
    if is_block(orders).any():
        from market.block_rows import trade_rows

        return trade_rows(
            Call(design, grid, resting, orders, capacity_wh, flow_wh, now, limit_wh, retail, owner, calendar)
        )
    from market.pairing import trade_continuous
    from market.splitting import trade_uniform

    if design.rule:
        from market.rules import find_rule

        call = Call(design, grid, resting, orders, capacity_wh, flow_wh, now, limit_wh, retail, owner, calendar)
        return find_rule(design)(call)
    if design.pairs == "continuous":
        return trade_continuous(
            design, grid, resting, orders, capacity_wh, flow_wh, now, limit_wh=limit_wh, owner=owner
        )
    if design.pairs == "uniform":
        return trade_uniform(design, grid, orders, capacity_wh, flow_wh, now, limit_wh)
    if design.pairs != "none":
        raise ConfigError(f"design {design.name!r} pairs by a rule and names none", do="give it a `rule`")
    return let_lapse(orders, flow_wh)


def close_orders(
    orders: Table,
    filled_wh: Int,
    contracts: Table,
    flow_wh: Int,
    price: Int | None,
    paths: tuple[tuple[int, ...], ...],
) -> Outcome:
    """An outcome in which nothing rests: what did not fill (orders,) lapses, and a cancel finds nothing to cancel."""
    cancels = orders["kind"] == int(Kind.CANCEL)
    expired_wh = np.where(cancels, 0, orders["energy"] - filled_wh)
    codes = np.where(cancels, int(Refusal.NOTHING_TO_CANCEL), int(Refusal.ADMITTED)).astype(np.uint8)
    return Outcome(contracts, no_orders(), codes, filled_wh, expired_wh, 0, flow_wh, price, paths)


def let_lapse(orders: Table, flow_wh: Int) -> Outcome:
    """An outcome in which nothing trades and every order lapses."""
    count = len(orders)
    nothing = np.zeros(count, np.int64)
    return Outcome(
        no_contracts(), no_orders(), np.zeros(count, np.uint8), nothing, orders["energy"].copy(), 0, flow_wh, None
    )
