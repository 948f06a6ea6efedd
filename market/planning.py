"""Plans and the gate: what was planned but not contracted falls to the retailer of last resort.

One hour before delivery a party's plan is fixed (計画値同時同量, paper 1.3 and 4.2). Planned consumption
that is not contracted is supplied by the area's retailer, planned surplus is bought by it: ordinary
contracts flagged `last_resort`. After the gate only reading minus plan is imbalance.
"""

import numpy as np

from market.contracts import CONTRACT, Source
from market.settlement import Accounts, Terms
from market.tables import Table
from market.units import Int


def last_resort(
    plan_wh: Int, position_wh: Int, outside: Int, slot: Int, now: Int, market: Int, terms: Terms, accounts: Accounts
) -> Table:
    """Contracts between each party and its area's retailer that bring positions to the plans.

    Args:
        plan_wh: (worlds, parties) planned net energy [Wh], + is import; retailers' columns are ignored.
        position_wh: (worlds, parties) contracted net energy [Wh].
        outside: (worlds, areas) outside price of the slot [mJPY/kWh].
        slot: (worlds,) the slot whose gate closes.
        now: (worlds,) the slot in which it closes.
        market: (worlds,) row of the slot in the capacity and flow tables.
        terms: prices outside the market.
        accounts: parties, areas and retailers.
    """
    gap = plan_wh - position_wh
    gap[:, list(accounts.retailer)] = 0
    world, party = np.nonzero(gap)
    amount = gap[world, party]
    retailer = accounts.retailer_of_party[party]
    price = outside[world, accounts.area_of_party[party]]
    short = amount > 0
    contracts = np.zeros(len(world), CONTRACT)
    contracts["world"], contracts["slot"], contracts["market"] = world, slot[world], market[world]
    contracts["buyer"], contracts["seller"] = np.where(short, party, retailer), np.where(short, retailer, party)
    contracts["energy"] = np.abs(amount)
    paid = np.where(short, terms.supply_price(price), terms.feed_in_price(price))
    contracts["buy_price"] = contracts["sell_price"] = paid
    contracts["source"], contracts["last_resort"] = Source.GRID, 1
    contracts["formed"] = now[world]
    return contracts
