"""The fleet: one row per party, with everything about its devices that does not change in an episode.

Roles: homes with PV and battery, stores (consumption only), the solar plant, thermal units (they
sell at marginal cost and generate what they sold), retailers of last resort (they send no orders).
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agents.devices import Battery, pick_devices
from agents.equipment import Equipment
from agents.thermal import ThermalUnits
from market.units import Int


class Role(IntEnum):
    """What a party is; one policy serves one role."""

    HOME = 0
    STORE = 1
    SOLAR = 2
    THERMAL = 3
    RETAILER = 4


ROLE_NAMES = {role: role.name.lower() for role in Role}
ROLE_OF_NAME = {
    **{name: role for role, name in ROLE_NAMES.items()},
    "homes": Role.HOME,
    "stores": Role.STORE,
    "mall": Role.SOLAR,
}
"""What people may call a role."""
NO_COST = -1
"""Marks a party without fuel cost: it values surplus at feed-in."""
NO_GROUP = -1
"""Marks a party that belongs to no balancing group."""


@dataclass(frozen=True)
class Fleet:
    """Columns over parties (parties,), int64.

    load_wh mean load per slot [Wh]; load_noise_ppm log standard deviation of a slot's load [ppm],
    load_memory_ppm the part of its log variance that persists [ppm], load_memory_minutes for how long, 0 without;
    opens, closes half hours of the day between which a site is open, closed_ppm its use when closed over
    that when open [ppm]; solar_w PV rating [W]; solar_limit_wh most its inverters pass per slot [Wh];
    thermal_wh largest output per slot [Wh]; cost [mJPY/kWh], NO_COST without fuel; export_limit_wh and
    import are per slot; curtails 1 where PV generates only what is planned, certified 1 where the DGC is of
    type C and its meter issues certificates; group number of the balancing group, NO_GROUP without; battery as in
    `agents.devices`; start_charge bounds of the stored energy at the start [Wh]. equipment: what some homes have
    beside PV and battery; units: limits and costs of the thermal units, columns over their rows; None without any.
    """

    names: tuple[str, ...]
    role: Int
    area: Int
    load_wh: Int
    load_noise_ppm: Int
    load_memory_minutes: Int
    load_memory_ppm: Int
    size_low_ppm: Int
    size_high_ppm: Int
    opens: Int
    closes: Int
    closed_ppm: Int
    solar_w: Int
    solar_limit_wh: Int
    thermal_wh: Int
    cost: Int
    export_limit_wh: Int
    curtails: Int
    certified: Int
    group: Int
    battery: Battery
    start_low_wh: Int
    start_high_wh: Int
    equipment: Equipment | None = None
    units: ThermalUnits | None = None

    @property
    def count(self) -> int:
        """Number of parties."""
        return len(self.names)

    def rows(self, role: Role) -> Int:
        """Rows of a role, in order."""
        return self._rows[role]

    @cached_property
    def _rows(self) -> dict[int, Int]:
        return {role: np.flatnonzero(self.role == role) for role in Role}

    @cached_property
    def dispatchable(self) -> npt.NDArray[np.bool_]:
        """True where the plan is what was sold: thermal units and retailers."""
        return np.isin(self.role, (Role.THERMAL, Role.RETAILER))

    @cached_property
    def least_net_wh(self) -> Int:
        """The meter (parties,) with a thermal unit at its largest output [Wh]; no limit for others."""
        return np.where(self.role == Role.THERMAL, -self.thermal_wh, np.iinfo(np.int64).min)

    @cached_property
    def any_curtails(self) -> bool:
        """Whether any party generates only what is planned."""
        return bool(self.curtails.any())

    @cached_property
    def senders(self) -> Int:
        """Rows of the parties with a DGC: all but the retailers."""
        return np.flatnonzero(self.role != Role.RETAILER)

    def battery_of(self, rows: Int) -> Battery:
        """Battery columns of some rows."""
        return pick_devices(self.battery, rows)
