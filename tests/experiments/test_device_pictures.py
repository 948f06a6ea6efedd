"""The picture of the devices: every panel is drawn from the devices' own steps, and shows what its title says."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import device_pictures
from experiments.device_pictures import DAY, PANELS, SHOWN, draw_devices, home_days, main


@pytest.fixture(scope="module")
def axes() -> list[Axes]:
    """The panels, without the scales at their right."""
    return [axis for axis in draw_devices().axes if axis.get_title(loc="left")]


def values_of(axis: Axes, name: str) -> np.ndarray:
    """What a panel draws under a name [kWh in each slot]."""
    handles, names = axis.get_legend_handles_labels()
    return np.asarray(handles[names.index(name)].get_data().values)


def test_the_picture_has_a_panel_for_each_device(axes: list[Axes]) -> None:
    """Six panels with a title, a legend and something drawn."""
    assert len(axes) == len(PANELS) == 6
    assert all(axis.get_legend() is not None and axis.patches for axis in axes)


def test_the_picture_is_written_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file; the command says where."""
    monkeypatch.setattr(device_pictures, "draw_devices", Figure)
    main(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["devices.png"]


def test_the_cheapest_slots_cost_less_than_charging_at_once(axes: list[Axes]) -> None:
    """The same energy, for less money at the prices drawn."""
    price = home_days().price[DAY + DAY // 2 : 2 * DAY + DAY // 2]
    at_once, cheapest = values_of(axes[1], "at once"), values_of(axes[1], "cheapest")
    assert at_once.sum() == cheapest.sum() > 0
    assert (cheapest * price).sum() < (at_once * price).sum()


def test_the_plant_drawn_generates_no_more_than_contracted(axes: list[Axes]) -> None:
    """Generation is the smaller of sun and contract in every slot."""
    sun, contracted = (values_of(axes[5], name) for name in ("available, cut", "contracted"))
    assert (values_of(axes[5], "generated") == np.minimum(sun, contracted)).all()
    assert home_days().solar_wh[SHOWN].sum() > 0
