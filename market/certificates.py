"""Certificates of renewable energy (環境価値証書): one for each metered kWh, never twice.

- A device with a certified meter (DGC type C, paper 1.4 item 32) reports a reading for each slot, slots in order; a
  slot that was reported is closed for that device, so that no energy is counted twice.
- Each full kWh issues one certificate with the next serial number; what is left below 1 kWh is carried for the device
  and counts towards its next certificate.
- A certificate has one owner. It may be transferred by him, and retired once, to claim the energy's origin; a retired
  one never moves again. Green power certificates, J-credits and non-fossil certificates follow the same three steps.

The register holds ranges of serial numbers in columns. Its rows, sorted, cover 0 .. next - 1 without gap or overlap:
two owners of one certificate cannot be written down, and issued = held + retired. Every function returns a new register
and a code; a refused request leaves the register as it was.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from market.tables import Field, Schema, Table, join_rows, memory_dtype, pick_rows
from market.units import WH_PER_KWH, Int

HELD = -1
CERTIFICATE_FIELDS: Schema = (
    Field("first", "i8", "", "", "first serial number of the range"),
    Field("count", "i8", "", "kWh", "certificates in the range, 1 kWh each, > 0"),
    Field("device", "i4", "", "", "device whose reading issued them"),
    Field("slot", "i4", "", "slot", "half hour whose reading completed the first of them"),
    Field("owner", "i4", "", "", "party that holds or retired them"),
    Field("retired", "i4", "", "slot", "half hour in which they were retired; -1 while held"),
)
CERTIFICATE = memory_dtype(CERTIFICATE_FIELDS)


class Denial(IntEnum):
    """Why a request to the register was refused; 0 means done."""

    DONE = 0
    NOT_POSITIVE = 1
    UNKNOWN_DEVICE = 2
    SLOT_CLOSED = 3
    UNKNOWN_SERIAL = 4
    NOT_OWNER = 5
    RETIRED = 6


@dataclass(frozen=True)
class Register:
    """Who owns which certificates.

    ranges: CERTIFICATE rows in the order of serial numbers; owner_of_device (devices,): who receives what a device
    issues; rest_wh (devices,): energy below 1 kWh not yet certified; reported (devices,): last slot reported.
    """

    ranges: Table
    owner_of_device: Int
    rest_wh: Int
    reported: Int

    @property
    def issued(self) -> int:
        """Certificates issued so far; also the next serial number."""
        return int(self.ranges["count"].sum())

    def held_by(self, party: int) -> int:
        """Certificates a party holds [kWh]."""
        return int(self.ranges["count"].sum(where=(self.ranges["owner"] == party) & (self.ranges["retired"] == HELD)))

    def retired_by(self, party: int) -> int:
        """Certificates a party has retired [kWh]."""
        return int(self.ranges["count"].sum(where=(self.ranges["owner"] == party) & (self.ranges["retired"] != HELD)))


def open_register(owner_of_device: Int) -> Register:
    """A register without certificates; `owner_of_device` (devices,) receives what each device issues."""
    devices = len(owner_of_device)
    nothing = np.zeros(0, CERTIFICATE)
    return Register(nothing, np.asarray(owner_of_device, np.int64), np.zeros(devices, np.int64), np.full(devices, -1))


def issue(register: Register, slot: int, device: Int, energy_wh: Int) -> tuple[Register, npt.NDArray[np.uint8]]:
    """Issue certificates for the readings of one slot; the register afterwards and a `Denial` for each reading.

    `device` (n,), `energy_wh` (n,) metered renewable energy >= 0. Codes: NOT_POSITIVE (below zero), UNKNOWN_DEVICE,
    SLOT_CLOSED (the device reported this slot or a later one before, in this call too).
    """
    device, energy_wh = np.asarray(device, np.int64), np.asarray(energy_wh, np.int64)
    codes = np.zeros(len(device), np.uint8)
    known = (device >= 0) & (device < len(register.reported))
    again = np.ones(len(device), np.bool_)
    again[np.unique(device, return_index=True)[1]] = False
    closed = register.reported[np.where(known, device, 0)] >= slot if known.any() else known
    codes[closed | again] = Denial.SLOT_CLOSED
    codes[~known] = Denial.UNKNOWN_DEVICE
    codes[energy_wh < 0] = Denial.NOT_POSITIVE
    good = codes == 0
    device, total = device[good], register.rest_wh[device[good]] + energy_wh[good]
    rest_wh, reported = register.rest_wh.copy(), register.reported.copy()
    rest_wh[device], reported[device] = total % WH_PER_KWH, slot
    count = total // WH_PER_KWH
    device, count = device[count > 0], count[count > 0]
    new = np.zeros(len(count), CERTIFICATE)
    new["first"] = register.issued + np.cumsum(count) - count
    new["count"], new["device"], new["slot"] = count, device, slot
    new["owner"], new["retired"] = register.owner_of_device[device], HELD
    return Register(join_rows(register.ranges, new), register.owner_of_device, rest_wh, reported), codes


def transfer(register: Register, first: int, count: int, giver: int, taker: int) -> tuple[Register, Denial]:
    """Move certificates first .. first + count - 1 from their owner to another party, all or none.

    Codes: NOT_POSITIVE (no certificate asked for), UNKNOWN_SERIAL, RETIRED, NOT_OWNER.
    """
    return _change(register, first, count, giver, "owner", taker)


def retire(register: Register, first: int, count: int, owner: int, now: int) -> tuple[Register, Denial]:
    """Use up certificates first .. first + count - 1 of their owner in slot `now`, once and for all, all or none.

    Codes: NOT_POSITIVE (no certificate asked for), UNKNOWN_SERIAL, RETIRED, NOT_OWNER.
    """
    return _change(register, first, count, owner, "retired", now)


def _change(register: Register, first: int, count: int, owner: int, column: str, value: int) -> tuple[Register, Denial]:
    if count <= 0:
        return register, Denial.NOT_POSITIVE
    if first < 0 or first + count > register.issued:
        return register, Denial.UNKNOWN_SERIAL
    ranges = _cut(_cut(register.ranges, first), first + count)
    asked = (ranges["first"] >= first) & (ranges["first"] < first + count)
    if (ranges["retired"][asked] != HELD).any():
        return register, Denial.RETIRED
    if (ranges["owner"][asked] != owner).any():
        return register, Denial.NOT_OWNER
    ranges[column][asked] = value
    return replace(register, ranges=ranges), Denial.DONE


def _cut(ranges: Table, serial: int) -> Table:
    """The same ranges in new rows, one of them beginning at a serial number (unless it is the next to be issued)."""
    row = int(np.searchsorted(ranges["first"], serial, "right")) - 1
    if row < 0 or serial in (ranges["first"][row], ranges["first"][row] + ranges["count"][row]):
        return ranges.copy()
    parts = pick_rows(ranges, np.sort(np.append(np.arange(len(ranges)), row)))
    before = serial - parts["first"][row]
    parts["count"][row], parts["first"][row + 1] = before, serial
    parts["count"][row + 1] -= before
    return parts
