"""The Mesa society: agents as windows, Mesa's idioms over them, and the same world as every other view."""

import contextlib
import gc
import io
import re
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mesa
import numpy as np
import pandas as pd
import pytest

from agents.dgc import DGC, Generator, Home, Party, Retailer, ServiceProvider, Store, group_of_party
from agents.fleet import Role
from agents.observing import Floats
from agents.policies import FixedPolicy, Stream, ZeroIntelligence, mark_up
from agents.quoting import ACTIONS
from envs.opening import open_world
from envs.scenario import load_scenario
from envs.single_env import DigitalGridEnv
from envs.society import COLUMNS, MODEL_REPORTERS, Society
from market.errors import ConfigError

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
SHOWN = ("name", "role_name", *COLUMNS)


class Counting:
    """Bids by a number it sees and by its dice, and counts how often it is asked and for how many rows."""

    name = "counting"
    needs_observation = True

    def __init__(self) -> None:
        self.asked: list[int] = []

    def act(self, observation: Floats, stream: Stream) -> Floats:
        """Stored energy and dice as prices."""
        self.asked.append(observation.shape[1])
        action = np.zeros((*observation.shape[:-1], ACTIONS), np.float32)
        action[..., 0] = np.clip(observation[..., 4], -1, 1)
        action[..., 1] = 2 * stream.uniform(0) - 1
        return action


class Cautious(Home):
    """Sells nothing below the top of the band while its battery is less than half full."""

    def decide(self) -> None:
        """Like its policy when there is enough, dear otherwise."""
        super().decide()
        if self.stored_wh < 5_000:
            self.action = (1, *self.action[1:])


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
    assert (home.last_reading_wh, home.last_deviation_wh, home.money_jpy) == (0, 0, 0.0)


def test_homes_and_units_show_their_devices() -> None:
    """A home shows what its car and its tanks hold, a unit whether it runs; none of it can be set."""
    scenario = load_scenario("urawa-misono", {"homes.vehicle": {}, "homes.water_heater": {}, "thermal.type": "gtcc"})
    society = Society(3, scenario=scenario, days=1)
    for _ in range(30):
        society.step()
    world, home, unit = society.world, society.agents[1], society.agents[11]
    assert isinstance(home, Home)
    assert isinstance(unit, Generator)
    assert home.vehicle_wh == world.behind.vehicle_wh[0, 1] > 0
    assert home.tank_wh == world.behind.tank_wh[0, 1] > 0
    assert [agent.is_on for agent in society.agents[11:15]] == world.behind.is_on[0, 11:15].tolist()
    with pytest.raises(ConfigError, match="is a window"):
        home.vehicle_wh = 1


def test_every_party_is_an_agent_of_its_kind() -> None:
    """Five homes, five stores, the mall and four thermal units bid; two retailers and two service providers do not."""
    society = Society(3, days=1)
    counts = society.agents.groupby(type).count()
    assert counts == {Home: 5, Store: 5, Generator: 5, Retailer: 2, ServiceProvider: 2}
    assert len(society.agents.select(agent_type=DGC)) == 15
    assert [agent.row for agent in society.agents.select(agent_type=Party)] == list(range(17))
    before = society.table.copy()
    society.agents.select(lambda agent: not isinstance(agent, DGC)).do("decide")
    np.testing.assert_array_equal(society.table, before)


def test_every_window_shows_the_columns() -> None:
    """Position, reading, deviation and money of each party are the world's own numbers."""
    society = Society(3, days=1, policies={"home": "zero-intelligence"})
    for _ in range(20):
        society.step()
    world, parties = society.world, society.agents.select(agent_type=Party)
    assert parties.get("stored_wh") == world.stored_wh[0].tolist()
    assert parties.get("last_reading_wh") == world.reading_wh[0].tolist()
    assert parties.get("last_deviation_wh") == (world.reading_wh - world.plan_wh[:, :, 19])[0].tolist()
    assert parties.get("money_jpy") == society.money_jpy.tolist()
    np.testing.assert_array_equal(parties.get("position_wh"), world.position_wh[0, :, 20:])
    assert any(parties.get("last_deviation_wh"))


