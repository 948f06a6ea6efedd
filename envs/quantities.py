"""Quantities as a scenario file writes them: powers, prices, shares, each checked to be whole in the market's units.

Powers are kW; the energy of a power over one slot is kW x 1,000 / 2 Wh and must be whole. Prices are JPY/kWh in whole
mJPY/kWh. `Spec` is what every table of a scenario file is made of.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, PPM, PRICE_BOUND, mjpy_from_jpy, wh_from_kwh

SLOTS_PER_HOUR = HALF_HOURS.gate


def slot_energy_wh(power_kw: float) -> int:
    """Energy of a power over one slot, kW x 1,000 / 2 [Wh]; raises ValueError when it is not whole."""
    return wh_from_kwh(str(power_kw / SLOTS_PER_HOUR))


def _whole_power(power_kw: float) -> float:
    try:
        slot_energy_wh(power_kw)
    except ValueError as error:
        raise ValueError("a power comes in steps of 0.002 kW, 1 Wh per half hour") from error
    return power_kw


def _whole_price(price_jpy_kwh: float) -> float:
    try:
        mjpy_from_jpy(price_jpy_kwh)
    except ValueError as error:
        raise ValueError("a price comes in steps of 0.001 JPY/kWh") from error
    return price_jpy_kwh


def in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    """Two bounds of which the second is not below the first; raises ValueError."""
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound {bounds[0]} is above the second {bounds[1]}")
    return bounds


def whole_factor(factor: float) -> float:
    """A factor in whole parts per million; raises ValueError."""
    if Decimal(str(factor)) * PPM % 1:
        raise ValueError("a factor comes in steps of 0.000001")
    return factor


def _half_hours(hours: float) -> float:
    if hours * SLOTS_PER_HOUR % 1:
        raise ValueError("hours come in steps of 0.5")
    return hours


def _whole_percent(percent: float) -> float:
    if Decimal(str(percent)) * (PPM // 100) % 1:
        raise ValueError("a percentage comes in steps of 0.0001")
    return percent


def rising(steps: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Steps whose first numbers rise; raises ValueError."""
    if any(first[0] >= second[0] for first, second in pairwise(steps)):
        raise ValueError("the prices of the steps must rise")
    return steps


PowerKw = Annotated[float, Field(ge=0, le=1e8), AfterValidator(_whole_power)]
LARGEST_PRICE_JPY = PRICE_BOUND / MJPY_PER_JPY / 4
PriceJpy = Annotated[float, Field(ge=0, lt=LARGEST_PRICE_JPY), AfterValidator(_whole_price)]
SignedPriceJpy = Annotated[float, Field(gt=-LARGEST_PRICE_JPY, lt=LARGEST_PRICE_JPY), AfterValidator(_whole_price)]
Factor = Annotated[float, Field(ge=0, le=4), AfterValidator(whole_factor)]
Percent = Annotated[float, Field(ge=0, le=100), AfterValidator(_whole_percent)]
Hours = Annotated[float, Field(ge=0, le=24 * 365), AfterValidator(_half_hours)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Spread = Annotated[
    tuple[Annotated[float, Field(gt=0, le=10)], Annotated[float, Field(gt=0, le=10)]], AfterValidator(in_order)
]
Fractions = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]], AfterValidator(in_order)
]
Probability = Annotated[float, Field(ge=0, le=1), AfterValidator(whole_factor)]
NoiseSd = Annotated[float, Field(ge=0, le=2)]


class Spec(BaseModel):
    """Common rules: no unknown keys, no silent conversions, frozen.

    `later` names keys that came after the first ledgers were written: a dump leaves them out where they are at their
    default, so that the genesis of an older scenario keeps its bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self._without_defaults(handler(self))

    def _without_defaults(self, record: dict[str, Any]) -> dict[str, Any]:
        fields = type(self).model_fields
        same = [key for key in self.later if getattr(self, key) == fields[key].get_default(call_default_factory=True)]
        return {key: value for key, value in record.items() if key not in same}
