"""Bills (請求書) in yen: the only place where money is rounded.

A bill sums the postings of one party over a period by kind and rounds each sum once, to whole yen, half to even. What
rounding takes or gives goes to the account `rounding`, so that for every party and kind

    postings [uJPY] = billed [JPY] x 1,000,000 + rest [uJPY]

and nothing disappears. No published source prescribes how a Japanese peer-to-peer bill rounds each of its lines; half
to even favours neither side. Amounts are + when the party receives money; energies are those the amounts belong to.
"""

from dataclasses import dataclass

import numpy as np

from market.settlement import KINDS, Accounts, PostingKind
from market.slots import SlotCalendar
from market.tables import Table
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH, Int

TITLES = {
    PostingKind.PURCHASE: ("energy bought", "購入電力料"),
    PostingKind.SALE: ("energy sold", "売電料"),
    PostingKind.RENT: ("congestion rent", "値差収益"),
    PostingKind.LAST_RESORT_SUPPLY: ("last-resort supply", "最終保障供給"),
    PostingKind.LAST_RESORT_SURPLUS: ("surplus to the retailer", "余剰買取"),
    PostingKind.FEE: ("platform fee", "プラットフォーム利用料"),
    PostingKind.IMBALANCE: ("imbalance", "インバランス料金"),
    PostingKind.WHEELING: ("wheeling", "託送料金"),
    PostingKind.SURCHARGE: ("renewable surcharge", "再エネ賦課金"),
    PostingKind.PROCUREMENT: ("procurement outside", "市場調達"),
    PostingKind.FUEL: ("fuel", "燃料費"),
    PostingKind.TRADE_REDUCTION: ("trade-reduction surplus", "取引調整差益"),
    PostingKind.OUTAGE: ("compensation of line outages", "連系線制約補償"),
}
"""What a line of a bill is called, in English and Japanese."""
HALF = 1 << 32


@dataclass(frozen=True)
class BillLine:
    """One kind of posting over the period: energy [Wh], billed money [JPY], rest for the account `rounding` [uJPY]."""

    kind: PostingKind
    energy_wh: int
    yen: int
    rest_ujpy: int

    @property
    def mean_jpy_kwh(self) -> float | None:
        """Money before rounding per kWh, without its sign, for reading only; None where no energy belongs to it."""
        exact = abs(self.yen * UJPY_PER_JPY + self.rest_ujpy)
        return exact / self.energy_wh / MJPY_PER_JPY if self.energy_wh else None


@dataclass(frozen=True)
class Bill:
    """What one party pays (-) or receives (+) for slots first .. last; `lines` in the order of posting kinds."""

    party: str
    first_slot: int
    last_slot: int
    lines: tuple[BillLine, ...]

    @property
    def total_yen(self) -> int:
        """Sum of the lines [JPY]."""
        return sum(line.yen for line in self.lines)

    @property
    def rest_ujpy(self) -> int:
        """What rounding keeps back or adds, for the account `rounding` [uJPY]."""
        return sum(line.rest_ujpy for line in self.lines)


def round_to_yen(amount_ujpy: int) -> tuple[int, int]:
    """Whole yen, half to even, and the rest [uJPY]; any size of integer."""
    yen, rest = divmod(amount_ujpy, UJPY_PER_JPY)
    if 2 * rest > UJPY_PER_JPY or (2 * rest == UJPY_PER_JPY and yen % 2):
        yen, rest = yen + 1, rest - UJPY_PER_JPY
    return yen, rest


