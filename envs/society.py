"""The world as a Mesa model: one world, objects as windows, a DataCollector.

Built once and refilled by `reset`: Mesa 3 keeps every model alive that ever had agents. One `step` asks every agent to
decide and then takes the world's one trip. Each policy acts once a step (`envs.proposals`), and what the agents show is
collected as columns, so that ten thousand agents cost little more than their world (`digitalgrid bench agents`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import mesa
import numpy as np
import numpy.typing as npt

from agents.dgc import DGC, PARTY_CLASSES, Party, ServiceProvider, Window, group_of_party
from agents.fleet import NO_GROUP, Role
from agents.observing import Floats
from agents.quoting import ACTIONS
from envs.opening import find_role, open_world
from envs.proposals import Proposals
from envs.reward import jpy_of
from envs.world import Step, World
from market.errors import ConfigError
from market.units import Int

Collect = Literal["agents", "model", False] | Callable[[], mesa.DataCollector]
"""Taken at every step: model and agents, the model only, nothing, or what a collector made by this function reports."""
Column = npt.NDArray[Any]

MODEL_REPORTERS = {name: name for name in ("slot", "traded_wh", "mean_price_jpy_kwh", "refused", "content_head")}
COLUMNS = ("stored_wh", "last_reading_wh", "last_deviation_wh", "money_jpy")
"""What `Society.columns` has of every agent; an agent has an attribute of each name."""


class Society(mesa.Model):  # type: ignore[misc]  # mesa is not typed
    """Homes, stores, generators, retailers and service providers in one world.

    ```
    society = Society(design="dgp", policies={"home": "markup:0.9"}, seed=1)
    society.run_model()
    society.agents.select(agent_type=Home).get("money_jpy")
    society.datacollector.get_agent_vars_dataframe()
    ```

    Args:
        seed: key of the world, and of Mesa's own dice, which nothing in the market reads.
        collect: what the DataCollector takes at every step (`Collect`).
        classes: by role name, a subclass of `DGC` whose agents take the place of `Home` and the like.
        **options: what `envs.opening.open_world` takes: scenario, design, policies, data_dir, days, ledger, ...

    Attributes:
        parties, providers: agents of the parties in the order of the rows, and of the balancing groups.
        group: (parties,) balancing group of each party, NO_GROUP without.
        provider_names: names of the groups' service providers; none where the areas are the groups.
        proposals: what the agents' policies propose.
        table: (1, parties, ACTIONS) float32, the action columns; zero until an agent has decided.
        actions: the rows of each role in them, as the world takes them.
        money_ujpy: (parties,) accrued since the episode began, wear included [uJPY].

    Raises:
        ConfigError: an option or a class is not known.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        collect: Collect = "agents",
        classes: Mapping[str, type[DGC]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rng=seed)
        self._make_collector = partial(_collector, _known(collect), self)
        self.world: World = open_world(worlds=1, seed=seed, **options)
        self.group: Int = group_of_party(self.world.fleet)
        self.provider_names = tuple(group.name for group in self.world.accounts.groups)
        self.proposals = Proposals(self.world)
        self.table: Floats = np.zeros((1, self.world.fleet.count, ACTIONS), np.float32)
        # the rows of a role follow one another
        self.actions: dict[Role, Floats] = {
            role: self.table[:, self.world.seats[role].rows] for role in self.proposals.roles
        }
        self._people(PARTY_CLASSES | _classes_of(classes or {}))
        self.reset(seed)

    def _people(self, classes: Mapping[Role, type[Party]]) -> None:
        """One agent per party, in the order of the rows, then one per balancing group."""
        roles = self.world.fleet.role.tolist()
        self.parties = [classes.get(Role(role), DGC)(self, row) for row, role in enumerate(roles)]
        groups = np.unique(self.group[self.group != NO_GROUP]).tolist()
        self.providers = [ServiceProvider(self, group) for group in groups]
        self.windows: tuple[Window, ...] = (*self.parties, *self.providers)

    def reset(self, seed: int | None = None) -> None:
        """Begin a new episode with the same agents and policies; without a seed the next one in order."""
        self.world.reset(seed)
        self.reset_rng(self.world.key)
        self.reset_randomizer(self.world.key)
        self.money_ujpy: Int = np.zeros(self.world.fleet.count, np.int64)
        self.last: Step | None = None
        self.steps, self.running = 0, True
        self.table[:] = 0
        self.proposals.forget()
        self.datacollector = self._make_collector()

    def step(self) -> None:
        """Every agent decides, then the world takes one half hour."""
        self.agents.do("decide")
        self.trade()

    def trade(self) -> None:
        """One half hour of the world with the actions as they stand."""
        self.last = self.world.step(self.actions)
        self.money_ujpy += self.last.reward_ujpy[0]
        self.running = not self.last.done
        self.proposals.forget()
        self.datacollector.collect(self)

    @property
    def money_jpy(self) -> Any:
        """Money of every party since the episode began (parties,) [JPY]."""
        return jpy_of(self.money_ujpy)

    @property
    def slot(self) -> int:
        """Slot that starts now."""
        return int(self.world.now[0])

    @property
    def traded_wh(self) -> int:
        """Energy of the contracts formed in the last step, last resort left out [Wh]."""
        return 0 if self.last is None else int(_traded(self.last)["energy"].sum())

    @property
    def mean_price_jpy_kwh(self) -> float | None:
        """Mean price of those contracts; None without a trade."""
        if not self.traded_wh or self.last is None:
            return None
        traded = _traded(self.last)
        return float((traded["energy"] * traded["buy_price"]).sum() / traded["energy"].sum() / 1000)

    @property
    def refused(self) -> int:
        """Order rows refused in the last step."""
        return 0 if self.last is None else int((self.last.codes != 0).sum())

    @property
    def content_head(self) -> str | None:
        """Head over everything recorded, in hexadecimal; None without a ledger."""
        heads = self.world.keeper.content_heads
        return heads[0].hex() if heads else None

    def columns(self) -> dict[str, Column]:
        """What the agents show now, as columns over `windows`; a service provider has the sums of its group."""
        world, none = self.world, np.zeros(self.world.fleet.count, np.int64)
        reading, plan = (world.reading_wh[0], world.plan_wh[0, :, world.t - 1]) if world.t else (none, none)
        return {
            "stored_wh": self._with_groups(world.stored_wh[0]),
            "last_reading_wh": self._with_groups(reading),
            "last_deviation_wh": self._with_groups(reading - plan),
            "money_jpy": jpy_of(self._with_groups(self.money_ujpy)),
        }

    def to_pandas(self) -> Any:
        """What the agents show now as a pandas DataFrame, a row per agent with its id as index."""
        return frame_of(self.windows, self.columns())

    def _with_groups(self, column: Int) -> Int:
        """A column over parties, and behind it the sum of each balancing group."""
        sums = [column[provider.rows].sum() for provider in self.providers]
        return np.concatenate([column, np.array(sums, np.int64)])


