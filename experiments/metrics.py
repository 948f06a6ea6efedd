"""Measures: what a run is told by, from the world's tally to named figures with units.

Definitions: `bought` and `sold` are free contracts, `last resort` is energy that the area's retailer supplied or took
(最終保障), `imbalance` is the metered deviation from the plan, short and long (インバランス), `cost` is money paid less
money received, with battery wear, less what the stored energy gained is worth. Mean prices are weighted by energy.
Everything counted is integer Wh and uJPY; kWh and JPY are made from them for people only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.fleet import Role
from envs.long_contracts import long_contracts_of
from envs.scenario_schema import LineSpec, Scenario
from envs.tally import Cost, Flow
from envs.world import Step, World
from market.contracts import Source
from market.errors import Refusal
from market.opening import is_auctioned
from market.settlement import PostingKind
from market.splitting import cancelled_by_splitting_wh
from market.tables import pick_rows
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH, Int

ROLE_TITLES = {
    Role.HOME: "homes",
    Role.STORE: "stores",
    Role.SOLAR: "mall",
    Role.THERMAL: "thermal",
    Role.RETAILER: "retailers",
}
SOURCE_TITLES = {
    Source.SOLAR: "mall solar",
    Source.PROSUMER: "homes",
    Source.THERMAL: "thermal",
    Source.GRID: "stores, reselling",
}

AMPLE_KW = 1e6
"""More than any scenario of ours can send over a line [kW]."""


@dataclass(frozen=True)
class Measures:
    """Totals of one party, or of the parties of a role, over all worlds and counted slots.

    Energies [Wh], values and money [uJPY]; `cost_ujpy` is negative for who earns; `certified_kwh` are the certificates
    issued for renewable energy exported. `idle_ujpy` and `start_ujpy` of thermal units, `gas_ujpy` of fuel cells are in
    the cost; `co2_g` is what these devices emitted, where the scenario says it.
    """

    name: str
    role: str
    bought_wh: int
    bought_ujpy: int
    sold_wh: int
    sold_ujpy: int
    short_wh: int
    long_wh: int
    last_resort_supply_wh: int
    last_resort_surplus_wh: int
    import_wh: int
    export_wh: int
    cost_ujpy: int
    wear_ujpy: int
    stored_credit_ujpy: int
    refused_rows: int
    certified_kwh: int
    idle_ujpy: int
    start_ujpy: int
    gas_ujpy: int
    co2_g: int

    @property
    def bought_jpy_kwh(self) -> float | None:
        """Mean price of what was bought; None without purchase."""
        return mean_price_jpy_kwh(self.bought_ujpy, self.bought_wh)

    @property
    def sold_jpy_kwh(self) -> float | None:
        """Mean price of what was sold; None without sale."""
        return mean_price_jpy_kwh(self.sold_ujpy, self.sold_wh)

    @property
    def imbalance_wh(self) -> int:
        """Short and long together."""
        return self.short_wh + self.long_wh

    @property
    def last_resort_wh(self) -> int:
        """Supply and surplus together."""
        return self.last_resort_supply_wh + self.last_resort_surplus_wh

    @property
    def co2_g_kwh(self) -> float | None:
        """CO2 per kWh delivered of who only delivers; None for others, whose devices serve themselves first."""
        return self.co2_g * WH_PER_KWH / self.export_wh if self.export_wh and not self.import_wh else None

    @property
    def cost_jpy(self) -> float:
        """Cost for people."""
        return self.cost_ujpy / UJPY_PER_JPY


@dataclass(frozen=True)
class Totals:
    """Totals of the market over all worlds and counted slots.

    `traded_wh` has the long contracts too, which are `long_wh` of it. `cancelled_wh` is what would have traded without
    line limits less what did, for the same orders; None where the design does not split areas.
    """

    worlds: int
    slots: int
    traded_wh: int
    traded_ujpy: int
    split_slots: int
    rent_ujpy: int
    cancelled_wh: int | None
    refused: dict[str, int]
    long_wh: int = 0
    long_ujpy: int = 0

    @property
    def split_share(self) -> float:
        """Share of the slots in which a line was full."""
        return self.split_slots / max(self.slots * self.worlds, 1)


def long_figures(totals: Totals) -> dict[str, float | None]:
    """Energy and mean price of long contracts, for `metrics.json`; nothing without any."""
    if not totals.long_wh:
        return {}
    mean = mean_price_jpy_kwh(totals.long_ujpy, totals.long_wh)
    return {"long_contracts_kwh": kwh(totals.long_wh), "long_contracts_mean_jpy_kwh": mean}


def say_long(totals: Totals) -> str:
    """What of the trade were long contracts, for people; nothing without any."""
    if not totals.long_wh:
        return ""
    left_wh, left_ujpy = totals.traded_wh - totals.long_wh, totals.traded_ujpy - totals.long_ujpy
    means = (mean_price_jpy_kwh(totals.long_ujpy, totals.long_wh), mean_price_jpy_kwh(left_ujpy, left_wh))
    agreed, rest = ("-" if mean is None else f"{mean:.2f}" for mean in means)
    return (
        f"{kwh(totals.long_wh):,.1f} kWh at {agreed} by long contracts, {kwh(left_wh):,.1f} kWh at {rest} in the market"
    )


def mean_price_jpy_kwh(value_ujpy: int, energy_wh: int) -> float | None:
    """Value over energy, for people; None where there is no energy."""
    return value_ujpy / energy_wh / MJPY_PER_JPY if energy_wh else None


def kwh(energy_wh: int) -> float:
    """Energy for people."""
    return energy_wh / WH_PER_KWH


def measure_parties(world: World) -> list[Measures]:
    """Measures of every party, in the order of the fleet."""
    roles, money = world.fleet.role, world.tally.money_of_parties()
    return [
        _measure(world, name, Role(int(roles[row])), slice(row, row + 1), money)
        for row, name in enumerate(world.fleet.names)
    ]


def measure_roles(world: World) -> list[Measures]:
    """Measures of every role that has parties."""
    money = world.tally.money_of_parties()
    return [_measure(world, ROLE_TITLES[role], role, seat.rows, money) for role, seat in world.seats.items()]


def measure_totals(world: World, refused: Int, cancelled_wh: int | None = None) -> Totals:
    """Totals of the market; `refused` (256,) counts order rows by `Refusal` code."""
    tally = world.tally
    lines = slice(world.accounts.parties, world.accounts.parties + len(world.grid.lines))
    agreed = long_contracts_of(world)
    agreed = pick_rows(agreed, agreed["slot"] >= (world.episode.first_slot + world.warm_up)[agreed["world"]])
    return Totals(
        worlds=world.worlds,
        slots=world.t - world.warm_up,
        traded_wh=int(tally.energy_wh[..., Flow.BOUGHT].sum()),
        traded_ujpy=int(tally.value_ujpy[..., Flow.BOUGHT].sum()),
        split_slots=int(tally.split.sum()),
        rent_ujpy=int(tally.money_ujpy[:, lines, PostingKind.RENT].sum()),
        cancelled_wh=cancelled_wh,
        refused={name_of_code(code): int(refused[code]) for code in map(int, np.flatnonzero(refused)) if code},
        long_wh=int(agreed["energy"].sum()),
        long_ujpy=int((agreed["energy"] * agreed["buy_price"]).sum()),
    )


def cancelled_in_step(world: World, step: Step, flow_before_wh: Int) -> int:
    """Energy of this step's auctions cancelled by splitting, all worlds together [Wh]; splitting designs only."""
    live = step.given[step.codes == 0]
    if world.design.accepts == "sessions":
        live = live[is_auctioned(world.calendar, world.now[live["world"]] - 1, live["slot"])]
    if not len(live):
        return 0
    return int(cancelled_by_splitting_wh(world.design, world.grid, live, step.capacity_wh, flow_before_wh).sum())


