"""Electric vehicles as array steps on integers [Wh per slot]: batteries that are away by day and must be able to go.

The owner tells the DGC of the next trip when the car is plugged in: when it leaves and how much it will drive. Nothing
else of the future is used but prices that are known. The energy of a trip leaves the cells in the trip's first slot,
since nobody sees the car before it returns; what the cells cannot give is charged away from home and counted.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from agents.devices import Battery, charge_limit, discharge_limit, stored_after, within
from agents.draw import Purpose, below, between, draw
from agents.scheduling import fill_in_order
from market.slots import HALF_HOURS
from market.units import PPM, Int

Mask = npt.NDArray[np.bool_]

DAY = HALF_HOURS.per_day
CAR_WH, CAR_LOWEST_PPM, CAR_HIGHEST_PPM = 40_000, 200_000, 900_000
CAR_IN_WH, CAR_OUT_WH = 3_350, 3_000
"""40 kWh of which 20 to 90 % are used, 6.7 kW in and 6.0 kW out. Source: Energies 2021, 14, 8309."""
CAR_EFFICIENCY_PPM = 866_025
"""One way, the root of the 75 % round trip of the same source."""


class Charging(IntEnum):
    """Which plugged slots before the departure are charged in."""

    CHEAPEST = 0
    AT_ONCE = 1
    MIDNIGHT = 2


@dataclass(frozen=True)
class Vehicle:
    """Vehicle columns, any common shape; a battery without capacity means none.

    battery: capacity_wh and lowest_wh bound its state of charge; feeds_home: whether it may discharge to the home.
    """

    battery: Battery
    feeds_home: Mask


@dataclass(frozen=True)
class Habit:
    """How people drive; bounds both included. All figures are assumptions: none is published for Japanese homes.

    drives_ppm of all days have a trip; leaves and returns [half hour of the day]; driving_wh [Wh a day].
    """

    drives_ppm: int = 800_000
    leaves: tuple[int, int] = (14, 18)
    returns: tuple[int, int] = (34, 40)
    driving_wh: tuple[int, int] = (4_000, 12_000)


@dataclass(frozen=True)
class Driving:
    """When cars are away, (worlds, parties, slots): plugged in or not, and energy driven [Wh], at each departure."""

    plugged: Mask
    driving_wh: Int


def common_vehicle(has: Mask, feeds_home: Mask, wear_mjpy_kwh: Int) -> Vehicle:
    """The 40 kWh car of Energies 14/8309 for each home that has one, (...,)."""
    full = has.astype(np.int64)
    battery = Battery(
        power_wh=full * CAR_IN_WH,
        capacity_wh=full * (CAR_WH * CAR_HIGHEST_PPM // PPM),
        efficiency_ppm=full * CAR_EFFICIENCY_PPM,
        wear_mjpy_kwh=wear_mjpy_kwh,
        lowest_wh=full * (CAR_WH * CAR_LOWEST_PPM // PPM),
        discharge_wh=full * CAR_OUT_WH,
    )
    return Vehicle(battery, feeds_home)


def draw_driving(habit: Habit, seed: int, worlds: Int, parties: Int, first_day: Int, days: int) -> Driving:
    """Trips of whole days, at most one a day.

    Args:
        habit: bounds of what is drawn.
        seed: key of world 0.
        worlds: (w,) world numbers.
        parties: (p,) party numbers.
        first_day: (w,) number of each world's first day (slot // slots of a day).
        days: number of days.
    """
    day = first_day[:, None, None] + np.arange(days)
    keys = (seed, worlds[:, None, None], parties[:, None], day)
    drives = below(draw(*keys, Purpose.DRIVES), PPM) < habit.drives_ppm
    leaves = between(draw(*keys, Purpose.LEAVES), *habit.leaves)[..., None]
    returns = between(draw(*keys, Purpose.RETURNS), *habit.returns)[..., None]
    energy = between(draw(*keys, Purpose.DISTANCE), *habit.driving_wh)[..., None]
    of_day, trip = np.arange(DAY), drives[..., None]
    away = trip & (of_day >= leaves) & (of_day < returns)
    driven = np.where(trip & (of_day == leaves), energy, 0)
    shape = (len(worlds), len(parties), days * DAY)
    return Driving(~away.reshape(shape), driven.reshape(shape))


def before_departure(plugged: Mask) -> Mask:
    """Slots from now to the next departure, (..., slots); all of them if there is none."""
    return np.logical_and.accumulate(plugged, axis=-1)


def needed_for_trip(vehicle: Vehicle, driving_wh: Int) -> Int:
    """State of charge the next departure needs [Wh in the cells], for each slot of (..., slots).

    Zero after the last departure known; at most the capacity.
    """
    slots = np.arange(driving_wh.shape[-1])
    ahead = np.where(driving_wh > 0, slots, len(slots))
    following = np.minimum.accumulate(ahead[..., ::-1], axis=-1)[..., ::-1]
    padded = np.concatenate([driving_wh, np.zeros_like(driving_wh[..., :1])], -1)
    energy = np.take_along_axis(padded, following, -1)
    lowest, most = (np.asarray(bound)[..., None] for bound in (vehicle.battery.lowest_wh, vehicle.battery.capacity_wh))
    return np.where(energy > 0, np.minimum(energy + lowest, most), 0)


def charging_order(rule: Charging, price: Int, slot: Int) -> Int:
    """What `charge_schedule` ranks slots by: known prices [mJPY/kWh], time, or the hours from midnight on."""
    if rule == Charging.CHEAPEST:
        return price
    return slot if rule == Charging.AT_ONCE else slot % DAY


def charge_schedule(vehicle: Vehicle, stored_wh: Int, needed_wh: Int, usable: Mask, order: Int) -> Int:
    """Energy to charge in each coming slot so that the next departure finds what it needs.

    Args:
        vehicle: columns (...,).
        stored_wh: (...,) stored now.
        needed_wh: (...,) wanted at the departure, of which the capacity is the most.
        usable: (..., slots) plugged slots before the departure whose prices are known.
        order: (..., slots) from `charging_order`; the lowest are used first, ties to the earlier slot.

    Returns:
        (..., slots) [Wh] at the terminals; all usable slots if they do not suffice. Limits are rounded down, so the
        last Wh of a full battery may stay out.
    """
    battery = vehicle.battery
    missing = np.minimum(needed_wh, battery.capacity_wh) - stored_wh
    return fill_in_order(order, usable, battery.power_wh, battery.efficiency_ppm[..., None], missing)


def run_vehicle(
    vehicle: Vehicle, stored_wh: Int, wanted_wh: Int, plugged: Mask, needed_wh: Int | int
) -> tuple[Int, Int]:
    """Charge (wanted > 0) or feed the home (wanted < 0) as far as the car can and the next departure allows.

    Energy that the next departure needs (`needed_for_trip`) never leaves the cells for the home. Returns the energy
    that passed the terminals [Wh, + is charge] and the stored energy after.
    """
    passed = within(
        wanted_wh, -feed_limit(vehicle, stored_wh, plugged, needed_wh), take_limit(vehicle, stored_wh, plugged)
    )
    return passed, stored_after(vehicle.battery, stored_wh, passed)


def take_limit(vehicle: Vehicle, stored_wh: Int, plugged: Mask) -> Int:
    """Most energy the car can take in one slot [Wh]."""
    return np.where(plugged, charge_limit(vehicle.battery, stored_wh), 0)


def feed_limit(vehicle: Vehicle, stored_wh: Int, plugged: Mask, needed_wh: Int | int) -> Int:
    """Most energy the car may give the home in one slot [Wh]."""
    spare = np.maximum(stored_wh - needed_wh, 0) * vehicle.battery.given_ppm // PPM
    able = np.minimum(discharge_limit(vehicle.battery, stored_wh), spare)
    return np.where(plugged & vehicle.feeds_home, able, 0)


def drive(vehicle: Vehicle, stored_wh: Int, driving_wh: Int) -> tuple[Int, Int]:
    """Stored energy after a trip, and what had to be charged away from home [Wh].

    Driving uses the cells down to their lowest state of charge; a home without a car does not drive.
    """
    driven = np.where(vehicle.battery.capacity_wh > 0, driving_wh, 0)
    used = np.minimum(driven, np.maximum(stored_wh - vehicle.battery.lowest_wh, 0))
    return stored_wh - used, driven - used
