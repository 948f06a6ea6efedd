"""Groups of parties in a scenario file: homes, stores, solar plants and thermal units, each one table or several.

`[homes]` is one group, `[[homes]]` several, each with a `name` of its own that its parties' names begin with. A group
of homes or stores has as many sites as `count` says, all with the same devices; PV of 0 kW and a battery of 0 kWh
mean none. `certified` parties have a DGC of type C, whose meter issues a certificate for each kWh of renewable energy
they export (paper 1.4, item 32). Parties of one kind are one role and follow one another, group by group.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from envs.device_specs import BatterySpec, FuelCellSpec, VehicleSpec, WaterHeaterSpec
from envs.quantities import Hours, Name, NoiseSd, PowerKw, PriceJpy, Probability, Spec, Spread, in_order

MemoryHours = Annotated[float, Field(ge=0, le=168)]
PartyCount = Annotated[int, Field(ge=0, le=100_000)]
OpenHours = Annotated[tuple[Hours, Hours], AfterValidator(in_order)]
ROUTER_KW = 20.0
"""One digital grid router as a solar inverter (paper 3.3)."""


NO_BATTERY = BatterySpec(kw=0.0, kwh=0.0)


class SitesSpec(Spec):
    """Sites of one kind in one area; a `share` of the scenario's `size` takes the place of `count`.

    `certified` sites have a DGC of type C. With a `weight` each party stands for so many sites, which act as one:
    loads, PV, battery and limits times the weight, noise and spread of sizes over its root.
    """

    later: ClassVar[frozenset[str]] = frozenset({"name", "share", "certified", "weight"})

    name: Name
    area: str
    count: PartyCount
    share: Annotated[float, Field(ge=0)] = 0.0
    certified: bool = True
    weight: Annotated[int, Field(ge=1, le=100_000_000)] = 1


class LoadsSpec(SitesSpec):
    """Sites that use energy; `load_noise` is the sd of the lognormal load of a slot.

    The part `load_memory_part` of the log variance fades with the time constant `load_memory_hours`, the rest is drawn
    anew every half hour; all of it where that is 0. `load_file` says that loads are given, not drawn.
    """

    later: ClassVar[frozenset[str]] = SitesSpec.later | {"load_memory_hours", "load_memory_part", "load_file"}

    load_kwh_year: Annotated[float, Field(ge=0, le=1e12)]
    size_spread: Spread
    load_noise: NoiseSd
    load_memory_hours: MemoryHours = 0.0
    load_memory_part: Probability = 0.78
    load_file: str | None = None
    pv_kw: PowerKw
    export_limit_kw: PowerKw | None
    battery: BatterySpec


class HomesSpec(LoadsSpec):
    """Homes with PV and a battery (paper 3.3), and what else stands behind each meter of the group.

    `hot_water_kwh` of heat a day are drawn where there is a fuel cell or a water heater. `limit_delivery`: the router
    passes at most `export_limit_kw` to the outside whatever was contracted, as it does in homes with another device
    than PV and battery; `curtail_to_contract`: PV gives no more than is planned (paper 3.3, item 57).
    """

    later: ClassVar[frozenset[str]] = LoadsSpec.later | {
        *("vehicle", "fuel_cell", "water_heater", "hot_water_kwh", "limit_delivery", "curtail_to_contract")
    }

    name: Name = "home"
    count: PartyCount = 5
    load_kwh_year: Annotated[float, Field(ge=0, le=1e7)] = 4047.0
    size_spread: Spread = (0.7, 1.3)
    load_noise: NoiseSd = 0.4
    pv_kw: PowerKw = 5.0
    export_limit_kw: PowerKw = 7.5
    battery: BatterySpec = BatterySpec()
    vehicle: VehicleSpec | None = None
    fuel_cell: FuelCellSpec | None = None
    water_heater: WaterHeaterSpec | None = None
    hot_water_kwh: Annotated[float, Field(ge=0, le=1000)] = 10.0
    limit_delivery: bool = False
    curtail_to_contract: bool = False

    @property
    def is_equipped(self) -> bool:
        """Whether a slot of these homes takes more than load, PV and battery."""
        devices = (self.vehicle, self.fuel_cell, self.water_heater)
        return self.limit_delivery or any(device is not None for device in devices)


class StoresSpec(LoadsSpec):
    """Convenience stores, consumers around the clock (paper 3.3), and shops or offices with `open_hours`.

    One with `whole_area` buys for its whole area: its load is the area's published demand where `--data` has it, else
    it has the shape of one (`envs.area_series`).

    A shop that is closed uses `closed_part` of what it uses when open; the mean of the day stays. What it may export is
    its PV, unless `export_limit_kw` says otherwise.
    """

    later: ClassVar[frozenset[str]] = LoadsSpec.later | {
        *("open_hours", "closed_part", "pv_kw", "export_limit_kw", "battery", "whole_area")
    }

    name: Name = "store"
    count: PartyCount = 5
    load_kwh_year: Annotated[float, Field(ge=0, le=1e12)] = 170_000.0
    size_spread: Spread = (0.9, 1.1)
    load_noise: NoiseSd = 0.1
    open_hours: OpenHours = (0.0, 24.0)
    closed_part: Annotated[float, Field(ge=0, le=1)] = 0.3
    pv_kw: PowerKw = 0.0
    export_limit_kw: PowerKw | None = None
    battery: BatterySpec = NO_BATTERY
    whole_area: bool = False


class MallSpec(SitesSpec):
    """Solar plants behind `routers` digital grid routers each, such as the mall's (paper 3.3).

    A plant generates and sells at most what its routers can pass: 20 kW each; with `curtail_to_contract` at most what
    is planned (paper 3.3, item 57). One plant bears the group's name.
    """

    later: ClassVar[frozenset[str]] = SitesSpec.later | {"count", "curtail_to_contract"}

    name: Name = "mall"
    count: PartyCount = 1
    pv_kw: PowerKw = 60.0
    routers: Annotated[int, Field(ge=1, le=1000)] = 3
    curtail_to_contract: bool = False


class ThermalSpec(Spec):
    """Dummy thermal units (paper 3.3, item 60): one power and one marginal cost each.

    `type` names their limits, costs and CO2 (`agents.thermal.UNIT_TYPES`; free: none); what stands beside it takes the
    type's place: `min_load` of the power, `ramp` of it per minute, a start's cost for a unit, the cost and the CO2 of
    each kWh made, idle figures of each kWh it could make while it runs.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {
            *("name", "type", "min_load", "ramp", "start_cost_jpy", "min_up_hours", "min_down_hours"),
            *("co2_g_kwh", "idle_jpy_kwh", "idle_g_kwh"),
        }
    )

    name: Name = "thermal"
    area: str
    units_kw: tuple[PowerKw, ...] = (20.0, 20.0, 20.0, 20.0)
    cost_jpy_kwh: tuple[PriceJpy, ...] = (8.1, 9.3, 10.1, 11.7)
    type: Literal["free", "coal", "gtcc", "oil"] = "free"
    min_load: Probability | None = None
    ramp: Probability | None = None
    start_cost_jpy: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    min_up_hours: Hours | None = None
    min_down_hours: Hours | None = None
    co2_g_kwh: Annotated[int, Field(ge=0, le=10_000)] | None = None
    idle_jpy_kwh: PriceJpy | None = None
    idle_g_kwh: Annotated[int, Field(ge=0, le=10_000)] | None = None

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.units_kw)

    @property
    def is_limited(self) -> bool:
        """Whether anything is said of limits, starts or CO2."""
        said = self.later - {"name", "type"}
        return self.type != "free" or any(getattr(self, key) is not None for key in said)


GroupSpec = LoadsSpec | MallSpec | ThermalSpec


def party_names(group: GroupSpec) -> tuple[str, ...]:
    """Names of a group's parties: numbered from 1; a single plant bears the group's name."""
    if isinstance(group, MallSpec) and group.count == 1:
        return (group.name,)
    return tuple(f"{group.name}-{number}" for number in range(1, group.count + 1))