def test_a_service_provider_shows_the_sums_of_its_members() -> None:
    """Stored energy, position, reading, deviation and money of a group are those of its members added up."""
    society = Society(3, days=1)
    for _ in range(30):
        society.step()
    providers = society.agents.select(agent_type=ServiceProvider)
    assert [len(provider.members) for provider in providers] == [12, 5]
    for provider in providers:
        for name in ("stored_wh", "last_reading_wh", "last_deviation_wh"):
            assert getattr(provider, name) == provider.members.agg(name, sum)
        assert provider.money_jpy == pytest.approx(provider.members.agg("money_jpy", sum), abs=1e-9)
        np.testing.assert_array_equal(provider.position_wh, np.sum(provider.members.get("position_wh"), 0))
        assert set(provider.members.get("group")) == {provider.group}
    # a contract has one seller and one buyer, so what one group takes the others give
    assert np.sum(providers.get("position_wh"), 0).tolist() == [0] * 18
    assert any(map(np.any, providers.get("position_wh")))


def test_a_group_column_of_the_fleet_decides() -> None:
    """A column gives the groups, -1 for none; where it names no group, the areas are the groups."""
    area = np.array([1, 0, 1])
    for given, groups in (([-1, -1, -1], [1, 0, 1]), ([0, -1, 2], [0, -1, 2])):
        fleet: Any = SimpleNamespace(area=area, group=np.array(given))
        assert group_of_party(fleet).tolist() == groups


def test_parties_without_a_group_have_no_service_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are numbered by the column, one agent each; a party of group -1 is nobody's member."""
    groups = np.where(np.arange(17) < 5, 3, -1)
    monkeypatch.setattr("envs.society.group_of_party", lambda fleet: groups)
    society = Society(3, days=1)
    (provider,) = society.agents.select(agent_type=ServiceProvider)
    assert (provider.group, provider.name, provider.rows.tolist()) == (3, "service-provider-4", [0, 1, 2, 3, 4])
    society.step()
    assert society.to_pandas().loc[provider.unique_id, "last_reading_wh"] == provider.last_reading_wh


def test_agent_set_idioms_work() -> None:
    """select, get, agg, map and sort see the columns through the windows."""
    society = Society(3, days=1)
    society.run_model()
    homes = society.agents.select(agent_type=Home)
    assert homes.agg("money_jpy", sum) == sum(homes.get("money_jpy"))
    assert homes.agg("money_jpy", [min, max]) == [min(homes.get("money_jpy")), max(homes.get("money_jpy"))]
    charged = society.agents.select(lambda agent: agent.stored_wh > 0)
    assert all(stored > 0 for stored in charged.get("stored_wh"))
    assert set(charged.get("role_name")) == {"home", "service-provider"}
    assert len(society.agents.select(lambda agent: agent.stored_wh > 0, at_most=2)) == 2
    parties = society.agents.select(agent_type=Party)
    best = parties.sort("money_jpy", ascending=False)[0]
    assert best.money_jpy == max(parties.get("money_jpy"))
    assert homes.map(lambda home: home.name) == [f"home-{i}" for i in range(1, 6)]
    assert society.agents.get("policy", handle_missing="default")[-1] is None


def test_agents_group_by_role() -> None:
    """groupby gives counts, sums and sets of agents; do runs a method of each set or of each agent."""
    society = Society(3, days=1)
    society.step()
    roles = society.agents.groupby("role_name")
    counts = {"home": 5, "store": 5, "solar": 1, "thermal": 4, "retailer": 2, "service-provider": 2}
    assert roles.count() == counts
    by_role = roles.agg("last_reading_wh", sum)
    reading = society.world.reading_wh[0]
    assert by_role["store"] == reading[5:10].sum()
    assert by_role["service-provider"] == sum(v for role, v in by_role.items() if role != "service-provider")
    roles.do("do", "decide")
    roles.do(lambda agents: agents.shuffle_do("decide"))
    assert roles.map(len) == counts


