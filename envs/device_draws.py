"""What an episode brings to the devices behind some meters: trips, hot water, the air outside.

Trips and hot water are drawn by world and party, so a world alone equals the same world in a batch. The air has no
draw: it is the mean course of the synthetic year (`envs.synthetic_year`), also where real prices and sun are read.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.draw import Purpose, below, draw, lognormal_ppm
from agents.electric_vehicle import draw_driving, needed_for_trip
from agents.equipment import Equipment
from agents.fleet import Fleet
from agents.heat_pump import TENTHS, cop_ppm
from agents.household import HouseholdState
from envs.synthetic_year import mean_air_celsius
from market.slots import HALF_HOURS
from market.units import PPM, Int

Mask = npt.NDArray[np.bool_]
DAY = HALF_HOURS.per_day

HEAT_SHARES = (0,) * 12 + (3,) * 4 + (1,) * 8 + (2,) * 2 + (1,) * 10 + (6,) * 10 + (1,) * 2
"""Hot water of each half hour of the day as parts of the day's: mornings, noon, most of it from 18:00 to 23:00
(assumption: no shape by half hour is published)."""
HEAT_NOISE = 0.6
"""Log standard deviation of a half hour's hot water (assumption)."""


@dataclass(frozen=True)
class DeviceDraws:
    """Columns of w worlds and the n equipped homes over the episode's slots and those known beyond, (w, n, slots).

    plugged, driving_wh at each departure, needed_wh in the cells for the next one; heat_wh drawn and heat_mean_wh
    expected; cop (w, 1, slots) [ppm].
    """

    plugged: Mask
    driving_wh: Int
    needed_wh: Int
    heat_wh: Int
    heat_mean_wh: Int
    cop: Int


def draw_devices(fleet: Fleet, equipment: Equipment, seed: int, first_slot: Int, slots: int) -> DeviceDraws:
    """Draw what `slots` slots, whole days from `first_slot` (w,), bring."""
    worlds, rows = np.arange(len(first_slot)), equipment.rows
    shape = (len(worlds), len(rows), slots)
    plugged, driving = np.zeros(shape, np.bool_), np.zeros(shape, np.int64)
    for where, habit in equipment.habits:
        trips = draw_driving(habit, seed, worlds, rows[where], first_slot // DAY, slots // DAY)
        plugged[:, where], driving[:, where] = trips.plugged, trips.driving_wh
    vehicle = equipment.home.vehicle
    slot = first_slot[:, None] + np.arange(slots)
    mean = _mean_heat(fleet, equipment, seed, worlds, slots)
    bits = draw(seed, worlds[:, None, None], rows[:, None], slot[:, None], Purpose.HOT_WATER)
    return DeviceDraws(
        plugged=plugged,
        driving_wh=driving,
        needed_wh=np.zeros(shape, np.int64) if vehicle is None else needed_for_trip(vehicle, driving),
        heat_wh=mean * lognormal_ppm(bits, HEAT_NOISE) // PPM,
        heat_mean_wh=mean,
        cop=cop_ppm(outdoor_tenths(slot))[:, None],
    )


def start_state(equipment: Equipment, seed: int, first_slot: Int) -> HouseholdState:
    """Cars drawn between their bounds, tanks half full (assumption); the battery is the fleet's (w, n)."""
    shape = (len(first_slot), len(equipment.rows))
    nothing, home = np.zeros(shape, np.int64), equipment.home
    car = nothing
    if home.vehicle:
        lowest, most = home.vehicle.battery.lowest_wh, home.vehicle.battery.capacity_wh
        bits = draw(seed, np.arange(shape[0])[:, None], equipment.rows, first_slot[:, None], Purpose.CAR_CHARGE)
        car = lowest + below(bits, most - lowest + 1)
    return HouseholdState(
        nothing,
        car,
        nothing + (home.cell.tank_wh // 2 if home.cell else 0),
        nothing + (home.heater.tank_wh // 2 if home.heater else 0),
    )


def outdoor_tenths(slot: Int) -> Int:
    """Temperature of the air outside in tenths of a degree Celsius, any shape of slots."""
    day = (np.datetime64("2000-01-01", "D") + slot // DAY).astype("datetime64[D]")
    of_year = (day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
    hour = (slot % DAY + 0.5) * HALF_HOURS.minutes / 60
    return np.asarray(np.rint(mean_air_celsius(of_year, hour) * TENTHS), np.int64)


def _mean_heat(fleet: Fleet, equipment: Equipment, seed: int, worlds: Int, slots: int) -> Int:
    """Hot water expected in each slot: the day's mean by half hour, in homes as large as their load says."""
    rows = equipment.rows
    low, high = fleet.size_low_ppm[rows], fleet.size_high_ppm[rows]
    size = low + below(draw(seed, worlds[:, None], rows, 0, Purpose.SIZE), high - low + 1)
    shares = np.array(HEAT_SHARES, np.int64)
    of_day = (equipment.hot_water_wh * size // PPM)[..., None] * shares // shares.sum()
    return np.tile(of_day, slots // DAY)
