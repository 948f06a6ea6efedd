"""Learning: the training reward, small trainings whose answer is known, resuming, and what judging means."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from agents.fleet import Role
from agents.policies import TRUTHFUL_POLICY, mark_up
from agents.quoting import TRUTHFUL
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from envs.world import World
from experiments.compare import compare_designs
from experiments.evaluate import Judge, find_bar, gain_of, t_interval
from experiments.learning import TwinVecEnv, settings_of
from experiments.study import with_wear
from experiments.train import Task, make_task, train_role
from market.design import DESIGNS, find_design
from market.errors import ConfigError

ROLLOUT = 48 * 64


def twin_env(scenario: Scenario, year: PublicYear, role: Role, **changes: float) -> TwinVecEnv:
    """Three worlds of a day beside their truthful twins."""
    settings = replace(settings_of(role), **changes)
    mine, twin = (World(scenario, find_design("dgp"), 3, 5, year=year, days=1, ledger="off") for _ in range(2))
    return TwinVecEnv(mine, twin, role, settings)


def play_day(env: TwinVecEnv, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of training rewards per slot in a day, and of plain money per party, both in JPY."""
    env.reset()
    rewards, money = np.zeros(env.num_envs), 0.0
    step_world = env.world.step

    def watched(actions):
        nonlocal money
        step = step_world(actions)
        money = money + step.reward_ujpy[:, env.rows]
        return step

    env.world.step = watched
    for _ in range(env.world.slots):
        env.step_async(action)
        _, reward, _, _ = env.step_wait()
        rewards += reward * env.scale_jpy
    return rewards, np.asarray(money).reshape(-1) / 1e6


def test_a_truthful_learner_is_rewarded_with_nothing(scenario: Scenario, year: PublicYear) -> None:
    """Its twin does the same, so money and holdings never differ."""
    env = twin_env(scenario, year, Role.HOME)
    rewards, _ = play_day(env, np.tile(np.array(TRUTHFUL, np.float32), (env.num_envs, 1)))
    assert not rewards.any()


def test_undiscounted_rewards_sum_to_money_above_the_twin(scenario: Scenario, year: PublicYear) -> None:
    """The potential cancels over an episode: what is left is the gain (gamma one)."""
    env = twin_env(scenario, year, Role.HOME, gamma=1.0)
    action = np.tile(np.array([0.6, 0.2, -1.0, -0.8], np.float32), (env.num_envs, 1))
    rewards, money = play_day(env, action)
    calm = twin_env(scenario, year, Role.HOME)
    _, truthful = play_day(calm, np.tile(np.array(TRUTHFUL, np.float32), (calm.num_envs, 1)))
    np.testing.assert_allclose(rewards, money - truthful, atol=1e-3)
    assert np.abs(rewards).max() > 1


def mall_task(scenario: Scenario, year: PublicYear, steps: int) -> Task:
    """The mall from half the band up; asking more is known to be better, as buyers have nowhere else to go."""
    task = make_task(scenario, find_design("dgp"), year, Role.SOLAR, steps=steps)
    start = replace(task.settings, start_action=(0.0, 0.0, 0.0, 0.0), minibatch=256, learning_rate=3e-3)
    return replace(task, settings=start)


@pytest.fixture(scope="module")
def learned(scenario: Scenario, year: PublicYear, tmp_path_factory: pytest.TempPathFactory):
    """A short training of the mall."""
    folder = tmp_path_factory.mktemp("mall")
    return train_role(mall_task(scenario, year, 6 * ROLLOUT), folder), folder


def test_a_short_training_raises_the_gain_on_held_out_days(learned) -> None:
    """The mall starts at about half the best gain and moves up."""
    training, _ = learned
    first, last = training.curve[0].gain.mean, training.curve[-1].gain.mean
    assert first > 0
    assert last > 1.05 * first


def test_the_exported_policy_gains_what_the_curve_said(learned, scenario: Scenario, year: PublicYear) -> None:
    """The last point was judged with the network in training, this one with the file a device gets."""
    training, _ = learned
    judge = Judge(scenario, find_design("dgp"), year)
    gain = judge.play({Role.SOLAR: training.policy.policy}).of_role(Role.SOLAR) - judge.play().of_role(Role.SOLAR)
    assert gain.mean() == pytest.approx(training.curve[-1].gain.mean, rel=1e-3)


