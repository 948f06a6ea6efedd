"""What DGCs command, what devices deliver and what meters say of it."""

import numpy as np
import pytest

from agents.fleet import Role
from agents.forecasting import seasonal_naive
from agents.metering import read_series
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.world import Step, World
from market.settlement import PostingKind


def run(settings: dict[str, object], design: str = "dgp", worlds: int = 2) -> tuple[World, list[Step]]:
    """A day of the reference scenario under these settings."""
    world = open_world(load_scenario("urawa-misono", settings), design, worlds, 4, days=1, ledger="off")
    world.reset()
    return world, [world.step() for _ in range(world.slots)]


def test_the_set_point_is_what_the_meter_needs_to_follow_the_plan() -> None:
    """Battery: plan - load + PV within its power, nothing where there is none; solar: all there is."""
    world, steps = run({})
    power = world.fleet.battery.power_wh
    for t, step in enumerate(steps):
        load, solar = world.episode.load_wh[..., t], world.episode.solar_wh[..., t]
        wanted = np.clip(world.plan_wh[..., t] - load + solar, -power, power)
        assert (step.set_point_wh[..., 0] == wanted).all()
        assert (step.set_point_wh[..., 1] == solar).all()
    assert (world.set_point_wh == steps[-1].set_point_wh).all()


def test_a_thermal_unit_that_sold_more_than_it_can_is_short_of_the_rest() -> None:
    """Over a slow link it offers again what it has sold; it runs at its limit and pays for what is missing."""
    world, steps = run({"link.late": 0.5})
    units = world.fleet.rows(Role.THERMAL)
    sold = -world.plan_wh[:, units, : world.slots]
    made = -np.stack([step.reading_wh[:, units] for step in steps], axis=-1)
    assert (made == np.minimum(sold, world.fleet.thermal_wh[units, None])).all()
    assert (sold > made).any()
    paid = np.stack([step.money_ujpy[:, units, PostingKind.IMBALANCE] for step in steps], axis=-1)
    assert (paid[sold > made] < 0).all()
    assert (paid[sold == made] == 0).all()


@pytest.mark.parametrize("resolution", [10, 100, 1_000, 100_000])
def test_meters_say_whole_steps_and_lose_no_energy(resolution: int) -> None:
    """Readings over the day are what was used, to less than one step; retailers have no meter."""
    metered, exact = run({"meter.resolution_wh": resolution}), run({})
    senders = exact[0].fleet.role != Role.RETAILER
    for (_, steps), step in ((metered, resolution), (exact, 1)):
        readings = np.stack([s.reading_wh for s in steps])
        assert (readings[..., senders] % step == 0).all()
    world, steps = metered
    net = (world.episode.load_wh - world.episode.solar_wh)[:, :, : world.slots].sum(-1)
    stores = world.fleet.rows(Role.STORE)
    missing = (net - sum(s.reading_wh for s in steps))[:, stores]
    assert (missing >= 0).all()
    assert (missing < resolution).all()


def test_a_dgc_forecasts_from_what_its_meter_said() -> None:
    """With 0.1 kWh steps the history is the register's, and the forecast is made of it."""
    coarse, exact = (run(settings)[0].episode for settings in ({"meter.resolution_wh": 100}, {}))
    whole = np.concatenate([exact.history_wh, exact.load_wh], -1)
    seen = read_series(whole, 100)
    assert (coarse.history_wh == seen[..., : coarse.history_wh.shape[-1]]).all()
    stores = slice(5, 10)
    assert (coarse.net_forecast_wh[:, stores] == seasonal_naive(seen, 48)[:, stores]).all()
    assert (coarse.load_seen_wh == seen[..., coarse.history_wh.shape[-1] :]).all()
    assert (coarse.load_wh == exact.load_wh).all()


def test_a_longer_lag_lets_a_dgc_know_less() -> None:
    """Ten slots: the last seven half hours of the two days ahead repeat the day before; nearer ones stay."""
    slow, usual = (
        open_world(load_scenario("urawa-misono", settings), ledger="off", days=1, seed=4)
        for settings in ({"meter.lag_slots": 10}, {})
    )
    slow.reset()
    usual.reset()
    late, early = slow.view(Role.STORE).net_wh, usual.view(Role.STORE).net_wh
    assert (late[..., :89] == early[..., :89]).all()
    assert (late[..., 89:96] == early[..., 89 - 48 : 96 - 48]).all()


def test_a_plant_that_curtails_to_contract_never_gives_more_than_planned() -> None:
    """Paper 3.3: its long imbalance is gone; what is cut is what it would have given beyond the plan."""
    curtailing, free = run({"mall.curtail_to_contract": True}), run({})
    cut = 0
    for t, (mine, other) in enumerate(zip(curtailing[1], free[1], strict=True)):
        plan = curtailing[0].plan_wh[:, 10, t]
        solar = curtailing[0].episode.solar_wh[:, 10, t]
        assert (mine.reading_wh[:, 10] == np.maximum(-solar, np.minimum(plan, 0))).all()
        assert (mine.set_point_wh[:, 10, 1] == -mine.reading_wh[:, 10]).all()
        cut += int((mine.reading_wh - other.reading_wh)[:, 10].sum())
    assert cut > 0
