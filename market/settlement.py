"""From contracts and readings to money: postings in double entry, each kind summing to zero.

Money of one world and slot is a dense table (accounts, kinds) [uJPY]; + receives. Every posting has
its counterpart in the same kind, so each kind sums to zero over the accounts (tests hold it).

- contracts: the buyer pays `buy_price`, the seller receives `sell_price`, through the collection agent
  (収納代行, paper 4.1); a difference is congestion rent, to the lines of the path, or within an area the
  surplus of a trade reduction, to the exchange;
- a contract curtailed because a line's capacity fell is made whole from the account `line_outage`;
- the platform fee is paid by the buyer of a contract that is not last resort;
- last resort (最終保障): the area's retailer sells at tariff and buys at feed-in; it procures the net
  at the outside (JEPX) price;
- imbalance: reading minus plan against the area operator, at the prices of a named rule (`market.imbalance`); the
  members of a balancing group are settled as one, through the account of their provider (`market.groups`);
- wheeling (託送) and the renewable surcharge (再エネ賦課金) are charged on metered import;
- thermal fuel is paid to the account `fuel` per metered export.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from market.grid import Grid
from market.groups import BalancingGroup, settle_group
from market.imbalance import FLAT, Imbalance, Mask, Situation, imbalance_prices
from market.tables import Table
from market.units import Int


class PostingKind(IntEnum):
    """What a posting is for; the columns of the money table."""

    PURCHASE = 0
    SALE = 1
    RENT = 2
    LAST_RESORT_SUPPLY = 3
    LAST_RESORT_SURPLUS = 4
    FEE = 5
    IMBALANCE = 6
    WHEELING = 7
    SURCHARGE = 8
    PROCUREMENT = 9
    FUEL = 10
    TRADE_REDUCTION = 11
    OUTAGE = 12


KINDS = len(PostingKind)
METERED = {PostingKind.WHEELING: "wheeling", PostingKind.SURCHARGE: "surcharge", PostingKind.FUEL: "fuel"}
"""Accounts that take what is charged on metered energy."""


@dataclass(frozen=True)
class Terms:
    """Prices outside the market [mJPY/kWh]; sources stand in the scenario file.

    The retail tariff is the outside price plus `retail_margin` plus wheeling and surcharge, the
    feed-in price the outside price less `feed_in_discount`, not below `feed_in_floor`. `imbalance_penalty`
    belongs to the imbalance rule `flat`, the parameters of the others stand in `imbalance`.
    """

    wheeling: int
    surcharge: int
    fee: int
    retail_margin: int
    feed_in_discount: int
    feed_in_floor: int
    imbalance_penalty: int
    imbalance: Imbalance = FLAT

    def supply_price(self, outside: Int) -> Int:
        """Energy price of the retailer of last resort, without wheeling and surcharge."""
        return outside + self.retail_margin

    def feed_in_price(self, outside: Int) -> Int:
        """What the retailer pays for surplus."""
        return np.maximum(outside - self.feed_in_discount, self.feed_in_floor)

    def retail_prices(self, outside: Int) -> Int:
        """What the retailer asks and what it pays, (..., 2), for outside prices of any shape."""
        return np.stack([self.supply_price(outside), self.feed_in_price(outside)], -1)

    def outside_options(self, outside: Int) -> Int:
        """What a contract has to beat, (..., 2): the retailer's price less the fee a contract bears, and feed-in."""
        return np.stack([self.consumption_value(outside), self.feed_in_price(outside)], -1)

    def consumption_value(self, outside: Int) -> Int:
        """Reservation price of consumption: the tariff less wheeling, surcharge and fee of a contract."""
        return outside + (self.retail_margin - self.fee)

    def imbalance_prices(self, outside: Int, short_wh: Int, slot: Int, capped: Mask | None = None) -> Int:
        """What a missing kWh costs and a left-over kWh earns, (w, areas, 2) [mJPY/kWh].

        `outside` (w, areas); `short_wh` (w,): reading minus plan of all parties; `slot` (w,); `capped` (w, areas):
        `market.imbalance.find_capped`, None where nothing is.
        """
        near = np.zeros(1, np.bool_) if capped is None else capped
        retail = self.retail_prices(outside)
        now = Situation(outside, retail, self.imbalance_penalty, short_wh[:, None], np.atleast_1d(slot)[:, None], near)
        return imbalance_prices(self.imbalance, now)


