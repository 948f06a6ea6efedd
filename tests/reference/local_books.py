"""Referees for books of one area: shares in proportion, McAfee's rule, community prices; in plain Python."""

from fractions import Fraction
from typing import NamedTuple


class Bid(NamedTuple):
    """One order of a book."""

    row: int
    party: int
    price: int
    energy: int


class Traded(NamedTuple):
    """Energy of each row, and what sellers get and buyers pay."""

    filled: dict[int, int]
    sell_price: int
    buy_price: int


def share(bids: list[Bid], total: int, lot: int = 1) -> dict[int, int]:
    """Largest remainder in whole lots, ties by party."""
    asked = sum(bid.energy for bid in bids)
    if not asked:
        return {}
    exact = {bid.row: Fraction(bid.energy * (total // lot), asked) for bid in bids}
    lots = {row: int(part) for row, part in exact.items()}
    for bid in sorted(bids, key=lambda bid: (lots[bid.row] - exact[bid.row], bid.party))[
        : total // lot - sum(lots.values())
    ]:
        lots[bid.row] += 1
    return {row: lot * count for row, count in lots.items()}


def round_half_even(value: Fraction) -> int:
    """Python's own rounding of fractions."""
    return round(value)


def mcafee(sells: list[Bid], buys: list[Bid], low: int, high: int, lot: int = 1) -> Traded:
    """McAfee's rule for orders of any energy; unit by unit (lot by lot) in merit order."""
    sells = sorted(sells, key=lambda bid: (bid.price, bid.party))
    buys = sorted(buys, key=lambda bid: (-bid.price, bid.party))
    offers = [place for place, bid in enumerate(sells) for _ in range(bid.energy // lot)]
    wants = [place for place, bid in enumerate(buys) for _ in range(bid.energy // lot)]
    units = [(s, b) for s, b in zip(offers, wants, strict=False) if sells[s].price <= buys[b].price]
    if not units:
        return Traded({}, 0, 0)
    last_sale, last_purchase = units[-1]
    following = sells[last_sale + 1].price if last_sale + 1 < len(sells) else high
    before = buys[last_purchase + 1].price if last_purchase + 1 < len(buys) else low
    winners, served = sells[: last_sale + 1], buys[: last_purchase + 1]
    middle = round_half_even(Fraction(following + before, 2))
    even = sum(bid.energy for bid in winners) == sum(bid.energy for bid in served)
    if even and winners[-1].price <= middle <= served[-1].price:
        return Traded({bid.row: bid.energy for bid in winners + served}, middle, middle)
    total = min(sum(bid.energy for bid in winners[:-1]), sum(bid.energy for bid in served[:-1]))
    filled = share(winners[:-1], total, lot) | share(served[:-1], total, lot)
    return Traded(filled, winners[-1].price, served[-1].price)


def community_price(rule: str, asks: int, pays: int, supply: int, demand: int) -> int:
    """The published formulas, in fractions."""
    if rule == "bill-sharing":
        return 0
    if rule == "mid-market-rate":
        return round_half_even(Fraction(asks + pays, 2))
    ratio = Fraction(supply, demand)
    if pays <= 0 or ratio >= 1:
        return pays
    return round_half_even(pays * asks / ((asks - pays) * ratio + pays))


def net(bids: list[Bid], others: list[Bid]) -> list[Bid]:
    """Orders of one side less what the same party has on the other; the first reference keeps most."""
    against: dict[int, int] = {}
    for bid in others:
        against[bid.party] = against.get(bid.party, 0) + bid.energy
    own: dict[int, int] = {}
    for bid in bids:
        own[bid.party] = own.get(bid.party, 0) + bid.energy
    left = {party: max(0, energy - against.get(party, 0)) for party, energy in own.items()}
    out = []
    for bid in bids:
        kept = min(bid.energy, left[bid.party])
        left[bid.party] -= kept
        out.append(bid._replace(energy=kept))
    return out
