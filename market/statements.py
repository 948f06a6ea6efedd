"""What one party contracted (取引明細): who supplied it and whom it supplied, at what price, over which path.

Under balancing by plans a contract certifies that power went from a named generator to a named consumer (paper 4.2),
so the rows of the contract table that name a party are its statement; nothing is estimated.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from market.contracts import Source
from market.grid import Grid
from market.orders import Side
from market.slots import HALF_HOURS, SlotCalendar
from market.tables import Table, pick_rows
from market.units import Int

AHEAD_DAYS = 30
"""A contract formed more days than this before delivery counts as formed far ahead: more than a month."""


@dataclass(frozen=True)
class Dealings:
    """One side of a statement; sums are Python integers.

    - energy_wh, money_ujpy: contracted energy and what was paid (buying) or received (selling) for it;
    - last_resort_wh, ahead_wh: part for which the retailer stood in, part formed more than AHEAD_DAYS ahead;
    - by_source, by_partner: energy [Wh] by what it comes from and by counterparty row, largest first;
    - slots, longest_run: delivery slots with energy, and the longest run of such slots without a gap: a generator
      that runs through holds what amounts to a long-term contract (paper 1.3).
    """

    energy_wh: int
    money_ujpy: int
    last_resort_wh: int
    ahead_wh: int
    by_source: dict[Source, int]
    by_partner: dict[int, int]
    slots: int
    longest_run: int

    @property
    def mean_jpy_kwh(self) -> float | None:
        """Mean price weighted by energy [JPY/kWh], None without energy."""
        return self.money_ujpy / self.energy_wh / 1_000 if self.energy_wh else None

    def share(self, part_wh: int) -> float | None:
        """Part of the energy of this side, None without energy."""
        return part_wh / self.energy_wh if self.energy_wh else None


def contracts_of(contracts: Table, party: int) -> Table:
    """Rows of the contract table in which a party sells or buys, by delivery slot, then in order of formation."""
    mine = pick_rows(contracts, (contracts["seller"] == party) | (contracts["buyer"] == party))
    return pick_rows(mine, np.lexsort((mine["formed"], mine["slot"])))


def sum_dealings(contracts: Table, party: int, side: Side, calendar: SlotCalendar = HALF_HOURS) -> Dealings:
    """Sums over the contracts in which a party buys or sells.

    Source: paper 1.3 (a chain of half-hour contracts stands for a long-term one) and 4.2 (who supplied whom).
    """
    me, other, price = ("buyer", "seller", "buy_price") if side == Side.BUY else ("seller", "buyer", "sell_price")
    rows = pick_rows(contracts, contracts[me] == party)
    energy = rows["energy"].astype(np.int64)
    ahead = rows["slot"].astype(np.int64) - rows["formed"] > AHEAD_DAYS * calendar.per_day
    busy = np.unique(rows["slot"]).astype(np.int64)
    sources = _sum_by(rows["source"].astype(np.int64), energy)
    return Dealings(
        energy_wh=_total(energy),
        money_ujpy=_total(energy * rows[price]),
        last_resort_wh=_total(energy[rows["last_resort"] == 1]),
        ahead_wh=_total(energy[ahead]),
        by_source={Source(source): wh for source, wh in sources.items()},
        by_partner=_sum_by(rows[other].astype(np.int64), energy),
        slots=len(busy),
        longest_run=_longest_run(busy),
    )


def name_paths(grid: Grid) -> tuple[str, ...]:
    """Each path of the grid in words, '' within an area; a line passed from target to source is marked '(back)'."""
    return tuple(
        " + ".join(grid.lines[abs(step) - 1].name + (" (back)" if step < 0 else "") for step in path)
        for path in grid.paths
    )


def _longest_run(slots: Int) -> int:
    """Most slots in a row among sorted, different slots."""
    breaks = np.flatnonzero(np.diff(slots) != 1)
    edges = np.concatenate([[-1], breaks, [len(slots) - 1]])
    return int(np.diff(edges).max()) if len(slots) else 0


def _sum_by(key: Int, energy: Int) -> dict[int, int]:
    sums = {int(k): _total(energy[key == k]) for k in np.unique(key)}
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _total(values: Iterable[int]) -> int:
    return sum(int(value) for value in values)
