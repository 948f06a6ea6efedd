"""What a run tells of devices: lines for people, columns of its tables."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.simulate import Simulation, make_order, simulate
from experiments.trace import read_trace

DEVICES: dict[str, object] = {
    "homes.vehicle": {},
    "homes.fuel_cell": {"type": "pefc"},
    "homes.count": 2,
    "thermal.type": "gtcc",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A day of the reference scenario with devices, in a run folder."""
    folder = tmp_path_factory.mktemp("run") / "devices"
    return simulate(make_order("urawa-misono", days=1, settings=DEVICES, ledger="off"), folder)


def test_emissions_and_own_costs_are_said_by_role(told: Simulation) -> None:
    """Grams of CO2 by role, for each kWh sold and traded; idling, starts and gas in JPY; all part of the cost."""
    out = StringIO()
    told.print(Console(file=out, width=200))
    lines = {line.split()[0]: line for line in out.getvalue().splitlines() if line.split()}
    assert "homes" in lines["CO2"]
    assert "thermal" in lines["CO2"]
    assert "for each kWh traded" in lines["CO2"]
    assert all(word in lines["devices"] for word in ("idling", "starts", "gas"))
    homes, thermal = (next(row for row in told.roles if row.name == name) for name in ("homes", "thermal"))
    assert homes.gas_ujpy > 0
    assert homes.idle_ujpy == homes.start_ujpy == thermal.gas_ujpy == 0
    assert thermal.co2_g_kwh
    assert 310 <= thermal.co2_g_kwh < 410
    assert homes.co2_g_kwh is None


def test_set_points_and_states_are_in_the_tables(told: Simulation) -> None:
    """Cars, tanks, set points and running units slot by slot, as read back from the run folder."""
    trace = read_trace(Path(told.folder) / "tables")
    for what in ("vehicle_wh", "tank_wh", "vehicle_set_wh", "fuel_cell_set_wh"):
        assert set(trace.of_devices(what)) == {"home-1", "home-2"}
    assert not trace.of_devices("heater_set_wh")
    for name, running in trace.of_devices("running").items():
        assert ((trace.of_devices("output_wh")[name] > 0) == (running > 0)).all()
    assert np.max(trace.of_devices("fuel_cell_set_wh")["home-1"]) <= 350
