"""What a scenario file may say: parties, lines, forecasts and the prices outside the market.

The reference scenario `urawa-misono` is the demonstration of paper 3.3. Powers are kW; the energy of a power
over one slot is kW x 1,000 / 2 Wh and must be whole. Prices are JPY/kWh in whole mJPY/kWh. Rules that join
several keys (areas that exist, lines that reach them) are checked where the file is read: `envs.scenario`.
"""

from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from market.grid import Grid, Line
from market.imbalance import FLAT, PUBLISHED_BETA, Imbalance, RuleName, punishment_of
from market.settlement import Terms
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, PPM, PRICE_BOUND, Int, mjpy_from_jpy, wh_from_kwh

SLOTS_PER_HOUR = HALF_HOURS.gate
Area = Literal["hokkaido", "tohoku", "tokyo", "chubu", "hokuriku", "kansai", "chugoku", "shikoku", "kyushu"]
JEPX_AREAS: tuple[Area, ...] = get_args(Area)
"""The nine price areas of JEPX, north to south, as its result files name them."""


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


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first bound {bounds[0]} is above the second {bounds[1]}")
    return bounds


def _whole_factor(factor: float) -> float:
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


def _rising(steps: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if any(first[0] >= second[0] for first, second in pairwise(steps)):
        raise ValueError("the prices of the steps must rise")
    return steps


PowerKw = Annotated[float, Field(ge=0, le=1e8), AfterValidator(_whole_power)]
LARGEST_PRICE_JPY = PRICE_BOUND / MJPY_PER_JPY / 4
PriceJpy = Annotated[float, Field(ge=0, lt=LARGEST_PRICE_JPY), AfterValidator(_whole_price)]
SignedPriceJpy = Annotated[float, Field(gt=-LARGEST_PRICE_JPY, lt=LARGEST_PRICE_JPY), AfterValidator(_whole_price)]
Factor = Annotated[float, Field(ge=0, le=4), AfterValidator(_whole_factor)]
Percent = Annotated[float, Field(ge=0, le=100), AfterValidator(_whole_percent)]
Hours = Annotated[float, Field(ge=0, le=24 * 365), AfterValidator(_half_hours)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Spread = Annotated[
    tuple[Annotated[float, Field(gt=0, le=10)], Annotated[float, Field(gt=0, le=10)]], AfterValidator(_ordered)
]
Fractions = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]], AfterValidator(_ordered)
]
NoiseSd = Annotated[float, Field(ge=0, le=2)]
PartyCount = Annotated[int, Field(ge=0, le=100_000)]