def without_limits(scenario: Scenario) -> Scenario:
    """The same scenario with lines that never fill: what would trade there less what trades never formed."""
    # made anew: a copy would keep the capacities the line has already worked out
    lines = tuple(
        LineSpec(name=line.name, source=line.source, target=line.target, forward_kw=AMPLE_KW, backward_kw=AMPLE_KW)
        for line in scenario.lines
    )
    return scenario.model_copy(update={"lines": lines, "outages": ()})


def name_of_code(code: int) -> str:
    """A refusal code as people read it."""
    return Refusal(int(code)).name.lower().replace("_", "-")


def _measure(world: World, name: str, role: Role, rows: slice, money_ujpy: Int) -> Measures:
    tally = world.tally
    energy = tally.energy_wh[:, rows].sum((0, 1))
    value = tally.value_ujpy[:, rows].sum((0, 1))
    return Measures(
        name=name,
        role=ROLE_TITLES[role],
        bought_wh=int(energy[Flow.BOUGHT]),
        bought_ujpy=int(value[Flow.BOUGHT]),
        sold_wh=int(energy[Flow.SOLD]),
        sold_ujpy=int(value[Flow.SOLD]),
        short_wh=int(energy[Flow.SHORT]),
        long_wh=int(energy[Flow.LONG]),
        last_resort_supply_wh=int(energy[Flow.RESORT_SUPPLY]),
        last_resort_surplus_wh=int(energy[Flow.RESORT_SURPLUS]),
        import_wh=int(energy[Flow.IMPORT]),
        export_wh=int(energy[Flow.EXPORT]),
        cost_ujpy=-int(money_ujpy[:, rows].sum()),
        wear_ujpy=int(tally.wear_ujpy[:, rows].sum()),
        stored_credit_ujpy=int(tally.credit_ujpy[:, rows].sum()),
        refused_rows=int(tally.refused[:, rows].sum()),
        certified_kwh=int(tally.certificates_kwh(world.fleet.certified, rows).sum()),
        idle_ujpy=int(tally.cost_ujpy[:, rows, Cost.IDLE].sum()),
        start_ujpy=int(tally.cost_ujpy[:, rows, Cost.START].sum()),
        gas_ujpy=int(tally.cost_ujpy[:, rows, Cost.GAS].sum()),
        co2_g=int(tally.co2_g[:, rows].sum()),
    )


