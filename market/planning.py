"""Plans and the gate: what is planned, when it is due, whether both sides agree, and who fills the gap.

- Every party files plans with the grid organisation (OCCTO, 広域機関) for each slot in four stages: monthly, weekly,
  daily and final (paper 4.2, item 68). A plan names demand and procurement, generation and sales, the latter two of
  each pair by counterparty (計画値同時同量, paper 4.2 item 67; OCCTO plan consistency rules of 2016-03-30).
- A stage takes revisions until it is due; the final one until the gate, one hour before delivery (paper 1.3, item 18).
  A later row is refused by code.
- Both sides must agree: what one procures from another, the other must sell to it. What does not agree becomes
  imbalance: only the smaller of the two energies is delivered by plan (OCCTO, 2016-03-30).
- What was planned but not contracted falls to the retailer of last resort: ordinary contracts flagged `last_resort`.
  After the gate only reading minus plan is imbalance.
"""

from datetime import date, timedelta
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from market.contracts import CONTRACT, Source
from market.errors import Refusal
from market.settlement import Accounts, Terms
from market.slots import SlotCalendar
from market.tables import Field, Schema, Table, join_rows, memory_dtype, pick_rows
from market.units import ENERGY_BOUND, Int

DAILY_MINUTE = 12 * 60
"""Day-ahead plans are due at 12:00."""
TUESDAY, SATURDAY = 1, 5


class Stage(IntEnum):
    """Which plan (計画の種別) a row belongs to."""

    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    FINAL = 4


class Entry(IntEnum):
    """What a row of a plan says."""

    DEMAND = 1
    PROCUREMENT = 2
    GENERATION = 3
    SALES = 4


NOBODY = -1
PLAN_FIELDS: Schema = (
    Field("stage", "u1", "", "", "1 monthly (月間), 2 weekly (週間), 3 daily (翌日), 4 final (当日)"),
    Field("entry", "u1", "", "", "1 demand (需要), 2 procurement (調達), 3 generation (発電), 4 sales (販売)"),
    Field("slot", "i4", "", "slot", "delivery half hour"),
    Field("party", "i4", "", "", "whose plan it is"),
    Field("counterparty", "i4", "", "", "from or to whom; -1 for demand and generation"),
    Field("energy", "i8", "", "Wh", "planned energy, >= 0; 0 withdraws the row"),
    Field("world", "i4", "", "", "parallel world"),
)
PLAN = memory_dtype(PLAN_FIELDS)
PLAN_KEY = ("world", "stage", "slot", "party", "entry", "counterparty")
"""What names a row of a plan; a later row of the same key replaces the earlier."""

MISMATCH_FIELDS: Schema = (
    Field("stage", "u1", "", "", "stage of the plans"),
    Field("slot", "i4", "", "slot", "delivery half hour"),
    Field("seller", "i4", "", "", "party that sells"),
    Field("buyer", "i4", "", "", "party that procures"),
    Field("sold", "i8", "", "Wh", "what the seller plans to sell to the buyer"),
    Field("bought", "i8", "", "Wh", "what the buyer plans to procure from the seller"),
    Field("world", "i4", "", "", "parallel world"),
)
MISMATCH = memory_dtype(MISMATCH_FIELDS)


def no_plans() -> Table:
    """An empty plan table."""
    return np.zeros(0, PLAN)


