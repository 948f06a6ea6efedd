import gc

import numpy as np

from agents.dgc import DGC, Generator, Home, Retailer, Store
from agents.policies import ZeroIntelligence, mark_up
from envs.opening import open_world
from envs.single_env import DigitalGridEnv
from envs.society import Society


def test_agents_are_windows_on_the_rows_of_the_world() -> None:
    """An agent shows what its row holds now, also after steps and resets."""
    society = Society(3, days=1)
    home, mall = society.agents[1], society.agents[10]
    for _ in range(5):
        society.step()
    assert (home.name, home.role_name, mall.name) == ("home-2", "home", "mall")
    assert home.stored_wh == society.world.stored_wh[0, 1]
    assert home.last_reading_wh == society.world.reading_wh[0, 1]
    np.testing.assert_array_equal(mall.position_wh, society.world.position_wh[0, 10, 5:])
    society.reset()
    assert home.stored_wh == society.world.stored_wh[0, 1]
    assert (home.last_reading_wh, home.money_jpy) == (0, 0.0)


def test_every_party_is_an_agent_of_its_kind() -> None:
    """Five homes, five stores, the mall and four thermal units decide; two retailers do not."""
    society = Society(3, days=1)
    counts = society.agents.groupby(type).count()
    assert counts == {Home: 5, Store: 5, Generator: 5, Retailer: 2}
    assert len(society.agents.select(agent_type=DGC)) == 15
    assert not hasattr(society.agents[-1], "decide")


def test_agent_set_idioms_work() -> None:
    """select, get, agg, do and sort see the columns through the windows."""
    society = Society(3, days=1)
    society.run_model()
    homes = society.agents.select(agent_type=Home)
    assert homes.agg("money_jpy", sum) == sum(homes.get("money_jpy"))
    assert min(homes.get("stored_wh")) >= 0
    best = society.agents.sort("money_jpy", ascending=False)[0]
    assert best.money_jpy == max(society.agents.get("money_jpy"))


def test_the_order_in_which_agents_decide_does_not_matter() -> None:
    """Nobody sees another's action before all have decided."""
    orderly = Society(3, days=1, policies={"home": ZeroIntelligence()})
    shuffled = Society(3, days=1, policies={"home": ZeroIntelligence()})
    while orderly.running:
        orderly.step()
        shuffled.agents.select(agent_type=DGC).shuffle_do("decide")
        shuffled.step()
    assert orderly.content_head == shuffled.content_head


def test_one_agent_can_have_a_policy_of_its_own() -> None:
    """A home given another policy acts as the learner of the single environment does with the same actions."""
    policy = mark_up(0.8)
    society = Society(3, days=1)
    society.agents[0].policy = policy
    society.run_model()
    env = DigitalGridEnv("home-1", days=1)
    env.reset(seed=3)
    truncated = False
    while not truncated:
        *_, truncated, info = env.step(np.array(policy.action, np.float32))
    assert society.content_head == info["content_head"]
    truthful = Society(3, days=1)
    truthful.run_model()
    assert truthful.content_head != society.content_head


def test_the_collector_reports_every_step_and_agent() -> None:
    """48 rows for the model, 48 x 17 for its agents, 48 x 5 for the homes; money is the sum of rewards."""
    society = Society(3, days=1)
    society.run_model()
    model = society.datacollector.get_model_vars_dataframe()
    agents = society.datacollector.get_agent_vars_dataframe()
    homes = society.datacollector.get_agenttype_vars_dataframe(Home)
    assert (len(model), len(agents), len(homes)) == (48, 48 * 17, 48 * 5)
    assert model["content_head"].iloc[-1] == society.content_head
    assert model["traded_wh"].sum() > 0
    last = agents.loc[48]["money_jpy"].to_numpy(np.float64)
    np.testing.assert_allclose(last, society.world.tally.money_of_parties()[0] / 1e6)


def test_a_refilled_model_repeats_and_collects_afresh() -> None:
    """Reset with the same seed gives the same head and an empty collector."""
    society = Society(3, days=1)
    society.run_model()
    first, dice = society.content_head, society.random.random()
    society.reset(3)
    assert len(society.datacollector.get_model_vars_dataframe()) == 0
    society.run_model()
    assert society.content_head == first
    assert society.random.random() == dice
    assert society.steps == 48


def test_resets_leave_one_model_with_the_same_agents() -> None:
    """Mesa keeps discarded models alive; a reset must make neither models nor agents."""
    society = Society(3, days=1)
    before = [id(agent) for agent in society.agents]

    def alive() -> tuple[int, int]:
        gc.collect()
        things = gc.get_objects()
        return sum(type(x) is Society for x in things), sum(
            type(x) in (Home, Store, Generator, Retailer) for x in things
        )

    counts = alive()
    for _ in range(20):
        society.reset()
        society.step()
    assert [id(agent) for agent in society.agents] == before
    assert alive() == counts


def test_a_society_is_the_world_with_policies() -> None:
    """Agents that act by the world's policies change nothing."""
    society = Society(3, days=1, policies={"home": "zero-intelligence"})
    society.run_model()
    world = open_world(seed=3, days=1, policies={"home": "zero-intelligence"})
    world.reset()
    while not world.step().done:
        pass
    assert society.content_head == world.keeper.content_heads[0].hex()
