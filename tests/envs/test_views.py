from dataclasses import dataclass

import numpy as np
import pytest

from agents.fleet import Role
from agents.observing import Floats
from agents.policies import TRUTHFUL_POLICY, NetworkPolicy, Policy, Stream, ZeroIntelligence
from envs.opening import open_world
from envs.parallel_env import DigitalGridParallelEnv
from envs.sb3 import MarketVecEnv
from envs.scenario import load_scenario
from envs.single_env import DigitalGridEnv
from envs.society import Society
from envs.vector_env import MarketVectorEnv
from envs.world import World
from tests.reference.networks import make_network

SEED = 11
WORN = {"homes.battery.wear_jpy_kwh": 22.0}
DAYS = {"dgp": 1, "call": 1, "spot": 2, "retail": 1}
"""The spot auction trades the next day's slots: it needs two days."""


@dataclass(frozen=True)
class Dice:
    """All four numbers of the action at random."""

    name: str = "dice"
    needs_observation: bool = False

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Uniform in [-1, 1]."""
        return np.stack([2 * stream.uniform(salt) - 1 for salt in range(4)], -1).astype(np.float32)


CASES = (*((design, Dice()) for design in DAYS), ("dgp", TRUTHFUL_POLICY))


def everyone(policy: Policy) -> dict[str, Policy]:
    """The same policy for each role by name."""
    return dict.fromkeys(("home", "store", "solar", "thermal"), policy)


def actions_of(world: World, policy: Policy) -> dict[Role, Floats]:
    """What the policy does now, as actions given from outside."""
    return {role: np.array(policy.act(world.observe(role), world.stream(role))) for role in world.roles}


def head_of(world: World) -> bytes:
    """Content head of world 0."""
    return world.keeper.content_heads[0]


def episode_of_world(design: str, policy: Policy) -> bytes:
    """An episode of one world; every action is given from outside."""
    world = open_world(design=design, seed=SEED, days=DAYS[design])
    world.reset()
    while not world.step(actions_of(world, policy)).done:
        pass
    return head_of(world)


def episode_of_single_env(design: str, policy: Policy, party: str) -> bytes:
    """The same episode where one party is the learner."""
    env = DigitalGridEnv(party, design=design, days=DAYS[design], policies=everyone(policy))
    env.reset(seed=SEED)
    truncated = False
    while not truncated:
        action = actions_of(env.parallel.world, policy)[env.parallel.role][0, env.parallel._row]
        *_, truncated, info = env.step(action)
    return bytes.fromhex(info["content_head"])


def episode_of_vector_env(design: str, policy: Policy) -> bytes:
    """The same episode with two worlds more beside it."""
    env = MarketVectorEnv(3, "mall", design=design, days=DAYS[design], policies=everyone(policy))
    env.reset(seed=SEED)
    truncated = np.zeros(3, np.bool_)
    while not truncated.any():
        *_, truncated, info = env.step(actions_of(env.world, policy)[Role.SOLAR][:, 0])
    return bytes.fromhex(info["content_head"][0])


def episode_of_sb3(design: str, policy: Policy) -> bytes:
    """The same episode where all homes learn; heads are read before the automatic reset drops them."""
    world = open_world(design=design, seed=SEED, days=DAYS[design], policies=everyone(policy), worlds=2)
    env = MarketVecEnv(world, Role.HOME)
    env.reset()
    for _ in range(world.slots - 1):
        env.step(actions_of(world, policy)[Role.HOME].reshape(-1, 4))
    keeper = world.keeper
    env.step(actions_of(world, policy)[Role.HOME].reshape(-1, 4))
    assert world.keeper is not keeper
    return keeper.content_heads[0]


def episode_of_parallel_env(design: str, policy: Policy) -> bytes:
    """The same episode where every party is an agent."""
    env = DigitalGridParallelEnv(design=design, days=DAYS[design])
    env.reset(seed=SEED)
    while env.agents:
        actions = actions_of(env.world, policy)
        rows = env.world.fleet.rows
        env.step({env.world.fleet.names[p]: actions[r][0, i] for r in actions for i, p in enumerate(rows(r))})
    return head_of(env.world)


def episode_of_society(design: str, policy: Policy) -> bytes:
    """The same episode where Mesa agents decide one after another."""
    society = Society(SEED, design=design, days=DAYS[design], policies=everyone(policy))
    society.run_model()
    return head_of(society.world)


@pytest.mark.parametrize(("design", "policy"), CASES, ids=lambda value: getattr(value, "name", value))
def test_every_view_of_the_same_day_gives_the_same_head(design: str, policy: Policy) -> None:
    """World, single, vector, SB3, PettingZoo and Mesa take the same trip."""
    expected = episode_of_world(design, policy)
    assert episode_of_single_env(design, policy, "home-1") == expected
    assert episode_of_single_env(design, policy, "home-4") == expected
    assert episode_of_vector_env(design, policy) == expected
    assert episode_of_sb3(design, policy) == expected
    assert episode_of_parallel_env(design, policy) == expected
    assert episode_of_society(design, policy) == expected


def test_the_two_policies_lead_to_different_heads() -> None:
    """The comparison above can fail: actions reach the head."""
    assert episode_of_world("dgp", TRUTHFUL_POLICY) != episode_of_world("dgp", Dice())
    assert episode_of_single_env("dgp", Dice(), "home-1") != episode_of_single_env("dgp", ZeroIntelligence(), "home-1")


EXPORTED = NetworkPolicy("exported", make_network(seed=3))


@pytest.mark.parametrize(
    ("design", "policy"), [*CASES, ("dgp", EXPORTED)], ids=lambda value: getattr(value, "name", value)
)
def test_a_world_in_a_batch_of_64_equals_the_world_alone(design: str, policy: Policy) -> None:
    """World i of a batch with seed s is world 0 of a batch with seed s + i (law 7)."""
    batch = open_world(design=design, seed=SEED, days=DAYS[design], policies=everyone(policy), worlds=64)
    batch.reset()
    done, rewards = False, []
    while not done:
        step = batch.step()
        done = step.done
        rewards.append(step.reward_ujpy)
    assert len(set(batch.keeper.content_heads)) == 64
    for index in (0, 31, 63):
        alone = open_world(design=design, seed=SEED + index, days=DAYS[design], policies=everyone(policy))
        alone.reset()
        for expected in rewards:
            np.testing.assert_array_equal(alone.step().reward_ujpy[0], expected[index])
        assert head_of(alone) == batch.keeper.content_heads[index]
        np.testing.assert_array_equal(alone.tally.money_ujpy[0], batch.tally.money_ujpy[index])


def test_a_reset_repeats_and_a_reset_without_seed_moves_on() -> None:
    """The same key gives the same head again; without one the next keys in order are used."""
    world = open_world(seed=SEED, days=1, worlds=2, policies=everyone(Dice()))

    def day(seed: int | None) -> list[bytes]:
        world.reset(seed)
        while not world.step().done:
            pass
        return world.keeper.content_heads

    first, second, again, next_two = day(None), day(None), day(SEED), day(SEED + 2)
    assert first == again
    assert second == next_two
    assert not set(first) & set(second)


@pytest.mark.parametrize("design", DAYS)
def test_rewards_of_an_episode_sum_to_postings_less_wear_plus_stored_energy(design: str) -> None:
    """Accrual and cash differ in time only, to the last uJPY."""
    worn = load_scenario("urawa-misono", WORN)
    world = open_world(worn, design, seed=SEED, days=2, worlds=3, policies=everyone(Dice()))
    world.reset()
    total, done = np.zeros((3, world.fleet.count), np.int64), False
    while not done:
        step = world.step()
        total += step.reward_ujpy
        done = step.done
    np.testing.assert_array_equal(total, world.tally.money_of_parties())
    assert world.tally.wear_ujpy.any()
    assert world.tally.credit_ujpy.any()


@pytest.mark.parametrize(
    ("design", "party"),
    [
        *(("dgp", party) for party in ("home-2", "store-1", "mall", "thermal-1")),
        ("call", "home-2"),
        ("spot", "mall"),
        ("retail", "home-2"),
        ("retail", "thermal-1"),
    ],
)
def test_the_money_parts_of_info_sum_to_the_reward(design: str, party: str) -> None:
    """At every step, the first with its opening and the last with its stored energy included."""
    worn = load_scenario("urawa-misono", WORN)
    env = DigitalGridEnv(party, scenario=worn, design=design, days=DAYS[design], policies=everyone(Dice()))
    env.reset(seed=SEED)
    env.action_space.seed(SEED)
    truncated, parts_seen = False, set()
    while not truncated:
        _, reward, _, truncated, info = env.step(env.action_space.sample())
        assert sum(info["money_jpy"].values()) == pytest.approx(reward * env.parallel.scale_jpy, abs=1e-6)
        parts_seen |= {part for part, value in info["money_jpy"].items() if value}
    assert bool(parts_seen) == ((design, party) != ("retail", "thermal-1"))
    assert {"wear", "stored_energy"} <= parts_seen or party != "home-2"