@dataclass(frozen=True)
class Accounts:
    """Rows of the money table: parties first, then the system accounts.

    `party_area` (parties,) is the area row of each party, `retailer` (areas,) the party that is the
    area's retailer of last resort, `groups` the balancing groups, whose providers' accounts stand last. Raises
    ValueError where a group's member is of another area, of two groups, or a retailer.
    """

    grid: Grid
    party_names: tuple[str, ...]
    party_area: tuple[int, ...]
    retailer: tuple[int, ...]
    groups: tuple[BalancingGroup, ...] = ()

    def __post_init__(self) -> None:
        seen = set(self.retailer)
        for group in self.groups:
            strange = any(self.party_area[row] != group.area or row in seen for row in group.members)
            if strange or not 0 <= group.area < len(self.grid.areas):
                raise ValueError(f"balancing group {group.name!r} has a member of another area, group, or a retailer")
            seen.update(group.members)

    @property
    def parties(self) -> int:
        """Number of parties."""
        return len(self.party_names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every account by name."""
        return (
            *self.party_names,
            *(f"line:{line.name}" for line in self.grid.lines),
            *(f"operator:{area}" for area in self.grid.areas),
            "collection",
            "platform",
            "wheeling",
            "surcharge",
            "jepx",
            "fuel",
            "rounding",
            "exchange",
            "line_outage",
            *(f"provider:{group.name}" for group in self.groups),
        )

    def line(self, index: int) -> int:
        """Row of a line's account."""
        return self.parties + index

    def operator(self, area: int) -> int:
        """Row of an area operator's account."""
        return self.parties + len(self.grid.lines) + area

    def provider(self, group: int) -> int:
        """Row of the account of a balancing group's provider."""
        return self.count - len(self.groups) + group

    def group_of(self, party: int) -> BalancingGroup | None:
        """The balancing group of a party; None where it stands alone."""
        return next((group for group in self.groups if party in group.members), None)

    def row(self, name: str) -> int:
        """Row of a named account."""
        return self._rows[name]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def area_of_party(self) -> Int:
        """`party_area` as an array."""
        return np.array(self.party_area, np.int64)

    @cached_property
    def retailer_of_party(self) -> Int:
        """Row of each party's retailer of last resort (parties,)."""
        return np.array(self.retailer, np.int64)[self.area_of_party]

    @cached_property
    def is_retailer(self) -> npt.NDArray[np.bool_]:
        """Which parties are retailers of last resort (parties,)."""
        return np.isin(np.arange(self.parties), self.retailer)

    @cached_property
    def is_in_area(self) -> Int:
        """1 where a party belongs to an area, else 0 (parties, areas)."""
        return np.asarray(self.area_of_party[:, None] == np.arange(len(self.grid.areas)), np.int64)

    @property
    def count(self) -> int:
        """Number of accounts."""
        return len(self.names)


def post_contracts(money: Int, at: Int, contracts: Table, terms: Terms, accounts: Accounts) -> None:
    """Add the postings of contracts to `money` (rows, accounts, kinds), in place.

    `at` (contracts,) is the row of `money` that holds the contract's world and slot.
    """
    if not len(contracts):
        return
    flat = money.reshape(-1)
    base = at.astype(np.int64) * (accounts.count * KINDS)
    buyer, seller = contracts["buyer"].astype(np.int64), contracts["seller"].astype(np.int64)
    energy = contracts["energy"]
    paid = energy * contracts["buy_price"]
    earned = energy * contracts["sell_price"]
    last = contracts["last_resort"] == 1
    retailers = accounts.is_retailer[buyer]
    purchase = np.where(
        last, np.where(retailers, PostingKind.LAST_RESORT_SURPLUS, PostingKind.LAST_RESORT_SUPPLY), PostingKind.PURCHASE
    )
    sale = np.where(last, purchase, PostingKind.SALE)
    collection = accounts.row("collection")
    for account, kind, amount in (
        (buyer, purchase, -paid),
        (collection, purchase, paid),
        (seller, sale, earned),
        (collection, sale, -earned),
    ):
        np.add.at(flat, base + account * KINDS + kind, amount)
    _post_fee(flat, base[~last], buyer[~last], energy[~last] * terms.fee, accounts)
    _post_rent(flat, base, contracts, paid - earned, accounts)


def _post_fee(flat: Int, base: Int, buyer: Int, fee: Int, accounts: Accounts) -> None:
    np.subtract.at(flat, base + buyer * KINDS + PostingKind.FEE, fee)
    np.add.at(flat, base + accounts.row("platform") * KINDS + PostingKind.FEE, fee)


def _post_rent(flat: Int, base: Int, contracts: Table, rent: Int, accounts: Accounts) -> None:
    """Rent goes to the path's lines in equal whole parts, the rest to the first line; to the exchange without lines."""
    some = np.flatnonzero(rent)
    if not len(some):
        return
    base, rent, path = base[some], rent[some], contracts["path"][some]
    collection = accounts.row("collection")
    table = accounts.grid.path_table[path]
    lines = (table != 0).sum(1)
    share, rest = np.divmod(rent, np.maximum(lines, 1))
    for step in range(table.shape[1]):
        on = table[:, step] != 0
        account = np.abs(table[on, step]) - 1 + accounts.parties
        amount = share[on] + (rest[on] if step == 0 else 0)
        np.add.at(flat, base[on] + account * KINDS + PostingKind.RENT, amount)
        np.subtract.at(flat, base[on] + collection * KINDS + PostingKind.RENT, amount)
    within = lines == 0
    exchange = accounts.row("exchange")
    np.add.at(flat, base[within] + exchange * KINDS + PostingKind.TRADE_REDUCTION, rent[within])
    np.subtract.at(flat, base[within] + collection * KINDS + PostingKind.TRADE_REDUCTION, rent[within])


def post_outage(money: Int, at: Int, party: Int, amount: Int, accounts: Accounts) -> None:
    """Make parties whole for curtailed contracts, from the account `line_outage`, in place.

    `at` (n,) is the row of `money` (rows, accounts, kinds), `amount` (n,) [uJPY] what `party` (n,) receives.
    """
    flat, base = money.reshape(-1), at * (accounts.count * KINDS) + PostingKind.OUTAGE
    np.add.at(flat, base + party * KINDS, amount)
    np.subtract.at(flat, base + accounts.row("line_outage") * KINDS, amount)


def post_delivery(
    money: Int,
    reading_wh: Int,
    plan_wh: Int,
    outside: Int,
    fuel: Int,
    terms: Terms,
    accounts: Accounts,
    *,
    slot: Int,
    capped: Mask | None = None,
) -> Int:
    """Add what metering causes to `money` (worlds, accounts, kinds), in place; what each party receives of it.

    Args:
        money: postings of the delivered slot, contracts already in.
        reading_wh: (worlds, parties) metered net energy, + is import.
        plan_wh: (worlds, parties) contracted net energy including last resort, + is import.
        outside: (worlds, areas) outside price of the slot.
        fuel: (parties,) fuel price of each party's export, 0 for all but thermal units.
        terms: prices outside the market and the imbalance rule.
        accounts: rows of `money`.
        slot: (worlds,) the delivered slot.
        capped: (worlds, areas) where the cumulative rule of `jp-2022` applies; None where it does not.
    """
    parties, deviation = accounts.parties, reading_wh - plan_wh
    prices = terms.imbalance_prices(outside, deviation.sum(1), slot, capped)
    price = prices[np.arange(len(prices))[:, None], accounts.area_of_party, (deviation <= 0).view(np.int8)]
    imported = np.maximum(reading_wh, 0)
    amounts = {
        PostingKind.IMBALANCE: -deviation * price,
        PostingKind.WHEELING: imported * -terms.wheeling,
        PostingKind.SURCHARGE: imported * -terms.surcharge,
        PostingKind.FUEL: (reading_wh - imported) * fuel,
    }
    if accounts.groups:
        _post_groups(money, amounts[PostingKind.IMBALANCE], deviation, prices, accounts)
    for kind, amount in amounts.items():
        money[:, :parties, kind] += amount
    for kind, account in METERED.items():
        money[:, accounts.row(account), kind] -= amounts[kind].sum(1)
    operators = slice(accounts.operator(0), accounts.operator(len(accounts.grid.areas)))
    money[:, operators, PostingKind.IMBALANCE] -= amounts[PostingKind.IMBALANCE] @ accounts.is_in_area
    received = sum(amounts.values(), np.zeros_like(reading_wh))
    for zone, retailer in enumerate(accounts.retailer):
        procured = plan_wh[:, retailer] * outside[:, zone]
        received[:, retailer] += procured
        money[:, retailer, PostingKind.PROCUREMENT] += procured
        money[:, accounts.row("jepx"), PostingKind.PROCUREMENT] -= procured
    return received


def _post_groups(money: Int, amount: Int, deviation: Int, prices: Int, accounts: Accounts) -> None:
    """Share the imbalance of each balancing group: members' amounts (w, parties) anew, the rest to its provider."""
    for row, group in enumerate(accounts.groups):
        members = np.array(group.members, np.int64)
        shared, due = settle_group(group.allocation, deviation[:, members], prices[:, group.area])
        kept = due - shared.sum(1)
        amount[:, members] = shared
        money[:, accounts.provider(row), PostingKind.IMBALANCE] += kept
        money[:, accounts.operator(group.area), PostingKind.IMBALANCE] -= kept
