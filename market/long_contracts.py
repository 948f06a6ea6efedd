"""Long contracts (長期相対契約): fixed-price supply that was agreed before the market opens.

Each one becomes orders at its price, the sellers' in the order of their rows and then the buyers', which meet in the
continuous book of `dgp`. So lines are used as by every trade, opposite flows net, and what finds no room or no seller
is not agreed; sellers are taken one after another, each up to its limit. The contracts are ordinary ones, formed in the
half hour before the first slot, one for each pair and slot. They follow from the rules and the capacities alone, so a
verifier forms them again. Later long contracts take what earlier ones left.

Source: bilateral trade outside the market was more than 90 % in 2018, mostly with incumbents (paper 1.2, items 10 and
11). How volumes and counterparties were shared out is not published, so the order is an assumption.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from market.contracts import label_sources, no_contracts
from market.design import find_design
from market.exchange import trade
from market.orders import ORDER, Kind, Side, TimeInForce, no_orders
from market.settlement import Accounts
from market.slots import SlotCalendar
from market.tables import Table, join_rows, pick_rows
from market.units import ENERGY_BOUND, PRICE_BOUND, Int

MONTHS = 12


@dataclass(frozen=True)
class LongContract:
    """Who sells to whom at what price, and how much.

    sellers: party rows and the most each sells in a slot [Wh]; buyers: party rows; price [mJPY/kWh]; wanted_wh: what
    each buyer takes, (months, half hours of the day) [Wh].
    """

    sellers: tuple[tuple[int, int], ...]
    buyers: tuple[int, ...]
    price: int
    wanted_wh: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        wanted = [energy for month in self.wanted_wh for energy in month]
        shapes = {len(month) for month in self.wanted_wh}
        if len(self.wanted_wh) != MONTHS or len(shapes) != 1 or min(wanted) < 0 or abs(self.price) >= PRICE_BOUND:
            raise ValueError("a long contract has twelve months of energies >= 0 and a price below the bound")
        if max(wanted) * len(self.buyers) >= ENERGY_BOUND or not self.sellers or not self.buyers:
            raise ValueError("a long contract has sellers, buyers, and less energy in a slot than a book takes")


def form_long_contracts(
    agreed: Sequence[LongContract],
    accounts: Accounts,
    source_of_party: Int,
    first_slot: Int,
    capacity_wh: Int,
    calendar: SlotCalendar,
) -> tuple[Table, Int]:
    """Contracts sorted by world and slot, and the use of lines they commit (markets, lines, 2) [Wh].

    Args:
        agreed: the long contracts, in the order in which they take room.
        accounts: parties and grid.
        source_of_party: (parties,) source type of what each party sells.
        first_slot: (w,) slot of column 0 of each world.
        capacity_wh: (w x slots, lines, 2) room of the lines [Wh].
        calendar: slot length.
    """
    slots = len(capacity_wh) // len(first_slot)
    slot = (first_slot[:, None] + np.arange(slots)).reshape(-1)
    world, flow = np.repeat(np.arange(len(first_slot)), slots), np.zeros_like(capacity_wh)
    design, sold = find_design("dgp"), np.zeros((len(slot), accounts.parties), np.int64)
    made = no_contracts()
    for one in agreed:
        orders = _write_orders(one, accounts, slot, world, sold, calendar)
        outcome = trade(
            design, accounts.grid, no_orders(), orders, capacity_wh, flow, first_slot - 1, calendar=calendar
        )
        flow = outcome.flow_wh
        np.add.at(sold, (outcome.contracts["market"], outcome.contracts["seller"]), outcome.contracts["energy"])
        made = join_rows(made, outcome.contracts)
    made = pick_rows(made, np.argsort(made["market"], kind="stable"))
    label_sources(made, source_of_party)
    return made, flow


def _write_orders(
    one: LongContract, accounts: Accounts, slot: Int, world: Int, sold_wh: Int, calendar: SlotCalendar
) -> Table:
    """Orders of every market (markets,), sorted by market, sellers first; `sold_wh` (markets, parties) is taken off."""
    months = {day: calendar.day_of(day * calendar.per_day).month - 1 for day in (slot // calendar.per_day).tolist()}
    month = np.array([months[day] for day in (slot // calendar.per_day).tolist()], np.int64)
    wanted = np.array(one.wanted_wh, np.int64)[month, slot % calendar.per_day]
    sellers, limit = np.array(one.sellers, np.int64).T
    buyers = np.array(one.buyers, np.int64)
    offered = np.minimum(limit - sold_wh[:, sellers], wanted[:, None] * len(buyers))
    energy = np.concatenate([offered, np.repeat(wanted[:, None], len(buyers), 1)], 1)
    party = np.concatenate([sellers, buyers])
    orders = np.zeros(energy.shape, ORDER)
    orders["side"] = np.repeat([Side.SELL, Side.BUY], [len(sellers), len(buyers)])
    orders["kind"], orders["time_in_force"], orders["price"] = Kind.NEW, TimeInForce.UNTIL_GATE, one.price
    orders["area"], orders["party"], orders["energy"] = accounts.area_of_party[party], party, energy
    orders["slot"], orders["world"] = slot[:, None], world[:, None]
    orders["market"] = np.arange(len(slot))[:, None]
    orders["sequence"] = orders["reference"] = np.arange(len(party))
    flat = orders.reshape(-1)
    return pick_rows(flat, flat["energy"] > 0)