class _Spec(BaseModel):
    """Common rules: no unknown keys, no silent conversions, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LineSpec(_Spec):
    """A line (連系線) and how its capacity moves: each hold period one of `levels_kw` caps both directions.

    Without levels the capacity stays at `forward_kw` (source to target) and `backward_kw`.
    """

    name: Name
    source: str
    target: str
    forward_kw: PowerKw
    backward_kw: PowerKw
    levels_kw: tuple[PowerKw, ...] = ()
    hold_slots: Annotated[int, Field(ge=1)] = HALF_HOURS.per_day

    @cached_property
    def levels_wh(self) -> tuple[tuple[int, int], ...]:
        """Capacity of each level per slot, (forward, backward) [Wh]; one row when the capacity is fixed."""
        levels = self.levels_kw or (max(self.forward_kw, self.backward_kw),)
        return tuple(
            (slot_energy_wh(min(level, self.forward_kw)), slot_energy_wh(min(level, self.backward_kw)))
            for level in levels
        )


class OutageSpec(_Spec):
    """A line that carries less for a while: hours count from the start of the episode, in half hours.

    It is told at `announced_hours`; slots whose gates are closed by then keep their capacity. What is left is
    `left_kw`, or the part `left` of the capacity rounded down; nothing without either.
    """

    line: str
    announced_hours: Hours
    from_hours: Hours
    to_hours: Hours
    left_kw: PowerKw | None = None
    left: Annotated[float, Field(ge=0, le=1), AfterValidator(_whole_factor)] | None = None

    @property
    def announced_slot(self) -> int:
        """Step at which it is told, counted from the start of the episode."""
        return round(self.announced_hours * SLOTS_PER_HOUR)

    @property
    def first_slot(self) -> int:
        """First slot of the episode with less capacity."""
        return round(self.from_hours * SLOTS_PER_HOUR)

    @property
    def stop_slot(self) -> int:
        """One past the last slot with less capacity."""
        return round(self.to_hours * SLOTS_PER_HOUR)

    def left_of(self, capacity_wh: Int) -> Int:
        """What is left of capacities of any shape [Wh]."""
        if self.left is not None:
            return capacity_wh * round(self.left * PPM) // PPM
        return np.minimum(capacity_wh, slot_energy_wh(self.left_kw or 0))


class BatterySpec(_Spec):
    """A home battery; `start_charge` are the bounds of the drawn start charge, as fractions of `kwh`."""

    kw: PowerKw = 5.0
    kwh: Annotated[float, Field(ge=0, le=1e6)] = 10.0
    round_trip: Annotated[float, Field(gt=0, le=1)] = 0.85
    wear_jpy_kwh: PriceJpy = 0.0
    start_charge: Fractions = (0.2, 0.8)


class HomesSpec(_Spec):
    """Homes with PV and a battery (paper 3.3); `load_noise` is the sd of the lognormal load of a slot."""

    area: str
    count: PartyCount = 5
    load_kwh_year: Annotated[float, Field(ge=0, le=1e7)] = 4047.0
    size_spread: Spread = (0.7, 1.3)
    load_noise: NoiseSd = 0.4
    pv_kw: PowerKw = 5.0
    export_limit_kw: PowerKw = 7.5
    battery: BatterySpec = BatterySpec()


class StoresSpec(_Spec):
    """Convenience stores: consumers around the clock (paper 3.3)."""

    area: str
    count: PartyCount = 5
    load_kwh_year: Annotated[float, Field(ge=0, le=1e8)] = 170_000.0
    size_spread: Spread = (0.9, 1.1)
    load_noise: NoiseSd = 0.1


class MallSpec(_Spec):
    """The mall's PV plant behind `routers` digital grid routers (paper 3.3)."""

    area: str
    pv_kw: PowerKw = 60.0
    routers: Annotated[int, Field(ge=1, le=1000)] = 3


class ThermalSpec(_Spec):
    """Dummy thermal units (paper 3.3, item 60): one power and one marginal cost each."""

    area: str
    units_kw: tuple[PowerKw, ...] = (20.0, 20.0, 20.0, 20.0)
    cost_jpy_kwh: tuple[PriceJpy, ...] = (8.1, 9.3, 10.1, 11.7)


class Jp2016Spec(_Spec):
    """Imbalance prices from 2016-04 to 2022-03: spot price x alpha + beta, K more or L less (`market.imbalance`).

    Alpha was found for each slot and stayed near 1; here it is fixed (assumption). Beta of fiscal year 2016 is known
    for two areas, zero elsewhere (assumption); K and L are those of the scenario's fiscal year unless given.
    """

    alpha: Factor = 1.0
    beta_jpy_kwh: dict[str, SignedPriceJpy] = {}
    k_jpy_kwh: PriceJpy | None = None
    l_jpy_kwh: PriceJpy | None = None

    def imbalance(self, areas: tuple[str, ...], fiscal_year: int, curtailed_at: int) -> Imbalance:
        """The rule for these areas in that year."""
        given = {area: mjpy_from_jpy(price) for area, price in self.beta_jpy_kwh.items()}
        beta = PUBLISHED_BETA | given
        extra, less = punishment_of(fiscal_year)
        return Imbalance(
            "jp-2016",
            alpha_ppm=round(self.alpha * PPM),
            beta=tuple(beta.get(area, 0) for area in areas),
            short_extra=extra if self.k_jpy_kwh is None else mjpy_from_jpy(self.k_jpy_kwh),
            long_less=less if self.l_jpy_kwh is None else mjpy_from_jpy(self.l_jpy_kwh),
            curtailed_at=curtailed_at,
        )


class Jp2022Spec(_Spec):
    """Imbalance prices since 2022-04: the higher of balancing energy and scarcity (`market.imbalance`).

    Balancing energy costs the spot price plus `up` or less `down`: the two equally likely values that have the mean
    (-0.68) and the standard deviation (4.93 JPY/kWh) of Tokyo's imbalance price less spot in fiscal year 2025
    (assumption). `reserve` are steps (spot price from which, reserve ratio in percent); one step of 12 % means that
    there is no scarcity (assumption).
    """

    up_jpy_kwh: PriceJpy = 4.25
    down_jpy_kwh: PriceJpy = 5.61
    reserve: Annotated[tuple[tuple[PriceJpy, Percent], ...], Field(min_length=1), AfterValidator(_rising)] = (
        (0.0, 12.0),
    )

    def imbalance(self, curtailed_at: int) -> Imbalance:
        """The rule with these parameters."""
        return Imbalance(
            "jp-2022",
            up=mjpy_from_jpy(self.up_jpy_kwh),
            down=mjpy_from_jpy(self.down_jpy_kwh),
            reserve=tuple((mjpy_from_jpy(price), round(ratio * PPM / 100)) for price, ratio in self.reserve),
            curtailed_at=curtailed_at,
        )