def due_slots(stage: Stage, slot: Int, calendar: SlotCalendar) -> Int:
    """The last half hour in which a plan of the stage may be sent, for delivery slots of any shape.

    Final: at the gate, one hour before delivery. Daily: 12:00 of the day before. Monthly: the first of the month
    before; weekly: Tuesday before the week, which runs from Saturday to Friday; both until the end of that day.
    Source: paper 4.2 item 68; 12:00 and the gate OCCTO since 2016-04. OCCTO publishes the days of the longer plans
    for each year, moved by holidays (its operating rules, art. 168); the two days here are an assumption.
    """
    slot = np.asarray(slot, np.int64)
    if stage == Stage.FINAL:
        return slot - calendar.gate
    days, which = np.unique(slot // calendar.per_day, return_inverse=True)
    due = [_due_slot(stage, calendar.day_of(int(day) * calendar.per_day), calendar) for day in days]
    return np.array(due, np.int64)[which].reshape(slot.shape)


def _due_slot(stage: Stage, day: date, calendar: SlotCalendar) -> int:
    if stage == Stage.DAILY:
        return calendar.first_of(day - timedelta(days=1)) + DAILY_MINUTE // calendar.minutes
    if stage == Stage.WEEKLY:
        saturday = day - timedelta(days=(day.weekday() - SATURDAY) % 7)
        last = saturday - timedelta(days=SATURDAY - TUESDAY)
    else:
        last = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
    return calendar.first_of(last + timedelta(days=1)) - 1


def build_plans(contracts: Table, stage: Stage, calendar: SlotCalendar) -> Table:
    """The plans of both sides from the contracts known when the stage is due.

    A contract is known when it formed in the half hour in which the plan is due, or before; the final plan takes all,
    since nothing forms after the gate. Sales and procurement are sums by counterparty; demand or generation is the
    party's net of both, so that every plan balances: demand + sales = procurement + generation. A retailer's net
    stands for what it takes from or brings to JEPX.
    """
    known = contracts
    if stage != Stage.FINAL:
        known = pick_rows(contracts, contracts["formed"] <= due_slots(stage, contracts["slot"], calendar))
    deals, energy = _sum_by(known, ("world", "slot", "seller", "buyer"), known["energy"])
    both = np.zeros(2 * len(deals), PLAN)
    for half, entry, party, other in (
        (both[: len(deals)], Entry.SALES, "seller", "buyer"),
        (both[len(deals) :], Entry.PROCUREMENT, "buyer", "seller"),
    ):
        half["entry"], half["energy"] = entry, energy
        half["party"], half["counterparty"] = deals[party], deals[other]
        half["world"], half["slot"] = deals["world"], deals["slot"]
    own, net = _sum_by(both, ("world", "slot", "party"), _signed(both))
    needs = pick_rows(own, net != 0)
    net = net[net != 0]
    needs["entry"] = np.where(net > 0, Entry.DEMAND, Entry.GENERATION)
    needs["counterparty"], needs["energy"] = NOBODY, np.abs(net)
    plans = join_rows(both, needs)
    plans["stage"] = stage
    return plans


def submit_plans(held: Table, rows: Table, now: Int, calendar: SlotCalendar) -> tuple[Table, npt.NDArray[np.uint8]]:
    """Take rows of plans into those held: the plans afterwards and a refusal code for each row, 0 where it entered.

    A row replaces the one of the same key; energy 0 withdraws it. `now` (worlds,) is the current slot of each world.
    Codes: UNKNOWN_KIND (stage, entry, or a counterparty where there is none), NOT_POSITIVE (energy below zero),
    TOO_LARGE, CLOSED (the stage was due before), DUPLICATE_REFERENCE (the key stands in an earlier row of this call).
    """
    codes = np.zeros(len(rows), np.uint8)
    # written from the last rule to the first, so that the first broken one stays
    codes[_repeats(rows)] = Refusal.DUPLICATE_REFERENCE
    for stage in Stage:
        of = rows["stage"] == stage
        late = now[rows["world"][of]] > due_slots(stage, rows["slot"][of], calendar)
        codes[np.flatnonzero(of)[late]] = Refusal.CLOSED
    codes[rows["energy"] >= ENERGY_BOUND] = Refusal.TOO_LARGE
    codes[rows["energy"] < 0] = Refusal.NOT_POSITIVE
    alone = np.isin(rows["entry"], (Entry.DEMAND, Entry.GENERATION))
    unknown = ~np.isin(rows["stage"], list(Stage)) | ~np.isin(rows["entry"], list(Entry))
    codes[unknown | (alone != (rows["counterparty"] == NOBODY))] = Refusal.UNKNOWN_KIND
    both = join_rows(held, pick_rows(rows, codes == 0))
    latest = np.ones(len(both), np.bool_)
    latest[len(both) - 1 - _repeats(both[::-1])] = False
    return pick_rows(both, latest & (both["energy"] > 0)), codes


def check_plans(plans: Table) -> Table:
    """Where the two sides do not agree: MISMATCH rows, one for each world, stage, slot, seller and buyer.

    Source: OCCTO plan consistency rules of 2016-03-30 (own procurement against the counterparty's sales plan).
    """
    deals = pick_rows(plans, plans["counterparty"] != NOBODY)
    sells = deals["entry"] == Entry.SALES
    pairs = np.zeros(len(deals), MISMATCH)
    pairs["seller"] = np.where(sells, deals["party"], deals["counterparty"])
    pairs["buyer"] = np.where(sells, deals["counterparty"], deals["party"])
    for name in ("stage", "slot", "world"):
        pairs[name] = deals[name]
    key = ("world", "stage", "slot", "seller", "buyer")
    rows, sold = _sum_by(pairs, key, np.where(sells, deals["energy"], 0))
    rows["sold"], rows["bought"] = sold, _sum_by(pairs, key, np.where(sells, 0, deals["energy"]))[1]
    return pick_rows(rows, rows["sold"] != rows["bought"])


def check_balance(plans: Table) -> tuple[Table, Int]:
    """Plans in which demand + sales is not procurement + generation: a PLAN row of each, and what is missing [Wh].

    From the day ahead on plans must balance; monthly ones may show a shortage (OCCTO FAQ, 2016-03-04).
    """
    rows, gap = _sum_by(plans, ("world", "stage", "slot", "party"), -_signed(plans))
    return pick_rows(rows, gap != 0), gap[gap != 0]


def leave_out_mismatches(plan_wh: Int, mismatches: Table, first_slot: Int) -> None:
    """Reduce planned net energy (worlds, parties, slots) [Wh] to what both sides agree on, in place.

    The side that planned more misses the difference, so that reading minus plan makes it imbalance. `first_slot`
    (worlds,) is the slot of column 0; `mismatches` are those of the final stage.
    """
    world = mismatches["world"].astype(np.int64)
    column, agreed = mismatches["slot"] - first_slot[world], np.minimum(mismatches["sold"], mismatches["bought"])
    np.subtract.at(plan_wh, (world, mismatches["buyer"], column), mismatches["bought"] - agreed)
    np.add.at(plan_wh, (world, mismatches["seller"], column), mismatches["sold"] - agreed)


def _signed(plans: Table) -> Int:
    """Energy that comes in as +, that goes out as -."""
    comes = np.isin(plans["entry"], (Entry.PROCUREMENT, Entry.GENERATION))
    return np.where(comes, plans["energy"], -plans["energy"])


def _number_keys(rows: Table, names: tuple[str, ...]) -> tuple[Int, Int]:
    """Rows sorted by key, the order of arrival kept, and the number of each sorted row's key."""
    order = np.lexsort([rows[name] for name in reversed(names)])
    new = np.zeros(len(rows), np.bool_)
    for name in names:
        column = rows[name][order]
        new[1:] |= column[1:] != column[:-1]
    return order, np.cumsum(new)


def _repeats(rows: Table) -> Int:
    """Rows whose plan key stands in an earlier row too."""
    order, number = _number_keys(rows, PLAN_KEY)
    return np.asarray(order[1:][number[1:] == number[:-1]], np.int64)


def _sum_by(rows: Table, names: tuple[str, ...], amount: Int) -> tuple[Table, Int]:
    """First row of each key, in the order of keys, and the sum of `amount` over its rows."""
    order, number = _number_keys(rows, names)
    first = np.flatnonzero(np.diff(number, prepend=-1))
    sums = np.add.reduceat(amount[order], first) if len(first) else np.zeros(0, np.int64)
    return pick_rows(rows, order[first]), sums


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
