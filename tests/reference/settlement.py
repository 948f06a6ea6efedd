"""Postings one contract and one party at a time; the referee of `market.settlement`."""

from collections import Counter

import numpy as np

from market.settlement import Accounts, PostingKind, Terms
from market.tables import Table
from market.units import Int, share_largest_remainder
from tests.reference.imbalance import price_of_2022, prices_of_2016

Postings = Counter[tuple[str, PostingKind]]
"""Money [uJPY] by account and kind."""


def post(out: Postings, payer: str, receiver: str, kind: PostingKind, amount: int) -> None:
    """One account pays another."""
    out[payer, kind] -= amount
    out[receiver, kind] += amount


def settle_contracts(contracts: Table, terms: Terms, accounts: Accounts) -> Postings:
    """What contracts of one world and slot cause."""
    out: Postings = Counter()
    names = accounts.party_names
    for row in contracts:
        buyer, seller, energy = names[row["buyer"]], names[row["seller"]], int(row["energy"])
        paid, earned = energy * int(row["buy_price"]), energy * int(row["sell_price"])
        purchase, sale = PostingKind.PURCHASE, PostingKind.SALE
        if row["last_resort"]:
            bought_up = int(row["buyer"]) in accounts.retailer
            purchase = PostingKind.LAST_RESORT_SURPLUS if bought_up else PostingKind.LAST_RESORT_SUPPLY
            sale = purchase
        else:
            post(out, buyer, "platform", PostingKind.FEE, energy * terms.fee)
        post(out, buyer, "collection", purchase, paid)
        post(out, "collection", seller, sale, earned)
        lines = [accounts.grid.lines[abs(step) - 1].name for step in accounts.grid.paths[row["path"]]]
        for place, line in enumerate(lines):
            share = (paid - earned) // len(lines) + ((paid - earned) % len(lines) if place == 0 else 0)
            post(out, "collection", f"line:{line}", PostingKind.RENT, share)
        if not lines:
            post(out, "collection", "exchange", PostingKind.TRADE_REDUCTION, paid - earned)
    return out


def settle_delivery(
    reading_wh: Int, plan_wh: Int, outside: Int, fuel: Int, terms: Terms, accounts: Accounts, slot: int, capped: Int
) -> Postings:
    """What the readings of one world and slot cause; all arrays without the axis of worlds."""
    out: Postings = Counter()
    short = int((reading_wh - plan_wh).sum())
    for party, (name, area) in enumerate(zip(accounts.party_names, accounts.party_area, strict=True)):
        reading, spot = int(reading_wh[party]), int(outside[area])
        deviation = reading - int(plan_wh[party])
        rule = terms.imbalance
        if rule.rule == "flat":
            asked, offered = spot + terms.retail_margin, max(spot - terms.feed_in_discount, terms.feed_in_floor)
            prices = asked + terms.imbalance_penalty, max(offered - terms.imbalance_penalty, 0)
        elif rule.rule == "jp-2016":
            prices = prices_of_2016(rule, spot, area)
        else:
            prices = (price_of_2022(rule, spot, short, slot, bool(capped[area])),) * 2
        operator, group = f"operator:{accounts.grid.areas[area]}", accounts.group_of(party)
        alone = deviation * prices[0 if deviation > 0 else 1]
        if group is None:
            post(out, name, operator, PostingKind.IMBALANCE, alone)
        else:
            provider, deviations = f"provider:{group.name}", [int(reading_wh[m] - plan_wh[m]) for m in group.members]
            net = sum(deviations)
            price = prices[0 if net > 0 else 1]
            if party == group.members[0]:
                post(out, provider, operator, PostingKind.IMBALANCE, net * price)
            sizes = np.abs(np.array(deviations))
            shares = share_largest_remainder(abs(net * price), sizes) if net else sizes * 0
            pro_rata = int(shares[group.members.index(party)]) * (1 if net > 0 else -1)
            own = {"own": alone, "causer": deviation * price, "pro-rata": pro_rata}[group.allocation]
            post(out, name, provider, PostingKind.IMBALANCE, own)
        post(out, name, "wheeling", PostingKind.WHEELING, max(reading, 0) * terms.wheeling)
        post(out, name, "surcharge", PostingKind.SURCHARGE, max(reading, 0) * terms.surcharge)
        post(out, name, "fuel", PostingKind.FUEL, max(-reading, 0) * int(fuel[party]))
    for area, retailer in enumerate(accounts.retailer):
        procured = -int(plan_wh[retailer]) * int(outside[area])
        post(out, accounts.party_names[retailer], "jepx", PostingKind.PROCUREMENT, procured)
    return out
