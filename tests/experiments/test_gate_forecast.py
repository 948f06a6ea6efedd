"""How far forecasts missed at the gate: what a run reports is what its series say."""

import numpy as np
import pytest

from envs.opening import open_world
from envs.scenario import load_scenario
from experiments.gate_forecast import SITES, GateForecasts, say_errors


@pytest.mark.parametrize("forecast", ["weather", "perfect"])
def test_a_run_reports_the_errors_of_its_series(forecast: str) -> None:
    """Without updates the forecast of every half hour after the first gate is that of the episode."""
    scenario = load_scenario("urawa-misono", {"forecast": forecast})
    world = open_world(scenario, worlds=2, seed=3, days=1, ledger="off")
    world.reset()
    forecasts, done = GateForecasts(world), False
    while not done:
        forecasts.note(world)
        done = world.step().done
    miss = world.episode.net_forecast_wh - world.episode.load_wh + world.episode.solar_wh
    for row, role in zip(forecasts.errors(), SITES, strict=True):
        own = miss[:, world.seats[role].rows, world.calendar.gate : world.slots]
        assert row.mae_wh == pytest.approx(np.abs(own).mean())
        assert row.bias_wh == pytest.approx(own.mean())
        assert (row.mae_wh > 0) == (forecast != "perfect")


def test_the_line_for_people_names_every_role() -> None:
    """Roles in order, with the sign of the bias; nothing where nothing was counted."""
    world = open_world("urawa-misono", days=1, ledger="off")
    world.reset()
    forecasts = GateForecasts(world)
    assert "nothing" in say_errors(forecasts.errors())
    forecasts.note(world)
    said = say_errors(forecasts.errors())
    assert said.index("homes") < said.index("stores") < said.index("mall")
