"""Energies and values of contracts by party, one contract at a time; the referee of `envs.books`."""

from collections import Counter

from envs.tally import Flow
from market.tables import Table
from market.units import Int

Cell = tuple[int, int, int, Flow]
"""World, slot, party and what the energy was."""


def count_flows(contracts: Table, is_retailer: Int) -> tuple[Counter[Cell], Counter[Cell]]:
    """Energy [Wh] and energy x price [uJPY] of each cell.

    Energy of last resort is supply where the retailer sells, surplus where it buys, for both sides.
    """
    energy: Counter[Cell] = Counter()
    value: Counter[Cell] = Counter()
    for row in contracts:
        bought, sold = Flow.BOUGHT, Flow.SOLD
        if row["last_resort"]:
            bought = sold = Flow.RESORT_SURPLUS if is_retailer[row["buyer"]] else Flow.RESORT_SUPPLY
        for party, flow, price in (("buyer", bought, "buy_price"), ("seller", sold, "sell_price")):
            cell = (int(row["world"]), int(row["slot"]), int(row[party]), flow)
            energy[cell] += int(row["energy"])
            value[cell] += int(row["energy"]) * int(row[price])
    return energy, value


def count_money(contracts: Table, fee: int) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int, str]]]:
    """Money each party accrues by (world, party) [uJPY]; energy and money traded by (world, slot, what)."""
    accrued: Counter[tuple[int, int]] = Counter()
    traded: Counter[tuple[int, int, str]] = Counter()
    for row in contracts:
        world, slot, energy = int(row["world"]), int(row["slot"]), int(row["energy"])
        paid = energy * int(row["buy_price"])
        accrued[world, int(row["buyer"])] -= paid
        accrued[world, int(row["seller"])] += energy * int(row["sell_price"])
        if not row["last_resort"]:
            accrued[world, int(row["buyer"])] -= energy * fee
            traded[world, slot, "energy"] += energy
            traded[world, slot, "money"] += paid
    return accrued, traded