class TermsSpec(_Spec):
    """Prices outside the market [JPY/kWh], and the imbalance rule with its parameters.

    Renewables count as curtailed where the outside price is at most `curtailed_at_jpy_kwh`, JEPX's lowest price
    (assumption).
    """

    wheeling_jpy_kwh: PriceJpy = 9.44
    surcharge_jpy_kwh: PriceJpy = 2.90
    fee_jpy_kwh: PriceJpy = 0.66
    retail_margin_jpy_kwh: PriceJpy = 4.66
    feed_in_discount_jpy_kwh: PriceJpy = 1.0
    feed_in_floor_jpy_kwh: PriceJpy = 0.5
    imbalance_penalty_jpy_kwh: PriceJpy = 3.0
    imbalance: RuleName = "flat"
    curtailed_at_jpy_kwh: PriceJpy = 0.01
    jp_2016: Jp2016Spec = Jp2016Spec()
    jp_2022: Jp2022Spec = Jp2022Spec()

    def imbalance_rule(self, areas: tuple[str, ...], fiscal_year: int) -> Imbalance:
        """The chosen rule in whole mJPY/kWh."""
        curtailed_at = mjpy_from_jpy(self.curtailed_at_jpy_kwh)
        if self.imbalance == "jp-2016":
            return self.jp_2016.imbalance(areas, fiscal_year, curtailed_at)
        return self.jp_2022.imbalance(curtailed_at) if self.imbalance == "jp-2022" else FLAT


class Scenario(_Spec):
    """One world as written down; `load_scenario` is the way to make one."""

    name: Name
    title: str
    fiscal_year: Annotated[int, Field(ge=2001, le=2099)] = 2018
    areas: Annotated[tuple[Area, ...], Field(min_length=1)]
    site_area: str
    forecast: Literal["naive", "weather", "perfect"] = "weather"
    solar_error: NoiseSd = 0.15
    horizon: Annotated[int, Field(ge=1, le=HALF_HOURS.year)] = 4
    episode_days: Annotated[int, Field(ge=1, le=365)] = 3
    lot_wh: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    lines: tuple[LineSpec, ...] = ()
    outages: tuple[OutageSpec, ...] = ()
    homes: HomesSpec
    stores: StoresSpec
    mall: MallSpec
    thermal: ThermalSpec
    retailers: dict[str, Name] = {}
    terms: TermsSpec = TermsSpec()

    @property
    def retailer_names(self) -> tuple[str, ...]:
        """The retailer of last resort of each area, in the order of `areas`."""
        return tuple(self.retailers.get(area, f"retailer-{area}") for area in self.areas)

    def area_row(self, area: str) -> int:
        """Position of an area in `areas`."""
        return self.areas.index(area)

    def grid(self) -> Grid:
        """Areas and lines as the market sees them."""
        lines = (Line(line.name, self.area_row(line.source), self.area_row(line.target)) for line in self.lines)
        return Grid(self.areas, tuple(lines))

    def settlement_terms(self) -> Terms:
        """Prices outside the market in whole mJPY/kWh."""
        prices = self.terms
        return Terms(
            wheeling=mjpy_from_jpy(prices.wheeling_jpy_kwh),
            surcharge=mjpy_from_jpy(prices.surcharge_jpy_kwh),
            fee=mjpy_from_jpy(prices.fee_jpy_kwh),
            retail_margin=mjpy_from_jpy(prices.retail_margin_jpy_kwh),
            feed_in_discount=mjpy_from_jpy(prices.feed_in_discount_jpy_kwh),
            feed_in_floor=mjpy_from_jpy(prices.feed_in_floor_jpy_kwh),
            imbalance_penalty=mjpy_from_jpy(prices.imbalance_penalty_jpy_kwh),
            imbalance=prices.imbalance_rule(self.areas, self.fiscal_year),
        )
