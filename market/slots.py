"""The half-hour calendar: slots are integers counted from 2000-01-01 00:00 JST.

Trade, plan and settlement are per slot (30-minute balancing, 計画値同時同量; paper 1.2). The gate of a
slot closes one hour before it starts (paper 1.3). One object holds the slot length; 15 minutes work
as well, the gate is then four slots (paper 3.1). Japan has no daylight saving time.
"""

from dataclasses import dataclass
from datetime import date, timedelta

EPOCH = date(2000, 1, 1)
MINUTES_PER_DAY = 24 * 60
GATE_MINUTES = 60
JEPX_CLOSING_MINUTE = 10 * 60
"""Bids for tomorrow close at 10:00 (JEPX trading rules, art. 16)."""
JEPX_INTRADAY_MINUTE = 17 * 60
"""Intraday trade (時間前市場) of tomorrow opens at 17:00 (JEPX intraday market guide)."""


@dataclass(frozen=True)
class SlotCalendar:
    """Slot arithmetic for one slot length [minutes]."""

    minutes: int = 30

    def __post_init__(self) -> None:
        if self.minutes <= 0 or GATE_MINUTES % self.minutes:
            raise ValueError(f"a slot of {self.minutes} minutes does not divide an hour")

    @property
    def per_day(self) -> int:
        """Slots in a day."""
        return MINUTES_PER_DAY // self.minutes

    @property
    def gate(self) -> int:
        """Slots between gate closure and delivery (one hour)."""
        return GATE_MINUTES // self.minutes

    @property
    def year(self) -> int:
        """Slots open to year-ahead trade: 48 x 365 for half hours (paper 1.4)."""
        return 365 * self.per_day

    @property
    def auction_slot_of_day(self) -> int:
        """Slot of the day in which the day-ahead auction takes its orders (10:00)."""
        return JEPX_CLOSING_MINUTE // self.minutes

    @property
    def intraday_slot_of_day(self) -> int:
        """Slot of the day from which tomorrow's slots trade intraday (17:00)."""
        return JEPX_INTRADAY_MINUTE // self.minutes

    def first_of(self, day: date) -> int:
        """First slot of a day."""
        return (day - EPOCH).days * self.per_day

    def day_of(self, slot: int) -> date:
        """Day a slot lies in."""
        return EPOCH + timedelta(days=slot // self.per_day)

    def of_day(self, slot: int) -> int:
        """Position of the slot in its day, 0 .. per_day - 1."""
        return slot % self.per_day

    def label(self, slot: int) -> str:
        """Slot as people write it: 2018-04-01 09:30."""
        minute = self.of_day(slot) * self.minutes
        return f"{self.day_of(slot)} {minute // 60:02d}:{minute % 60:02d}"


HALF_HOURS = SlotCalendar()
