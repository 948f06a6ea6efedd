"""What a scenario file may say of the devices behind a home's meter; defaults and sources as in `docs/devices.md`."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from envs.quantities import Fractions, Hours, PowerKw, PriceJpy, Probability, Spec, in_order, whole_factor

RoundTrip = Annotated[float, Field(gt=0, le=1)]
OneWay = Annotated[float, Field(gt=0, le=1), AfterValidator(whole_factor)]
HourBounds = Annotated[tuple[Hours, Hours], AfterValidator(in_order)]
Kwh = Annotated[float, Field(ge=0, le=1e6)]


def _within_a_day(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[1] >= 24:
        raise ValueError("hours of the day lie below 24")
    return bounds


DayHours = Annotated[HourBounds, AfterValidator(_within_a_day)]
DayKwh = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1000)], Annotated[float, Field(ge=0, le=1000)]], AfterValidator(in_order)
]


class BatterySpec(Spec):
    """A home battery; `start_charge` are the bounds of the drawn start charge, as fractions of `kwh`.

    `round_trip` is the product of two equal ways; `charge` and `discharge` take its place where the ways differ.
    `lowest` of `kwh` stops a discharge, `self_discharge` is lost in each half hour of what is stored, `discharge_kw` is
    the power of a discharge where it differs.
    """

    later: ClassVar[frozenset[str]] = frozenset({"charge", "discharge", "lowest", "self_discharge", "discharge_kw"})

    kw: PowerKw = 5.0
    kwh: Kwh = 10.0
    round_trip: RoundTrip = 0.85
    wear_jpy_kwh: PriceJpy = 0.0
    start_charge: Fractions = (0.2, 0.8)
    charge: OneWay | None = None
    discharge: OneWay | None = None
    lowest: Probability = 0.0
    self_discharge: Probability = 0.0
    discharge_kw: PowerKw | None = None


class VehicleSpec(Spec):
    """The car of each home of a group (Energies 2021, 14, 8309) and how it is driven (assumptions).

    `charge_range`: least and most of `kwh` that is used; `drives`: share of days with a trip, which `leaves` and
    `returns` between these hours and takes `driving_kwh`; `feeds_home`: it may discharge to the home.
    """

    charging: Literal["cheapest", "at-once", "midnight"] = "cheapest"
    feeds_home: bool = False
    kwh: Kwh = 40.0
    kw: PowerKw = 6.7
    discharge_kw: PowerKw = 6.0
    round_trip: RoundTrip = 0.75
    charge_range: Fractions = (0.2, 0.9)
    wear_jpy_kwh: PriceJpy = 0.0
    drives: Probability = 0.8
    leaves: DayHours = (7.0, 9.0)
    returns: DayHours = (17.0, 20.0)
    driving_kwh: DayKwh = (4.0, 12.0)


class FuelCellSpec(Spec):
    """A home fuel cell; `exports`: it may make more than the home uses; gas by lower heating value (assumption)."""

    type: Literal["sofc", "pefc"] = "sofc"
    exports: bool = False
    gas_jpy_kwh: PriceJpy = 11.0


class WaterHeaterSpec(Spec):
    """A heat-pump water heater, filled by night or by day."""

    filling: Literal["night", "day"] = "night"
    kw: PowerKw = 1.0
    litres: Annotated[int, Field(ge=1, le=10_000)] = 370
