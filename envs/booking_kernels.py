"""Kernel of the books, compiled by numba; import only inside functions.

One pass over the contracts of all worlds: position, postings (`market.settlement`: each has its counterpart in the
same kind), energies and values of the tally, money accrued.
"""

from numba import njit

from envs.tally import Flow
from market.settlement import PostingKind
from market.tables import Table
from market.units import Int

PURCHASE, SALE, RENT, FEE = (
    int(kind) for kind in (PostingKind.PURCHASE, PostingKind.SALE, PostingKind.RENT, PostingKind.FEE)
)
TRADE_REDUCTION = int(PostingKind.TRADE_REDUCTION)
SUPPLY, SURPLUS = int(PostingKind.LAST_RESORT_SUPPLY), int(PostingKind.LAST_RESORT_SURPLUS)
BOUGHT, SOLD = int(Flow.BOUGHT), int(Flow.SOLD)
RESORT_SUPPLY, RESORT_SURPLUS = int(Flow.RESORT_SUPPLY), int(Flow.RESORT_SURPLUS)


@njit(cache=True)
def post(money: Int, account: int, counter: int, kind: int, amount: int) -> None:
    """An account receives from its counterpart."""
    money[account, kind] += amount
    money[counter, kind] -= amount


@njit(cache=True)
def post_rent(money: Int, path: Int, first_line: int, collection: int, exchange: int, rent: int) -> None:
    """Rent goes to the path's lines in equal whole parts, the rest to the first line; to the exchange without lines."""
    lines = 0
    for step in path:
        lines += step != 0
    if lines == 0:
        post(money, exchange, collection, TRADE_REDUCTION, rent)
        return
    share, rest = rent // lines, rent % lines
    for place, step in enumerate(path):
        if step != 0:
            post(money, first_line + abs(step) - 1, collection, RENT, share + (rest if place == 0 else 0))


@njit(cache=True)
def book(
    contracts: Table,
    first_slot: Int,
    is_retailer: Int,
    paths: Int,
    fee: int,
    collection: int,
    platform: int,
    exchange: int,
    position: Int,
    money: Int,
    energies: Int,
    values: Int,
    traded: Int,
    accrued: Int,
) -> None:
    """Enter contracts into the columns of `envs.books.Books` and `accrued` (worlds, parties), in place."""
    parties, ring = position.shape[1], money.shape[0]
    for row in range(len(contracts)):
        contract = contracts[row]
        world, buyer, seller, energy = contract.world, contract.buyer, contract.seller, contract.energy
        column = contract.slot - first_slot[world]
        at = column % ring
        paid, earned = energy * contract.buy_price, energy * contract.sell_price
        position[world, buyer, column] += energy
        position[world, seller, column] -= energy
        accrued[world, buyer] -= paid
        accrued[world, seller] += earned
        bought, sold, purchase, sale = BOUGHT, SOLD, PURCHASE, SALE
        due = money[at, world]
        if contract.last_resort:
            # supply for the buyer who needed it, surplus of the seller who had it; the retailer's side counts alike
            bought = sold = RESORT_SURPLUS if is_retailer[buyer] else RESORT_SUPPLY
            purchase = sale = SURPLUS if is_retailer[buyer] else SUPPLY
        else:
            accrued[world, buyer] -= energy * fee
            post(due, platform, buyer, FEE, energy * fee)
            traded[at, world, 0] += energy
            traded[at, world, 1] += paid
        post(due, collection, buyer, purchase, paid)
        post(due, seller, collection, sale, earned)
        if paid != earned:
            post_rent(due, paths[contract.path], parties, collection, exchange, paid - earned)
        energies[at, world, buyer, bought] += energy
        energies[at, world, seller, sold] += energy
        values[at, world, buyer, bought] += paid
        values[at, world, seller, sold] += earned
