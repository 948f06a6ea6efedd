"""Heat-pump water heaters (エコキュート) as array steps on integers [Wh per slot]: a tank filled by night or by day.

The electricity x of a slot makes floor(x * COP) of heat. Heat the tank lacks comes from an electric element, one for
one, so the tank is never below zero. By day means in the slots with the most PV surplus.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from agents.hot_water import STANDING_LOSS_PPM, serve_heat, tank_heat_wh, tank_room
from agents.scheduling import fill_in_order
from market.slots import HALF_HOURS
from market.units import PPM, Int

Mask = npt.NDArray[np.bool_]

DAY = HALF_HOURS.per_day
FIRST, LENGTH = (46, 18), (16, 14)
"""First half hour and number of half hours of a filling by night, 23:00 to 07:00, and by day, 09:00 to 16:00: the night
tariff and the hours with sun (assumption). By night the filling ends as the night does (usual practice)."""
RESERVE_PPM = 100_000
"""Share of the tank that a filling adds to what is expected to be drawn (assumption)."""
COP_CELSIUS = (-7, 2, 7, 16, 25)
COP_PPM = (2_200_000, 2_700_000, 3_200_000, 4_200_000, 4_900_000)
"""Heat per electricity at these outdoor temperatures (assumption; JIS C 9220 rates at 7, 16 and 25)."""
TENTHS = 10


class Filling(IntEnum):
    """When a tank is filled."""

    NIGHT = 0
    DAY = 1


@dataclass(frozen=True)
class HeatPump:
    """Heat-pump columns, any common shape; power_wh of zero means none.

    power_wh [Wh of electricity per slot]; tank_wh heat the tank holds; lost_ppm its loss per slot; filling: `Filling`.
    """

    power_wh: Int
    tank_wh: Int
    lost_ppm: Int
    filling: Int


@dataclass(frozen=True)
class HeatPumpStep:
    """What a slot of a heat pump takes, (...,) [Wh]: electricity, electricity of the element, heat made and held."""

    input_wh: Int
    backup_wh: Int
    heat_wh: Int
    held_wh: Int


def common_heat_pump(has: Mask, filling: Int, litres: int = 370, power_wh: int = 500) -> HeatPump:
    """A heater of 1 kW and 370 L (assumption: the usual size for a family) for each home that has one, (...,)."""
    size = has.astype(np.int64)
    return HeatPump(size * power_wh, size * tank_heat_wh(litres), size * STANDING_LOSS_PPM, filling)


def cop_ppm(outdoor_tenths: Int) -> Int:
    """Heat per electricity [ppm] at outdoor temperatures [tenths of a degree Celsius].

    Straight lines between the table's temperatures, rounded down; its ends hold beyond.
    """
    at, cop = np.array(COP_CELSIUS, np.int64) * TENTHS, np.array(COP_PPM, np.int64)
    place = np.clip(np.searchsorted(at, outdoor_tenths, "right") - 1, 0, len(at) - 2)
    held = np.clip(outdoor_tenths, at[0], at[-1])
    rise = (cop[place + 1] - cop[place]) * (held - at[place]) // (at[place + 1] - at[place])
    return np.asarray(cop[place] + rise)


def plan_heating(pump: HeatPump, held_wh: Int, demand_wh: Int, cop: Int, slot: Int, surplus_wh: Int) -> Int:
    """Electricity of each slot of the present or coming filling: the heat drawn before the next one, and a reserve.

    By night the last slots come first, by day those with the largest surplus, ties to the earlier. A Wh drawn s slots
    from now counts as 1 + s x loss, rounded down, for what the tank loses until then.

    Args:
        pump: columns (...,).
        held_wh: (...,) heat in the tank now.
        demand_wh: (..., slots) heat expected to be drawn; a day is enough while a filling is on.
        cop: (..., slots) or broadcastable [ppm].
        slot: (slots,) absolute slots in a row, the first is now.
        surplus_wh: (..., slots) PV surplus expected.

    Returns:
        (..., slots) [Wh].
    """
    first, length = (np.array(bound, np.int64)[pump.filling][..., None] for bound in (FIRST, LENGTH))
    filling, since = np.divmod(slot - first, DAY)
    present = filling[..., :1] + (since[..., :1] >= length)
    usable = (filling == present) & (since < length)
    order = np.where((pump.filling == Filling.DAY)[..., None], -surplus_wh, -since)
    aged = demand_wh * (PPM + pump.lost_ppm[..., None] * np.arange(len(slot))) // PPM
    needed = np.where(filling <= present, aged, 0).sum(-1) + pump.tank_wh * RESERVE_PPM // PPM
    return fill_in_order(order, usable, pump.power_wh, cop, np.minimum(needed, pump.tank_wh) - held_wh)


def run_heat_pump(pump: HeatPump, held_wh: Int, demand_wh: Int, wanted_wh: Int, cop: Int) -> HeatPumpStep:
    """Take as much of `wanted_wh` >= 0 as power and tank allow, and serve the heat demand of the slot."""
    room = tank_room(held_wh, pump.lost_ppm, pump.tank_wh, demand_wh)
    most = np.minimum(pump.power_wh, room * PPM // np.maximum(cop, 1))
    taken = np.minimum(np.maximum(wanted_wh, 0), most)
    heat = taken * cop // PPM
    held, backup, _ = serve_heat(held_wh, pump.lost_ppm, heat, pump.tank_wh, demand_wh)
    return HeatPumpStep(taken, backup, heat, held)
