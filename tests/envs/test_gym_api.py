import subprocess
import sys
import warnings
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from pettingzoo.test import parallel_api_test, parallel_seed_test
from stable_baselines3.common.env_checker import check_env as check_env_sb3
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import envs
from agents.fleet import Role
from agents.observing import WIDTH
from envs.information import step_info
from envs.opening import open_world
from envs.parallel_env import DigitalGridParallelEnv
from envs.reward import REWARD_SCALE_JPY, reward_of
from envs.sb3 import MarketVecEnv
from envs.single_env import DigitalGridEnv
from envs.vector_env import MarketVectorEnv
from market.errors import ConfigError, Refusal

ID = "digitalgrid/UrawaMisono-v0"
DAY = 48


@pytest.fixture
def no_warnings() -> Any:
    """Turn every warning of a test into an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize("design", ["dgp", "spot"])
def test_the_gymnasium_checker_has_nothing_to_say(design: str) -> None:
    """Spaces, seeding, determinism, data types and render modes, without a warning."""
    check_env(gymnasium.make(f"envs:{ID}", design=design, days=1).unwrapped)


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize("party", ["home-3", "mall"])
def test_the_sb3_checker_has_nothing_to_say(party: str) -> None:
    """Neither an error nor a warning."""
    check_env_sb3(DigitalGridEnv(party, days=1))


@pytest.mark.usefixtures("no_warnings")
def test_the_pettingzoo_checkers_have_nothing_to_say() -> None:
    """API and seeding, over the end of an episode."""
    parallel_api_test(DigitalGridParallelEnv(days=1), num_cycles=DAY + 2)
    parallel_seed_test(lambda: DigitalGridParallelEnv(days=1), num_cycles=DAY + 2)


def test_every_agent_gets_a_reward_at_every_step() -> None:
    """The checkers miss a missing reward; here all 15 parties have one until the end."""
    env = DigitalGridParallelEnv(days=1)
    env.reset(seed=1)
    assert len(env.agents) == 15
    everyone = set(env.possible_agents)
    while env.agents:
        answers = env.step({name: env.action_space(name).sample() for name in env.agents})
        assert all(set(answer) == everyone for answer in answers)
    assert all(answers[3].values())
    with pytest.raises(ResetNeeded):
        env.step({})


def test_importing_envs_is_light_and_registers_every_scenario() -> None:
    """No learner, kernel, solver or table library is loaded before an environment is made."""
    heavy = "torch stable_baselines3 numba pvlib mesa pandas scipy highspy matplotlib pettingzoo onnxruntime pydantic"
    code = (
        f"import sys, envs, gymnasium; assert '{ID}' in gymnasium.registry\n"
        f"print(*set('{heavy}'.split()) & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
    assert envs.__doc__


def test_making_and_stepping_an_environment_loads_no_learner() -> None:
    """A worker process needs neither torch nor SB3 nor Mesa."""
    code = (
        f"import sys, gymnasium, envs.parallel_env; env = gymnasium.make('envs:{ID}', days=1); env.reset(seed=1)\n"
        "env.step(env.action_space.sample())\n"
        "print(*{'torch', 'stable_baselines3', 'mesa', 'matplotlib', 'onnxruntime'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


def test_the_vector_environment_equals_copies_of_the_single_one() -> None:
    """Observations, rewards, ends and infos of make_vec equal those of SyncVectorEnv, over an episode's end."""
    ours = gymnasium.make_vec(f"envs:{ID}", num_envs=3, days=1)
    copies = gymnasium.make_vec(f"envs:{ID}", num_envs=3, vectorization_mode="sync", days=1)
    assert isinstance(ours.unwrapped, MarketVectorEnv)
    ours.action_space.seed(5)
    np.testing.assert_array_equal(ours.reset(seed=5)[0], copies.reset(seed=5)[0])
    for _ in range(DAY):
        actions = ours.action_space.sample()
        got, expected = ours.step(actions), copies.step(actions)
        for mine, other in zip(got[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(mine, other)
        for key in ("content_head", "accepts", "slot", "outside_jpy_kwh"):
            np.testing.assert_array_equal(got[4][key], expected[4][key])
        np.testing.assert_array_equal(got[4]["money_jpy"]["last_resort"], expected[4]["money_jpy"]["last_resort"])
    assert got[3].all()


def test_infos_can_be_read_as_one_dictionary_per_world() -> None:
    """The masks follow gymnasium's convention, so that its wrappers work; without a trade there is no price."""
    env = DictInfoToList(RecordEpisodeStatistics(MarketVectorEnv(2, design="call", days=1)))
    env.reset(seed=1)
    for _ in range(DAY):
        *_, infos = env.step(env.action_space.sample())
    assert [set(info["episode"]) for info in infos] == [{"r", "l", "t"}] * 2
    assert all(info["episode"]["l"] == DAY for info in infos)
    assert all(len(info["content_head"]) == 64 for info in infos)
    single = DigitalGridEnv(design="retail", days=1)
    single.reset(seed=1)
    *_, info = single.step(single.action_space.sample())
    assert info["price_jpy_kwh"] is None
    assert info["accepts"] is False


def test_the_spot_design_says_when_it_takes_orders() -> None:
    """Orders are taken at 10:00 only; all other actions are reported as ignored."""
    env = DigitalGridEnv(design="spot", days=1)
    env.reset(seed=1)
    accepted = [step for step in range(DAY) if env.step(env.action_space.sample())[4]["accepts"]]
    assert accepted in ([], [20])
    long = DigitalGridEnv(design="spot", days=2)
    long.reset(seed=1)
    assert [step for step in range(2 * DAY) if long.step(long.action_space.sample())[4]["accepts"]] == [20]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_each_autoreset_mode_ends_and_begins_as_gymnasium_says(mode: AutoresetMode) -> None:
    """Next step: an ignored action resets; same step: final_obs; disabled: the caller resets."""
    env = MarketVectorEnv(2, autoreset_mode=mode, days=1)
    env.reset(seed=1)
    action = np.zeros((2, 4), np.float32)
    for _ in range(DAY):
        observation, _, terminated, truncated, info = env.step(action)
    assert truncated.all()
    assert not terminated.any()
    fresh = MarketVectorEnv(2, days=1).reset(seed=3)[0]
    if mode == AutoresetMode.SAME_STEP:
        np.testing.assert_array_equal(observation, fresh)
        assert info["final_info"]["money_jpy"]["stored_energy"].any()
        assert not np.array_equal(np.stack(info["final_obs"]), fresh)
    elif mode == AutoresetMode.NEXT_STEP:
        observation, reward, _, truncated, _ = env.step(action)
        np.testing.assert_array_equal(observation, fresh)
        assert not reward.any()
        assert not truncated.any()
    else:
        with pytest.raises(ResetNeeded):
            env.step(action)
        assert env.reset(options={"reset_mask": np.ones(2, np.bool_)})[0].shape == (2, WIDTH)


def test_misuse_is_answered_in_one_line() -> None:
    """A step before reset, an action that does not fit or is not a number, an unknown name."""
    env = DigitalGridEnv(days=1)
    with pytest.raises(ResetNeeded):
        env.step(env.action_space.sample())
    env.reset(seed=1)
    with pytest.raises(InvalidAction, match="do not fit"):
        env.step(np.zeros(3))
    with pytest.raises(InvalidAction, match="not a number"):
        env.step(np.full(4, np.nan))
    with pytest.raises(ConfigError, match="home-1"):
        DigitalGridEnv("home-9")
    with pytest.raises(ConfigError, match="solar"):
        DigitalGridEnv(policies={"shop": "truthful"})
    with pytest.raises(ConfigError, match="rgb_array"):
        DigitalGridEnv(render_mode="human")
    with pytest.raises(ConfigError, match="consecutive"):
        MarketVectorEnv(2).reset(seed=[4, 9])
    parallel = DigitalGridParallelEnv(days=1)
    parallel.reset(seed=1)
    with pytest.raises(ConfigError, match="every agent acts"):
        parallel.step({"mall": np.zeros(4)})


def test_a_refused_order_is_reported_by_the_name_of_its_code() -> None:
    """Info counts the party's own refused rows per world and nobody else's."""
    world = open_world(worlds=2, days=1)
    world.reset(1)
    step = world.step()
    row = len(step.given) - 1
    party, other = int(step.given["party"][row]), 0
    codes = np.zeros_like(step.codes)
    codes[row] = Refusal.OFF_TICK
    refused = {
        row: step_info(world, replace(step, codes=codes), row, accepts=True)["refused"] for row in (party, other)
    }
    np.testing.assert_array_equal(refused[party]["OFF_TICK"], [0, 1])
    assert "OFF_TICK" not in refused[other]


def test_a_day_can_be_read_as_text_and_seen_as_a_picture() -> None:
    """`ansi` has a line per step of the day; `rgb_array` is a picture that changes as the day goes on."""
    text = gymnasium.make(f"envs:{ID}", days=1, render_mode="ansi")
    text.reset(seed=1)
    for _ in range(3):
        text.step(text.action_space.sample())
    lines = str(text.render()).splitlines()
    assert len(lines) == 5
    assert "home-1 in dgp" in lines[0]
    assert "00:00" in lines[2]
    drawn = MarketVectorEnv(2, days=1, render_mode="rgb_array")
    drawn.reset(seed=1)
    before = drawn.render()
    drawn.step(np.zeros((2, 4)))
    after = drawn.render()
    assert before is not None
    assert after is not None
    assert len(after) == 2
    assert after[0].shape == (360, 480, 3)
    assert after[0].dtype == np.uint8
    assert (before[0] != after[0]).any()
    assert MarketVectorEnv(1, days=1).render() is None


def test_the_sb3_slots_are_learners_by_worlds() -> None:
    """Rows are world by world; rewards are those parties' money over the scale; the end is truncated."""
    world = open_world(worlds=3, days=1)
    twin = open_world(worlds=3, days=1)
    env = MarketVecEnv(world, Role.HOME)
    env.seed(7)
    observation = env.reset()
    twin.reset(7)
    np.testing.assert_array_equal(observation, twin.observe(Role.HOME).reshape(15, WIDTH))
    rng = np.random.default_rng(1)
    for step in range(DAY):
        actions = rng.uniform(-1, 1, (15, 4)).astype(np.float32)
        observation, rewards, dones, infos = env.step(actions)
        expected = twin.step({Role.HOME: actions.reshape(3, 5, 4)})
        money = reward_of(expected.reward_ujpy[:, :5], REWARD_SCALE_JPY[Role.HOME])
        np.testing.assert_array_equal(rewards, money.reshape(-1).astype(np.float32))
        assert dones.all() == (step == DAY - 1)
        assert not any(infos) or dones.all()
    np.testing.assert_array_equal(infos[7]["terminal_observation"], twin.observe(Role.HOME).reshape(15, WIDTH)[7])
    assert all(info["TimeLimit.truncated"] for info in infos)
    twin.reset()
    np.testing.assert_array_equal(observation, twin.observe(Role.HOME).reshape(15, WIDTH))


def test_the_sb3_wrappers_work() -> None:
    """VecMonitor counts episodes and VecNormalize normalises."""
    env = VecNormalize(VecMonitor(MarketVecEnv(open_world(worlds=2, days=1), Role.SOLAR)))
    env.reset()
    for step in range(2 * DAY):
        observation, _, dones, infos = env.step(np.zeros((2, 4), np.float32))
        assert dones.all() == ((step + 1) % DAY == 0)
    assert observation.shape == (2, WIDTH)
    assert [info["episode"]["l"] for info in infos] == [DAY, DAY]
    with pytest.raises(InvalidAction):
        env.step(np.full((2, 4), np.nan, np.float32))
