"""Balancing groups (バランシンググループ): deviations settled as one against the area operator, then shared inside.

A service provider is the representative contract holder (代表契約者) of a group of parties in one area. The operator
prices the sum of the members' deviations once, by the imbalance rule, and the provider pays or receives that. What is
short in one home and left over in another cancels out before it is priced: the netting gain. Inside, one rule of three:

- `own`: each member pays as if it stood alone; the provider keeps the netting gain.
- `pro-rata`: the group's money is shared in proportion to the sizes of the members' deviations, by largest remainder,
  ties to the lower party. Who deviates against the group pays as well.
- `causer`: each member's own deviation at the price of the group's side. Who deviates with the group pays what it would
  alone, and the netting gain goes to those who deviate against it. A group in balance counts as left over.

`pro-rata` and `causer` leave the provider with nothing. Source: balancing by plan since 2016-04 (計画値同時同量): plans
and imbalance belong to the balancing group and area, with one representative; how a group shares inside is its own
contract, so the three rules are assumptions.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from market.units import Int

AllocationRule = Literal["own", "pro-rata", "causer"]
ALLOCATIONS: tuple[AllocationRule, ...] = get_args(AllocationRule)
NARROW_WH = 1 << 31
"""Sums of sizes from here on are multiplied as Python integers; below, products stay within 62 bits."""


@dataclass(frozen=True)
class BalancingGroup:
    """A group by the name of its service provider: area row, party rows of the members in order, rule inside."""

    name: str
    area: int
    members: tuple[int, ...]
    allocation: AllocationRule

    def __post_init__(self) -> None:
        in_order = all(first < second for first, second in pairwise((-1, *self.members)))
        if self.allocation not in ALLOCATIONS or not in_order:
            raise ValueError(f"balancing group {self.name!r} has an unknown rule or members out of order")


def settle_group(rule: AllocationRule, deviation_wh: Int, prices: Int) -> tuple[Int, Int]:
    """What each member receives of a group's imbalance (w, members), and what the operator pays the group (w,) [uJPY].

    Args:
        rule: how the money is shared inside.
        deviation_wh: (w, members) reading minus plan.
        prices: (w, 2) what a missing kWh costs and a left-over kWh earns [mJPY/kWh].
    """
    net = deviation_wh.sum(1)
    price = np.where(net > 0, prices[:, 0], prices[:, 1])
    due = -net * price
    if rule == "own":
        return -deviation_wh * np.where(deviation_wh > 0, prices[:, :1], prices[:, 1:]), due
    if rule == "causer":
        return -deviation_wh * price[:, None], due
    return np.sign(due)[:, None] * share_by_size(np.abs(due), np.abs(deviation_wh)), due


def share_by_size(total: Int, size: Int) -> Int:
    """Split totals (w,) >= 0 in proportion to sizes (w, n) >= 0: whole units, largest remainder, ties to the lower row.

    Without any size nothing is shared. `market.units.share_largest_remainder` says the same for one total.
    """
    whole = np.maximum(size.sum(1), 1)
    if whole.max(initial=0) >= NARROW_WH:
        whole, size, total = whole.astype(object), size.astype(object), total.astype(object)
    each, rest = total // whole, total % whole
    mixed = rest[:, None] * size
    parts, rests = each[:, None] * size + mixed // whole[:, None], mixed % whole[:, None]
    place = np.argsort(np.argsort(-rests, axis=1, kind="stable"), axis=1, kind="stable")
    missing = np.where(size.any(1), total - parts.sum(1), 0)
    return np.asarray(parts + (place < missing[:, None]), np.int64)