class AgentCollector(mesa.DataCollector):  # type: ignore[misc]  # mesa is not typed
    """Mesa's collector with the agents taken as columns: the same frames, no object per agent and step."""

    def __init__(self, society: Society) -> None:
        super().__init__(MODEL_REPORTERS)
        self._agents = society.windows
        self._steps: list[int] = []
        self._taken: list[dict[str, Column]] = []

    def collect(self, model: Society) -> None:
        """Take the model's values and the agents' columns of one step."""
        super().collect(model)
        self._steps.append(model.steps)
        self._taken.append(model.columns())

    def get_agent_vars_dataframe(self) -> Any:
        """What every agent showed after each step, by step and agent."""
        return self.get_agenttype_vars_dataframe(Window)

    def get_agenttype_vars_dataframe(self, agent_type: type[mesa.Agent]) -> Any:
        """The same of the agents of a class or its subclasses."""
        import pandas as pd

        rows = [row for row, agent in enumerate(self._agents) if isinstance(agent, agent_type)]
        shown = frame_of([self._agents[row] for row in rows], {})
        index = pd.MultiIndex.from_product([self._steps, shown.index], names=["Step", "AgentID"])
        words = {name: np.tile(shown[name].to_numpy(), len(self._steps)) for name in shown}
        taken = {name: np.ravel([columns[name][rows] for columns in self._taken]) for name in COLUMNS}
        return pd.DataFrame(words | taken, index=index)


def frame_of(agents: Sequence[Window], columns: Mapping[str, Column]) -> Any:
    """A pandas DataFrame with a row per agent: its id as index, its name, the name of its role, and the columns."""
    import pandas as pd

    words = {name: [getattr(agent, name) for agent in agents] for name in ("name", "role_name")}
    return pd.DataFrame(words | dict(columns), index=pd.Index([agent.unique_id for agent in agents], name="AgentID"))


def _collector(collect: Collect, society: Society) -> mesa.DataCollector:
    """A collector for one episode."""
    if callable(collect):
        return collect()
    if collect == "agents":
        return AgentCollector(society)
    return mesa.DataCollector(MODEL_REPORTERS if collect == "model" else None)


def _known(collect: Collect) -> Collect:
    if callable(collect) or collect in ("agents", "model", False):
        return collect
    raise ConfigError(f"nothing known to collect by {collect!r}", do="choose 'agents', 'model', False or a function")


def _classes_of(given: Mapping[str, type[DGC]]) -> dict[Role, type[Party]]:
    for name, kind in given.items():
        if not (isinstance(kind, type) and issubclass(kind, DGC)):
            raise ConfigError(f"{kind!r} is no class of DGCs", where=f"classes, {name}", do="derive it from DGC")
    return {find_role(name): kind for name, kind in given.items()}


def _traded(step: Step) -> Any:
    return step.contracts[step.contracts["last_resort"] == 0]