def test_a_finished_training_is_not_done_again(learned, scenario: Scenario, year: PublicYear) -> None:
    """Without resume it is refused, with it the same policy comes back."""
    training, folder = learned
    task = mall_task(scenario, year, 6 * ROLLOUT)
    with pytest.raises(ConfigError, match="here already"):
        train_role(task, folder)
    with pytest.raises(ConfigError, match="another seed"):
        train_role(replace(task, seed=7), folder, resume=True)
    again = train_role(task, folder, resume=True)
    assert again.policy.sha256 == training.policy.sha256
    assert again.curve == training.curve


def test_the_same_seed_trains_the_same_policy(scenario: Scenario, year: PublicYear, tmp_path: Path) -> None:
    """Bytes of the export repeat; another seed gives others."""
    task = mall_task(scenario, year, ROLLOUT)
    one, two = (train_role(task, tmp_path / name, curve=False) for name in ("one", "two"))
    other = train_role(replace(task, seed=1), tmp_path / "other", curve=False)
    assert one.policy.path.read_bytes() == two.policy.path.read_bytes()
    assert other.policy.path.read_bytes() != one.policy.path.read_bytes()


def test_an_interrupted_training_goes_on_from_its_checkpoint(
    scenario: Scenario, year: PublicYear, tmp_path: Path
) -> None:
    """Ctrl-C loses what came after the last checkpoint, nothing else."""
    task = mall_task(scenario, year, 5 * ROLLOUT)

    def stop(done: int, _: int) -> None:
        if done >= 3 * ROLLOUT:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_role(task, tmp_path, curve=False, progress=stop)
    assert (tmp_path / "solar-checkpoint.zip").exists()
    seen = []
    training = train_role(task, tmp_path, curve=False, resume=True, progress=lambda done, _: seen.append(done))
    assert seen[0] > 0
    assert training.steps == 5 * ROLLOUT
    assert not (tmp_path / "solar-checkpoint.zip").exists()


def test_nothing_can_be_learned_without_a_market(scenario: Scenario, year: PublicYear) -> None:
    """Neither in a design that takes no orders, nor as a retailer."""
    with pytest.raises(ConfigError, match="takes no orders"):
        make_task(scenario, find_design("retail"), year, Role.HOME)
    with pytest.raises(ConfigError, match="do not bid"):
        make_task(scenario, find_design("dgp"), year, Role.RETAILER)


def test_the_bar_is_the_best_of_the_fixed_mark_ups(scenario: Scenario, year: PublicYear) -> None:
    """Its gain is the largest of the sweep, and truthful gains nothing."""
    judge = Judge(scenario, find_design("dgp"), year, worlds=3, days=2)
    bar = find_bar(judge, Role.SOLAR)
    assert bar.swept[bar.fraction] == max(bar.swept.values()) == pytest.approx(bar.gain.mean())
    assert not gain_of(judge, bar, TRUTHFUL_POLICY).any()
    assert gain_of(judge, bar, mark_up(bar.fraction)).mean() == pytest.approx(bar.gain.mean())


def test_intervals_are_those_of_student() -> None:
    """Mean and 95 % bounds as scipy gives them; one value has no interval."""
    values = [3.0, 5.0, 4.0, 8.0]
    found = t_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=5.0, scale=stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((5.0, low, high))
    assert t_interval([2.0]).low is None


def test_wear_costs_who_discharges(scenario: Scenario, year: PublicYear) -> None:
    """The same bidders have less money with wear, and only homes do."""
    free, worn = (
        Judge(world, find_design("dgp"), year, worlds=2, days=2).play() for world in (scenario, with_wear(scenario, 5))
    )
    assert (worn.of_role(Role.HOME) < free.of_role(Role.HOME)).all()
    assert worn.wear[:, worn.roles == Role.HOME].all()
    assert not worn.wear[:, worn.roles != Role.HOME].any()


def test_designs_are_compared_on_the_same_days(scenario: Scenario, year: PublicYear) -> None:
    """Scarce lines cost trade in every market design; without a market the retailer serves all."""
    found = compare_designs(scenario, year, {"truthful": {}}, designs=DESIGNS, worlds=2, days=3)
    by_name = {result.design: result for result in found.results}
    assert set(by_name) == set(DESIGNS)
    assert by_name["dgp"].never_formed_kwh_day > 0
    assert by_name["call"].cancelled_kwh_day > 0
    assert by_name["spot"].rent_jpy_day > 0
    assert by_name["retail"].traded_kwh_day == 0
    assert by_name["retail"].last_resort_kwh_day > by_name["dgp"].last_resort_kwh_day
