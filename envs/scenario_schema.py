"""What a scenario file may say: parties, lines, forecasts and the prices outside the market.

The reference scenario `urawa-misono` is the demonstration of paper 3.3. How quantities are written stands in
`envs.quantities`, the groups of parties in `envs.groups`. Rules that join several keys (areas that exist, lines that
reach them) are checked where the file is read: `envs.scenario`.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from agents.forecasting import READING_LAG
from envs.agreements import LongContractSpec, ServiceProviderSpec
from envs.groups import GroupSpec, HomesSpec, MallSpec, StoresSpec, ThermalSpec, party_names
from envs.quantities import (
    SLOTS_PER_HOUR,
    Factor,
    Hours,
    Name,
    NoiseSd,
    Percent,
    PowerKw,
    PriceJpy,
    Probability,
    SignedPriceJpy,
    Spec,
    rising,
    slot_energy_wh,
    whole_factor,
)
from market.grid import Grid, Line
from market.imbalance import FLAT, PUBLISHED_BETA, Imbalance, RuleName, punishment_of
from market.settlement import Terms
from market.slots import HALF_HOURS
from market.units import PPM, Int, mjpy_from_jpy

Area = Literal["hokkaido", "tohoku", "tokyo", "chubu", "hokuriku", "kansai", "chugoku", "shikoku", "kyushu"]
JEPX_AREAS: tuple[Area, ...] = get_args(Area)
"""The nine price areas of JEPX, north to south, as its result files name them."""


GROUP_KEYS = ("homes", "stores", "mall", "thermal")
"""Keys of the groups, in the order of their parties."""


class LineSpec(Spec):
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


class OutageSpec(Spec):
    """A line that carries less for a while: hours count from the start of the episode, in half hours.

    It is told at `announced_hours`; slots whose gates are closed by then keep their capacity. What is left is
    `left_kw`, or the part `left` of the capacity rounded down; nothing without either.
    """

    line: str
    announced_hours: Hours
    from_hours: Hours
    to_hours: Hours
    left_kw: PowerKw | None = None
    left: Annotated[float, Field(ge=0, le=1), AfterValidator(whole_factor)] | None = None

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


class MeterSpec(Spec):
    """Smart meters: the step of their registers, and slots until a reading is official (`agents.metering`).

    The steps are those of EPC 0xE1 that are whole Wh, 1 Wh to 100 kWh; the lag of 3 is k-3 at step k.
    """

    resolution_wh: Literal[1, 10, 100, 1000, 10_000, 100_000] = 1
    lag_slots: Annotated[int, Field(ge=1, le=HALF_HOURS.per_day)] = READING_LAG


class LinkSpec(Spec):
    """The mobile link of the DGCs: probabilities that a party's message of a step is lost, or one step late."""

    loss: Probability = 0.0
    late: Probability = 0.0


class Jp2016Spec(Spec):
    """Imbalance prices from 2016-04 to 2022-03: spot price x alpha + beta, K more or L less (`market.imbalance`).

    Alpha was found for each slot and stayed near 1; here it is fixed (assumption). Beta of fiscal year 2016 is known
    for two areas, zero elsewhere (assumption); K and L are those of the scenario's fiscal year unless given.
    """

    alpha: Factor = 1.0
    beta_jpy_kwh: dict[str, SignedPriceJpy] = Field(default_factory=dict)
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


class Jp2022Spec(Spec):
    """Imbalance prices since 2022-04: the higher of balancing energy and scarcity (`market.imbalance`).

    Balancing energy costs the spot price plus `up` or less `down`: the two equally likely values that have the mean
    (-0.68) and the standard deviation (4.93 JPY/kWh) of Tokyo's imbalance price less spot in fiscal year 2025
    (assumption). `reserve` are steps (spot price from which, reserve ratio in percent); one step of 12 % means that
    there is no scarcity (assumption).
    """

    up_jpy_kwh: PriceJpy = 4.25
    down_jpy_kwh: PriceJpy = 5.61
    reserve: Annotated[tuple[tuple[PriceJpy, Percent], ...], Field(min_length=1), AfterValidator(rising)] = (
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


class TermsSpec(Spec):
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


class Scenario(Spec):
    """One world as written down; `load_scenario` is the way to make one.

    `size` is the number of sites that groups with a `share` have together; powers of lines and thermal units are those
    of a scenario of `written_for` sites. With `forecast_updates` the newest official readings correct the forecast,
    with `sun_by_area` PV has the sun of its area, else that of `site_area`. A single group is dumped as the table that
    it is in the file.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "size",
            "written_for",
            "forecast_updates",
            "sun_by_area",
            "meter",
            "link",
            "service_providers",
            "long_contracts",
        }
    )

    name: Name
    title: str
    fiscal_year: Annotated[int, Field(ge=2001, le=2099)] = 2018
    areas: Annotated[tuple[Area, ...], Field(min_length=1)]
    site_area: str
    forecast: Literal["naive", "weather", "ridge", "boosting", "perfect"] = "weather"
    forecast_updates: bool = False
    solar_error: NoiseSd = 0.15
    sun_by_area: bool = False
    horizon: Annotated[int, Field(ge=1, le=HALF_HOURS.year)] = 4
    episode_days: Annotated[int, Field(ge=1, le=365)] = 3
    lot_wh: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    lines: tuple[LineSpec, ...] = ()
    outages: tuple[OutageSpec, ...] = ()
    size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    written_for: Annotated[int, Field(ge=1, le=100_000)] = 1000
    homes: tuple[HomesSpec, ...] = ()
    stores: tuple[StoresSpec, ...] = ()
    mall: tuple[MallSpec, ...] = ()
    thermal: tuple[ThermalSpec, ...] = ()
    retailers: dict[str, Name] = Field(default_factory=dict)
    terms: TermsSpec = TermsSpec()
    meter: MeterSpec = MeterSpec()
    link: LinkSpec = LinkSpec()
    service_providers: tuple[ServiceProviderSpec, ...] = ()
    long_contracts: tuple[LongContractSpec, ...] = ()

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        record = self._without_defaults(handler(self))
        return record | {key: record[key][0] for key in GROUP_KEYS if len(record[key]) == 1}

    @property
    def groups(self) -> tuple[GroupSpec, ...]:
        """All groups in the order of their parties."""
        groups: list[GroupSpec] = [*self.homes, *self.stores, *self.mall, *self.thermal]
        return tuple(groups)

    def groups_named(self, name: str) -> tuple[GroupSpec, ...]:
        """The group of that name, else all groups of that key, as `homes`; none where there is neither."""
        found = tuple(group for group in self.groups if group.name == name)
        return found or (getattr(self, name) if name in GROUP_KEYS else ())

    @cached_property
    def party_names(self) -> tuple[str, ...]:
        """Names of all parties in the order of the fleet's rows, retailers last."""
        return (*(name for group in self.groups for name in party_names(group)), *self.retailer_names)

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


def groups_alone(settings: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The groups written as one table, each as a list of one."""
    return {key: [settings[key]] for key in GROUP_KEYS if not isinstance(settings.get(key, []), list)}


def read_settings(settings: Mapping[str, Any]) -> Scenario:
    """A scenario from its keys as written or dumped; raises pydantic's ValidationError.

    They are validated as JSON, the mode in which strict types still take a list for a tuple.
    """
    return Scenario.model_validate_json(json.dumps({**settings, **groups_alone(settings)}, default=str))
