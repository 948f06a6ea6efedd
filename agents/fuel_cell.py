"""Home fuel cells as array steps on integers [Wh per slot]: electricity as far as its heat finds room.

Gas is counted by its lower heating value. Output y burns ceil(y / electrical efficiency), and the heat is rounded down,
so losses are never negative. Shares and sizes are those of nichidankyo.gr.jp/toku/chapter02/2_02.html: Aisin SOFC with
700 W, 51 % electrical and 85 % in total, 28 L, running day and night; Panasonic PEFC with 300 to 700 W, 38 and 57 %,
140 L.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.hot_water import STANDING_LOSS_PPM, serve_heat, tank_heat_wh, tank_room
from market.units import PPM, Int

Mask = npt.NDArray[np.bool_]

BOILER_PPM = 900_000
"""Efficiency of the burner that makes up for missing heat (assumption)."""
GAS_G_KWH = 199
"""CO2 of city gas [g per kWh of lower heating value]: 0.0136 t C/GJ x 44/12 = 49.9 g/MJ (Ministry of the Environment,
higher heating value 45 MJ/m3), 40.6 MJ/m3 of lower heating value."""


@dataclass(frozen=True)
class FuelCell:
    """Fuel-cell columns, any common shape; most_wh of zero means none.

    most_wh and least_wh [Wh of electricity per slot while it runs]; electric_ppm, heat_ppm and boiler_ppm of the gas
    energy; tank_wh heat the tank holds; lost_ppm its loss per slot; always_on: it cannot stop, so that a surplus of
    electricity heats the tank and a surplus of heat is let out; exports: it may make more than the home uses.
    """

    most_wh: Int
    least_wh: Int
    electric_ppm: Int
    heat_ppm: Int
    boiler_ppm: Int
    tank_wh: Int
    lost_ppm: Int
    always_on: Mask
    exports: Mask


@dataclass(frozen=True)
class FuelCellStep:
    """What a slot of a fuel cell gives, (...,) [Wh].

    output_wh electricity; gas_wh burnt, for missing heat too; heat_wh made by the cell and by its surplus electricity;
    backup_wh heat of the burner; vented_wh heat let out; held_wh heat in the tank after the slot.
    """

    output_wh: Int
    gas_wh: Int
    heat_wh: Int
    backup_wh: Int
    vented_wh: Int
    held_wh: Int


@dataclass(frozen=True)
class FuelCellType:
    """One product: power [Wh per slot], efficiencies [ppm], tank [litres]."""

    name: str
    most_wh: int
    least_wh: int
    electric_ppm: int
    heat_ppm: int
    litres: int
    always_on: bool


SOFC = FuelCellType("SOFC", 350, 25, 510_000, 340_000, 28, True)
"""Its least output, 50 W, is an assumption."""
PEFC = FuelCellType("PEFC", 350, 150, 380_000, 570_000, 140, False)


def fuel_cells(types: tuple[FuelCellType | None, ...], exports: bool = False) -> FuelCell:
    """Columns (parties,) of these products; None where a home has no fuel cell."""
    none = FuelCellType("none", 0, 0, PPM, 0, 0, False)
    rows = [cell or none for cell in types]
    size = np.ones(len(rows), np.int64)
    return FuelCell(
        most_wh=np.array([row.most_wh for row in rows], np.int64),
        least_wh=np.array([row.least_wh for row in rows], np.int64),
        electric_ppm=np.array([row.electric_ppm for row in rows], np.int64),
        heat_ppm=np.array([row.heat_ppm for row in rows], np.int64),
        boiler_ppm=size * BOILER_PPM,
        tank_wh=np.array([tank_heat_wh(row.litres) for row in rows], np.int64),
        lost_ppm=size * STANDING_LOSS_PPM,
        always_on=np.array([row.always_on for row in rows]),
        exports=np.array([exports] * len(rows)),
    )


def output_limit(cell: FuelCell, held_wh: Int, demand_wh: Int) -> Int:
    """Most electricity whose heat the tank and the slot's demand take [Wh]; the tank leads."""
    room = tank_room(held_wh, cell.lost_ppm, cell.tank_wh, demand_wh)
    gas = ((room + 1) * PPM - 1) // np.maximum(cell.heat_ppm, 1)
    led = np.where(cell.heat_ppm > 0, gas * cell.electric_ppm // PPM, cell.most_wh)
    return np.minimum(cell.most_wh, led)


def run_fuel_cell(cell: FuelCell, held_wh: Int, demand_wh: Int, wanted_wh: Int) -> FuelCellStep:
    """Make as much of `wanted_wh` >= 0 as the tank allows, and serve the heat demand of the slot.

    Below its least output a cell that can stop stands still; one that cannot runs at its least, and what is not
    wanted of that becomes heat. It starts and stops within a slot (assumption).
    """
    wanted = np.maximum(wanted_wh, 0)
    made = np.minimum(wanted, output_limit(cell, held_wh, demand_wh))
    made = np.where(made < cell.least_wh, np.where(cell.always_on, cell.least_wh, 0), made)
    output = np.minimum(made, wanted)
    burnt = -(-made * PPM // np.maximum(cell.electric_ppm, 1))
    heat = burnt * cell.heat_ppm // PPM + made - output
    held, backup, vented = serve_heat(held_wh, cell.lost_ppm, heat, cell.tank_wh, demand_wh)
    gas = burnt - (-backup * PPM // np.maximum(cell.boiler_ppm, 1))
    return FuelCellStep(output, gas, heat, backup, vented, held)


def gas_cost(gas_wh: Int, gas_mjpy_kwh: Int | int) -> Int:
    """Cost of gas energy, lower heating value [uJPY]."""
    return gas_wh * gas_mjpy_kwh