@pytest.mark.parametrize("name", ["stored_wh", "position_wh", "money_jpy", "name", "row", "role", "group"])
def test_what_a_window_shows_cannot_be_set(name: str) -> None:
    """`set` on a column is refused in one line that says what can be set; nothing changes."""
    society = Society(3, days=1)
    before = society.agents.get("stored_wh")
    with pytest.raises(ConfigError, match=rf"^{name} of home-1 cannot be set: .* \(set its policy or its action\)$"):
        society.agents.select(agent_type=Home).set(name, 5)
    assert society.agents.get("stored_wh") == before


def test_a_row_cannot_be_removed() -> None:
    """The world has a row for every party from beginning to end."""
    society = Society(3, days=1)
    with pytest.raises(ConfigError, match=r"^home-1 cannot be removed: its row stays"):
        society.agents[0].remove()
    assert len(society.agents) == 19


def test_policies_and_actions_are_set_through_the_set() -> None:
    """`set` gives policies and actions; what is neither is refused in one line."""
    society, homes = (made := Society(3, days=1)), made.agents.select(agent_type=Home)
    dear = mark_up(0.9)
    assert all(home.policy is dear for home in homes.set("policy", dear))
    homes.set("action", (1, -1, 0, 0.5))
    np.testing.assert_array_equal(society.actions[Role.HOME][0], np.tile(np.float32([1, -1, 0, 0.5]), (5, 1)))
    with pytest.raises(ConfigError, match=r"^home-1: 'markup:0.9' is no policy \(find one by"):
        homes.set("policy", "markup:0.9")
    with pytest.raises(ConfigError, match=r"^an action of home-1 has shape \(2,\) \(give 4 numbers\)$"):
        homes.set("action", (1, 2))


def test_a_bidder_that_quotes_by_itself_has_no_agents_that_act() -> None:
    """Its role is left to the world; giving its agents a policy or an action is refused in one line."""
    society = Society(3, days=1)
    quoting: Any = SimpleNamespace(name="planner")
    society.world.policies[Role.STORE] = quoting
    from envs.proposals import Proposals

    society.proposals = Proposals(society.world)
    assert Role.STORE not in society.proposals.roles
    store = society.agents.select(agent_type=Store)[0]
    store.decide()
    for name, value in (("policy", mark_up(0.5)), ("action", (0, 0, 0, 0))):
        with pytest.raises(ConfigError, match=r"^store-1: 'planner' quotes for the whole role"):
            setattr(store, name, value)


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


def test_a_policy_acts_once_a_step_for_all_who_hold_it() -> None:
    """Ten agents with two policies: each is asked once for the rows of a role, whoever decides first and how often."""
    ours, theirs = Counting(), Counting()
    society = Society(3, days=1, policies={"home": ours, "store": ours})
    society.agents[1].policy = theirs
    society.agents.shuffle_do("decide")
    society.step()
    assert (sorted(ours.asked), theirs.asked) == ([4, 5], [1])


def test_what_is_asked_together_equals_what_each_would_get_alone() -> None:
    """The shared proposal of a row is the policy's action on that row alone, with its own observation and dice."""
    policy = Counting()
    society = Society(3, days=1, policies={"home": policy})
    for _ in range(3):
        society.step()
    society.agents.do("decide")
    dice = society.world.stream(Role.HOME)
    for row, home in enumerate(society.agents.select(agent_type=Home)):
        alone = Stream(dice.seed, dice.world, dice.party[row : row + 1], dice.slot)
        np.testing.assert_array_equal(home.action, policy.act(home.observation[None, None], alone)[0, 0])