def say_devices(roles: Sequence[Measures], traded_wh: int) -> list[str]:
    """Lines about what devices emitted and cost their owners, for people; none where they did nothing of it."""
    lines, emitted = [], sum(row.co2_g for row in roles)
    if emitted:
        parts = (f"{row.name} {row.co2_g / 1000:,.1f} kg" + _per_kwh(row.co2_g_kwh) for row in roles if row.co2_g)
        mean = f"; {emitted * WH_PER_KWH / traded_wh:,.0f} g for each kWh traded" if traded_wh else ""
        lines.append(f"CO2          {', '.join(parts)}{mean}")
    costs = {"idling": "idle_ujpy", "starts": "start_ujpy", "gas": "gas_ujpy"}
    sums = {name: sum(getattr(row, key) for row in roles) / UJPY_PER_JPY for name, key in costs.items()}
    if any(sums.values()):
        lines.append("devices      " + ", ".join(f"{name} {jpy:,.0f} JPY" for name, jpy in sums.items() if jpy))
    return lines


def _per_kwh(grams: float | None) -> str:
    return "" if grams is None else f" ({grams:,.0f} g per kWh delivered)"


def figures_of(row: Measures) -> dict[str, object]:
    """A row as a program reads it."""
    return {
        "name": row.name,
        "role": row.role,
        "bought_kwh": kwh(row.bought_wh),
        "bought_mean_jpy_kwh": row.bought_jpy_kwh,
        "sold_kwh": kwh(row.sold_wh),
        "sold_mean_jpy_kwh": row.sold_jpy_kwh,
        "short_kwh": kwh(row.short_wh),
        "long_kwh": kwh(row.long_wh),
        "last_resort_supply_kwh": kwh(row.last_resort_supply_wh),
        "last_resort_surplus_kwh": kwh(row.last_resort_surplus_wh),
        "import_kwh": kwh(row.import_wh),
        "export_kwh": kwh(row.export_wh),
        "cost_jpy": row.cost_jpy,
        "wear_jpy": row.wear_ujpy / UJPY_PER_JPY,
        "stored_credit_jpy": row.stored_credit_ujpy / UJPY_PER_JPY,
        "refused_rows": row.refused_rows,
        "certified_kwh": row.certified_kwh,
        "idle_jpy": row.idle_ujpy / UJPY_PER_JPY,
        "start_jpy": row.start_ujpy / UJPY_PER_JPY,
        "gas_jpy": row.gas_ujpy / UJPY_PER_JPY,
        "co2_kg": row.co2_g / 1000,
        "co2_g_kwh": row.co2_g_kwh,
    }


def money_rows(world: World) -> tuple[Sequence[str], list[list[object]]]:
    """Header and rows of all postings by account and kind [uJPY], summed over worlds."""
    header = ["account", *(f"{kind.name.lower()}_ujpy" for kind in PostingKind)]
    money = world.tally.money_ujpy.sum(0)
    return header, [[name, *map(int, money[row])] for row, name in enumerate(world.accounts.names)]
