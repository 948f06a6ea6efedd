"""Which delivery slots a design takes orders for at a step: the one place where that rule lives.

`rolling` opens the slots from the gate on, `horizon` of them (paper 1.4: any slot of the coming year up to one
hour before delivery); `gate` only the slot whose gate closes next; `daily` all of tomorrow, during the half hour
in which the day-ahead auction closes (JEPX trading rules, art. 16); `sessions` what `daily` opens and the slots already
in intraday trade, which takes in tomorrow at 17:00 (JEPX 時間前市場); `never` none.
"""

import numpy as np
import numpy.typing as npt

from market.design import MarketDesign
from market.slots import SlotCalendar
from market.units import Int


def open_range(design: MarketDesign, calendar: SlotCalendar, now: Int) -> tuple[Int, Int]:
    """First open slot and one past the last, for each `now` (worlds,); an empty range where nothing is open."""
    now = np.asarray(now, np.int64)
    first = now + calendar.gate
    if design.accepts == "rolling":
        return first, first + design.horizon
    if design.accepts == "gate":
        return first, first + 1
    of_day, tomorrow = now % calendar.per_day, (now // calendar.per_day + 1) * calendar.per_day
    auction = of_day == calendar.auction_slot_of_day
    if design.accepts == "daily":
        return np.where(auction, tomorrow, first), np.where(auction, tomorrow + calendar.per_day, first)
    if design.accepts == "sessions":
        opened = auction | (of_day >= calendar.intraday_slot_of_day)
        return first, np.where(opened, tomorrow + calendar.per_day, np.maximum(tomorrow, first))
    return first, first


def is_auctioned(calendar: SlotCalendar, now: Int, slot: Int) -> npt.NDArray[np.bool_]:
    """Whether at `now` an order for `slot` (same shape) goes to the day-ahead auction: at 10:00, for tomorrow."""
    at_ten = now % calendar.per_day == calendar.auction_slot_of_day
    return np.asarray(at_ten & (slot // calendar.per_day == now // calendar.per_day + 1), np.bool_)


def live_after_gate(calendar: SlotCalendar, now: Int, slot: Int) -> npt.NDArray[np.bool_]:
    """Whether resting orders for `slot` outlive the gate that closes at the end of step `now` (same shape)."""
    return np.asarray(slot > now + calendar.gate, np.bool_)