def test_a_policy_given_within_a_step_counts_at_once() -> None:
    """An agent that has decided and then gets another policy decides anew; the others keep their proposals."""
    society = Society(3, days=1)
    home, other = society.agents[0], society.agents[1]
    society.agents.do("decide")
    before = other.action.copy()
    home.policy = FixedPolicy("dear", (1.0, 1.0, -1.0, 0.0))
    home.decide()
    np.testing.assert_array_equal(home.action, np.float32([1, 1, -1, 0]))
    np.testing.assert_array_equal(other.action, before)


def test_an_agent_class_of_ones_own_decides_as_it_likes() -> None:
    """Homes of a subclass act as the same numbers given to the world do; other roles keep their classes."""
    society = Society(3, days=1, classes={"home": Cautious})
    assert type(society.agents[0]) is Cautious
    world = open_world(seed=3, days=1)
    world.reset()
    while society.running:
        actions = np.array(world.act(Role.HOME))
        actions[0, world.stored_wh[0, :5] < 5_000, 0] = 1
        world.step({Role.HOME: actions})
        society.step()
    assert society.content_head == world.keeper.content_heads[0].hex()
    assert len(society.datacollector.get_agenttype_vars_dataframe(Home)) == 48 * 5


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"classes": {"home": Retailer}}, r"^classes, home: .* is no class of DGCs \(derive it from DGC\)$"),
        ({"classes": {"house": Home}}, r"^no role 'house' that bids"),
        ({"collect": "everything"}, r"^nothing known to collect by 'everything' \(choose 'agents', 'model', False"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], line: str) -> None:
    """One line says what is wrong and what is allowed."""
    with pytest.raises(ConfigError, match=line):
        Society(3, **options)


def test_the_collector_reports_every_step_and_agent() -> None:
    """48 rows for the model, 48 x 19 for its agents, 48 x 5 for the homes; money is the sum of rewards."""
    society = Society(3, days=1)
    society.run_model()
    model = society.datacollector.get_model_vars_dataframe()
    agents = society.datacollector.get_agent_vars_dataframe()
    homes = society.datacollector.get_agenttype_vars_dataframe(Home)
    assert (len(model), len(agents), len(homes)) == (48, 48 * 19, 48 * 5)
    assert model["content_head"].iloc[-1] == society.content_head
    assert model["traded_wh"].sum() > 0
    last = agents.loc[48]["money_jpy"].to_numpy(np.float64)
    np.testing.assert_allclose(last[:17], society.world.tally.money_of_parties()[0] / 1e6)


def test_columns_give_the_frames_of_a_plain_collector() -> None:
    """Mesa's own DataCollector, asked for the same attributes agent by agent, gives equal frames."""

    def plain() -> mesa.DataCollector:
        reporters = {name: name for name in SHOWN}
        return mesa.DataCollector(MODEL_REPORTERS, reporters, {Home: reporters})

    ours, theirs = Society(3, days=1), Society(3, days=1, collect=plain)
    for _ in range(6):
        ours.step()
        theirs.step()
    a, b = ours.datacollector, theirs.datacollector
    pd.testing.assert_frame_equal(a.get_model_vars_dataframe(), b.get_model_vars_dataframe())
    pd.testing.assert_frame_equal(a.get_agent_vars_dataframe(), b.get_agent_vars_dataframe())
    pd.testing.assert_frame_equal(a.get_agenttype_vars_dataframe(Home), b.get_agenttype_vars_dataframe(Home))
    now = ours.to_pandas()
    pd.testing.assert_frame_equal(now, a.get_agent_vars_dataframe().loc[6])
    assert now["name"].tolist() == ours.agents.get("name")


