"""What a key may trade: the role it is enrolled in and the areas it is enrolled for.

A consumer buys and a generator sells; stores (of energy), retailers and service providers do both. A key without
limits, as all of the genesis are, trades as its party likes. Withdrawing an order is never refused.

Source: roles of the Digital Grid (paper 1.1 to 1.4); which sides a role has, and 64 areas at most: assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from market.errors import Refusal
from market.orders import Kind, Side
from market.tables import Table
from market.validation import Codes

MAX_AREAS = 64
ALL_AREAS = (1 << MAX_AREAS) - 1


class Role(IntEnum):
    """As what a key is enrolled."""

    CONSUMER = 1
    GENERATOR = 2
    STORE = 3
    RETAILER = 4
    SERVICE_PROVIDER = 5


SIDES = {
    Role.CONSUMER: 1 << Side.BUY,
    Role.GENERATOR: 1 << Side.SELL,
    Role.STORE: 1 << Side.BUY | 1 << Side.SELL,
    Role.RETAILER: 1 << Side.BUY | 1 << Side.SELL,
    Role.SERVICE_PROVIDER: 1 << Side.BUY | 1 << Side.SELL,
}
"""Sides of orders each role may send, one bit each."""


@dataclass(frozen=True)
class Limits:
    """A role, and the areas in which its key may trade, one bit for each row of the grid."""

    role: Role
    areas: int = ALL_AREAS


def limit_rows(codes: Codes, orders: Table, limits: Mapping[int, Limits]) -> Codes:
    """Codes (n,) with OTHER_SIDE and OTHER_AREA where an order that may enter otherwise is beyond its party's limits.

    `orders` (n,) of one world; `limits` by party, for those that have any.
    """
    if not limits or not len(orders):
        return codes
    parties = np.array(sorted(limits))
    sides = np.array([SIDES[limits[party].role] for party in parties.tolist()], np.uint8)
    areas = np.array([limits[party].areas for party in parties.tolist()], np.uint64)
    place = np.minimum(np.searchsorted(parties, orders["party"]), len(parties) - 1)
    bound = (codes == 0) & (parties[place] == orders["party"]) & (orders["kind"] != Kind.CANCEL)
    area = orders["area"].astype(np.uint64)
    foreign = (area >= MAX_AREAS) | ((areas[place] >> (area % MAX_AREAS)) & 1 == 0)
    codes = np.where(bound & foreign, np.uint8(Refusal.OTHER_AREA), codes)
    return np.where(bound & ((sides[place] >> orders["side"]) & 1 == 0), np.uint8(Refusal.OTHER_SIDE), codes)