def make_bills(
    money_ujpy: Int, energy_wh: Int, first_slot: int, accounts: Accounts, *, everyone: bool = False
) -> tuple[Bill, ...]:
    """The bills of all parties, or with `everyone` of all accounts, for consecutive slots of one world.

    Args:
        money_ujpy: (slots, accounts, kinds) postings.
        energy_wh: (slots, parties, kinds) energy the postings belong to, see `billed_energy`.
        first_slot: slot of row 0.
        accounts: rows of `money_ujpy`.
        everyone: system accounts too, so that the bills and the rests together sum to zero.
    """
    money, energy = _exact_sums(money_ujpy), _exact_sums(energy_wh)
    last = first_slot + len(money_ujpy) - 1
    bills = []
    for row, name in enumerate(accounts.names if everyone else accounts.party_names):
        used = energy[row] if row < accounts.parties else [0] * KINDS
        lines = (BillLine(k, used[k], *round_to_yen(money[row][k])) for k in PostingKind if money[row][k])
        bills.append(Bill(name, first_slot, last, tuple(lines)))
    return tuple(bills)


def rounding_of(bills: tuple[Bill, ...]) -> int:
    """What the account `rounding` receives so that these bills and it together equal the postings [uJPY]."""
    return sum(bill.rest_ujpy for bill in bills)


def billed_energy(contracts: Table, reading_wh: Int, plan_wh: Int, first_slot: int, accounts: Accounts) -> Int:
    """Energy that the postings of one world belong to, (slots, parties, kinds) [Wh], all >= 0.

    Args:
        contracts: those delivered in the period, last resort too.
        reading_wh: (slots, parties) metered net energy, + is import.
        plan_wh: (slots, parties) planned net energy; imbalance is the absolute difference.
        first_slot: slot of row 0.
        accounts: parties and retailers.
    """
    out = np.zeros((len(reading_wh), accounts.parties, KINDS), np.int64)
    row, last = contracts["slot"] - first_slot, contracts["last_resort"] == 1
    resort = np.where(
        accounts.is_retailer[contracts["buyer"]], PostingKind.LAST_RESORT_SURPLUS, PostingKind.LAST_RESORT_SUPPLY
    )
    for side, kind in (("buyer", PostingKind.PURCHASE), ("seller", PostingKind.SALE)):
        np.add.at(out, (row, contracts[side], np.where(last, resort, kind)), contracts["energy"])
    out[..., PostingKind.FEE] = out[..., PostingKind.PURCHASE]
    out[..., PostingKind.IMBALANCE] = np.abs(reading_wh - plan_wh)
    out[..., PostingKind.WHEELING] = out[..., PostingKind.SURCHARGE] = np.maximum(reading_wh, 0)
    out[:, accounts.is_retailer, PostingKind.PROCUREMENT] = np.abs(plan_wh[:, accounts.is_retailer])
    out[..., PostingKind.FUEL] = np.maximum(-reading_wh, 0)
    return out


def print_bill(bill: Bill, calendar: SlotCalendar) -> list[str]:
    """The bill as lines of text: period, each kind with energy, mean price and yen, and the total."""
    until = calendar.label(bill.last_slot + 1)
    out = [f"Bill 請求書  {bill.party}", f"Period 期間  {calendar.label(bill.first_slot)} to {until}"]
    out.append(f"{'kWh':>44}{'JPY/kWh':>10}{'JPY':>14}")
    for line in bill.lines:
        english, japanese = TITLES[line.kind]
        energy = f"{line.energy_wh / WH_PER_KWH:,.1f}" if line.energy_wh else ""
        mean = line.mean_jpy_kwh
        price = "" if mean is None or line.kind == PostingKind.IMBALANCE else f"{mean:.2f}"
        out.append(f"{english:<32}{energy:>12}{price:>10}{line.yen:>14,}  {japanese}")
    word, verb = ("to receive", "受取") if bill.total_yen > 0 else ("to pay", "支払")
    out.append(f"{'Total ' + word:<32}{'':>22}{abs(bill.total_yen):>14,}  {verb}合計")
    return out


def _exact_sums(amounts: Int) -> list[list[int]]:
    """Sums over slots (slots, rows, kinds) as Python integers, without overflow: halves of 32 bits are summed apart."""
    high, low = (amounts >> 32).sum(0), (amounts & (HALF - 1)).sum(0)
    pairs = zip(high.tolist(), low.tolist(), strict=True)
    return [[upper * HALF + lower for upper, lower in zip(*rows, strict=True)] for rows in pairs]