def test_reporters_of_ones_own_begin_anew_with_each_episode() -> None:
    """A function that makes a collector is asked at every reset; lambdas over model and agents work."""

    def half_full() -> mesa.DataCollector:
        full = {"full": lambda model: len(model.agents.select(lambda agent: agent.stored_wh > 5_000))}
        return mesa.DataCollector(full, {"name": "name"}, {Home: {"full": lambda home: home.stored_wh > 5_000}})

    society = Society(3, days=1, collect=half_full)
    society.step()
    society.step()
    homes = society.datacollector.get_agenttype_vars_dataframe(Home)
    assert society.datacollector.get_model_vars_dataframe()["full"].tolist() == [
        homes.loc[step, "full"].sum() + 1 for step in (1, 2)
    ]
    society.reset()
    assert len(society.datacollector.get_model_vars_dataframe()) == 0


def test_collecting_less_changes_nothing_else() -> None:
    """`model` has no agents, False has nothing, and the world is the same."""
    heads = set()
    for collect in ("agents", "model", False):
        society = Society(3, days=1, collect=collect)  # type: ignore[arg-type]
        society.run_model()
        heads.add(society.content_head)
        rows = len(society.datacollector.model_vars.get("slot", ()))
        assert rows == (48 if collect else 0)
        assert bool(society.datacollector.agent_reporters) is False
    assert len(heads) == 1
    with pytest.raises(UserWarning, match="No agent reporters"):
        Society(3, days=1, collect="model").datacollector.get_agent_vars_dataframe()


def test_a_refilled_model_repeats_and_collects_afresh() -> None:
    """Reset with the same seed gives the same head and an empty collector."""
    society = Society(3, days=1)
    society.run_model()
    first, dice = society.content_head, society.random.random()
    society.reset(3)
    assert len(society.datacollector.get_model_vars_dataframe()) == 0
    assert len(society.datacollector.get_agent_vars_dataframe()) == 0
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
            type(x) in (Home, Store, Generator, Retailer, ServiceProvider) for x in things
        )

    counts = alive()
    for _ in range(20):
        society.reset()
        society.step()
    assert [id(agent) for agent in society.agents] == before
    assert alive() == counts


def test_resets_do_not_fill_the_memory() -> None:
    """After the first episodes, twenty more resets with two steps each leave no more memory taken."""
    society = Society(3, days=1)

    def play(episodes: int) -> int:
        for _ in range(episodes):
            society.reset()
            society.step()
            society.step()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = play(3)
        # an episode of this world takes more than 1 MB
        assert play(20) - before < 300_000
    finally:
        tracemalloc.stop()


def test_a_society_is_the_world_with_policies() -> None:
    """Agents that act by the world's policies change nothing."""
    society = Society(3, days=1, policies={"home": "zero-intelligence"})
    society.run_model()
    world = open_world(seed=3, days=1, policies={"home": "zero-intelligence"})
    world.reset()
    while not world.step().done:
        pass
    assert society.content_head == world.keeper.content_heads[0].hex()


def test_a_thousand_agents_are_a_thousand_windows() -> None:
    """The same head as the bare world, with every agent deciding in a drawn order."""
    scenario = load_scenario("urawa-misono", {"homes.count": 1_000, "stores.count": 0})
    world = open_world(scenario, seed=3, days=1, policies={"home": "zero-intelligence"})
    society = Society(3, scenario=scenario, days=1, policies={"home": "zero-intelligence"})
    world.reset()
    for _ in range(4):
        world.step()
        society.agents.shuffle_do("decide")
        society.trade()
    assert society.content_head == world.keeper.content_heads[0].hex()
    assert len(society.datacollector.get_agent_vars_dataframe()) == 4 * 1_009


def test_the_examples_of_the_page_print_what_stands_beside_them() -> None:
    """The Python blocks of agents.md run one after another, and each output is the block that follows."""
    space: dict[str, object] = {}
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    shown = 0
    for (language, text), (after, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, "agents.md", "exec"), space)
            assert out.getvalue() == (expected if after == "text" else "")
            shown += after == "text"
    assert shown >= 4
