"""What is committed on the lines, for every slot of the year ahead (paper 1.4, items 20 and 22).

Because capacity is taken when a contract forms, the market knows long before delivery what will flow over each line
(連系線) and in which slots a line is full already. That is asked for here: from the committed use that trade keeps for
every open slot, or from a table of contracts, as of any time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from market.design import MarketDesign
from market.grid import Grid
from market.pairing import count_ways, limit_room
from market.tables import Field, Schema, Table, memory_dtype, pick_rows
from market.units import Int

Mask = npt.NDArray[np.bool_]

COMMITTED_FIELDS: Schema = (
    Field("slot", "i4", "", "slot", "delivery half hour"),
    Field("line", "i4", "", "", "row of the line in the grid"),
    Field("flow", "i8", "", "Wh", "committed net flow, + from source to target"),
    Field("forward", "i8", "", "Wh", "capacity from source to target"),
    Field("backward", "i8", "", "Wh", "capacity from target to source"),
    Field("forward_room", "i8", "", "Wh", "what contracts can still take forward, joint limits counted"),
    Field("backward_room", "i8", "", "Wh", "what contracts can still take backward, joint limits counted"),
    Field("full", "u1", "", "", "0 room both ways, 1 full forward, 2 full backward, 3 both"),
)
COMMITTED = memory_dtype(COMMITTED_FIELDS)


@dataclass(frozen=True)
class LineAhead:
    """One line over all slots asked for.

    - committed, full_forward, full_backward: slots with committed use, slots full in either direction;
    - most_forward_wh, most_backward_wh: largest committed net flow each way in one slot [Wh], 0 if none;
    - flow_wh: sum of committed net flow of either direction, a Python integer [Wh];
    - first_full: the first full slot, None if none is.
    """

    name: str
    committed: int
    full_forward: int
    full_backward: int
    most_forward_wh: int
    most_backward_wh: int
    flow_wh: int
    first_full: int | None


@dataclass(frozen=True)
class Committed:
    """Committed use of every line and slot, and the room left.

    - slot (markets,): delivery slots;
    - use_wh (markets, lines, 2), capacity_wh (markets, lines, 2): use and capacity forward and backward [Wh];
    - room_wh (markets, lines, 2): what one more contract over that line alone could take, never below zero;
    - limit_room_wh (markets, limits): room of each joint limit, below zero where use is beyond it.
    """

    grid: Grid
    slot: Int
    use_wh: Int
    capacity_wh: Int
    room_wh: Int
    limit_room_wh: Int

    @cached_property
    def net_wh(self) -> Int:
        """Committed net flow (markets, lines) [Wh], + from source to target."""
        return np.asarray(self.use_wh[..., 0] - self.use_wh[..., 1])

    @cached_property
    def full(self) -> Mask:
        """Where a line that has capacity takes no more that way (markets, lines, 2)."""
        return np.asarray((self.room_wh == 0) & (self.capacity_wh > 0))

    def table(self) -> Table:
        """One row for each slot and line, by slot; columns are COMMITTED_FIELDS."""
        markets, lines = self.net_wh.shape
        rows = np.zeros(markets * lines, COMMITTED)
        rows["slot"], rows["line"] = np.repeat(self.slot, lines), np.tile(np.arange(lines), markets)
        rows["flow"] = self.net_wh.reshape(-1)
        for way, name in enumerate(("forward", "backward")):
            rows[name] = self.capacity_wh[..., way].reshape(-1)
            rows[f"{name}_room"] = self.room_wh[..., way].reshape(-1)
            rows["full"] += self.full[..., way].reshape(-1) * np.uint8(way + 1)
        return rows

    def lines(self) -> Iterator[LineAhead]:
        """Each line of the grid over all slots."""
        for row, line in enumerate(self.grid.lines):
            net, full = self.net_wh[:, row], self.full[:, row]
            slots = self.slot[full.any(-1)]
            yield LineAhead(
                line.name,
                committed=int(self.use_wh[:, row].any(-1).sum()),
                full_forward=int(full[:, 0].sum()),
                full_backward=int(full[:, 1].sum()),
                most_forward_wh=int(net.max(initial=0)),
                most_backward_wh=int((-net).max(initial=0)),
                flow_wh=sum(np.abs(net).tolist()),
                first_full=int(slots.min()) if len(slots) else None,
            )


def look_ahead(
    design: MarketDesign, grid: Grid, slot: Int, capacity_wh: Int, use_wh: Int, *, limit_wh: Int | None = None
) -> Committed:
    """What is committed on every line in these slots and what room is left.

    Args:
        design: says whether opposite flows net.
        grid: areas, lines, joint limits.
        slot: (markets,) delivery slot of each row below.
        capacity_wh: (markets, lines, 2) room of each line forward and backward [Wh].
        use_wh: (markets, lines, 2) committed use, `flow_wh` of `market.exchange.Outcome` or `use_of` contracts [Wh].
        limit_wh: (markets, limits) bound of each joint limit [Wh]; the grid's own bounds if None.

    Source: paper 1.4, items 20 and 22: the flow of each of 48 x 365 slots is known when its contracts are.
    """
    left = limit_room(design, grid, use_wh, limit_wh)
    room = capacity_wh - use_wh + (use_wh[..., ::-1] if design.netting else 0)
    for row, limit in enumerate(grid.limits):
        signs = np.array(limit.signs, np.int64)
        for way, sign in enumerate((1, -1)):
            counts = signs == sign
            room[:, counts, way] = np.minimum(room[:, counts, way], left[:, row, None])
    return Committed(grid, np.asarray(slot), use_wh, capacity_wh, np.maximum(room, 0), left)


def use_of(grid: Grid, contracts: Table, first_slot: int, slots: int) -> Int:
    """Use of each line by the contracts of one world (slots, lines, 2) [Wh], slots counted from `first_slot`.

    Contracts for other slots are left out. Raises ValueError when a contract names a path that the grid does not
    number.
    """
    column = contracts["slot"].astype(np.int64) - first_slot
    inside = (column >= 0) & (column < slots)
    path, energy = contracts["path"][inside].astype(np.int64), contracts["energy"][inside]
    if len(path) and path.max() >= len(grid.paths):
        raise ValueError("a contract names a path that the grid does not number")
    use = np.zeros((slots, len(grid.lines), 2), np.int64)
    np.add.at(use, column[inside], count_ways(grid)[path] * energy[:, None, None])
    return use


def known_at(contracts: Table, now: int) -> Table:
    """The contracts that had formed by the end of slot `now`."""
    return pick_rows(contracts, contracts["formed"] <= now)
