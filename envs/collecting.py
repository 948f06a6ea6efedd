"""From the quotes of all roles to the order rows of a step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.fleet import Fleet, Role
from agents.ordering import add_blocks, write_orders
from agents.quoting import Quote, width_of
from envs.sight import Seat
from ledger.encoding import ABSENT
from market.tables import Table
from market.units import Int

Columns = tuple[Int, Int] | tuple[None, None]


def collect_orders(
    quotes: Mapping[Role, Quote], fleet: Fleet, seats: Mapping[Role, Seat], live: npt.NDArray[Any], first_open: Int
) -> tuple[Table, Int]:
    """Order rows sorted by world, party, slot and side, and the declared plans (worlds, parties) [Wh].

    Dispatchable parties declare none: their plan is what they sold.

    Args:
        quotes: by role.
        fleet, seats: who the parties are, and the rows of each role.
        live: (worlds, parties, open slots, 2) own resting orders.
        first_open: (worlds,) first open slot.
    """
    worlds, parties, count = live.shape[:3]
    shape = (worlds, parties, min(count, max(map(width_of, quotes.values()), default=0)))
    wanted, price = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    other: Columns = (None, None)
    if any(made.other_wh is not None for made in quotes.values()):
        other = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    plan, speaks = np.full(shape[:2], ABSENT, np.int64), None
    for role, made in quotes.items():
        rows, said = seats[role].rows, slice(made.wanted_wh.shape[-1])
        wanted[:, rows, said], price[:, rows, said] = made.wanted_wh, made.price
        if made.other_wh is not None and made.other_price is not None and other[0] is not None:
            other[0][:, rows, said], other[1][:, rows, said] = made.other_wh, made.other_price
        if made.speaks is not None:
            speaks = np.full(parties, shape[2], np.int64) if speaks is None else speaks
            speaks[rows] = made.speaks
        if not fleet.dispatchable[rows].any():
            plan[:, rows] = made.plan_wh
    seen = live[:, :, : shape[2]]
    orders = write_orders(wanted, price, seen, fleet.area, first_open, other[0], other[1], speaks)
    blocks = [(seats[role].rows, made.blocks) for role, made in quotes.items() if made.blocks is not None]
    return (add_blocks(orders, blocks, fleet.area, first_open) if blocks else orders), plan
