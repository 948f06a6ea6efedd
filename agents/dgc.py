"""DGCs as Mesa agents: each is a window on rows of the world's columns and keeps nothing itself.

Mesa keeps discarded models alive, so a model is built once and refilled; an agent stays valid because it reads the
columns anew at every access. `decide` writes the agent's own row of the action columns; the order in which agents
decide does not matter, since nobody sees another's action before all have decided. What a policy does is asked of
the model, which lets each policy act once a step for all rows that hold it: the action of a row does not depend on
the batch (law 7).

The model offers `world`, `group`, `parties`, `proposals`, `table`, `provider_names` and `money_ujpy` as
`envs.society.Society` does.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import mesa
import numpy as np
import numpy.typing as npt
from mesa.agent import AgentSet

from agents.fleet import NO_GROUP, ROLE_NAMES, Fleet, Role
from agents.observing import Floats
from agents.policies import Policy
from agents.quoting import ACTIONS
from market.errors import ConfigError
from market.units import UJPY_PER_JPY, Int


class Behind(Protocol):
    """What stands behind the meters, as `envs.behind_meter.BehindMeter` shows it; (worlds, parties)."""

    @property
    def vehicle_wh(self) -> Int:
        """Energy in the cars [Wh], 0 without one."""
        ...

    @property
    def tank_wh(self) -> Int:
        """Heat in the tanks of fuel cell and water heater [Wh]."""
        ...

    @property
    def is_on(self) -> npt.NDArray[np.bool_]:
        """Which thermal units with limits run."""
        ...


class Columns(Protocol):
    """The columns of parallel worlds that agents look into; their model is row 0."""

    fleet: Fleet
    stored_wh: Int
    reading_wh: Int
    plan_wh: Int
    position_wh: Int
    behind: Behind
    t: int

    def observe(self, role: Role) -> Floats:
        """Observations of a role's parties (worlds, parties of the role, features)."""
        ...


class Window(mesa.Agent, ABC):  # type: ignore[misc]  # mesa is not typed
    """What all agents share: they look into the columns, and what they show cannot be set."""

    def __setattr__(self, name: str, value: object) -> None:
        shown = getattr(type(self), name, None)
        if isinstance(shown, property) and shown.fset is None:
            raise ConfigError(
                f"{name} of {self.name} cannot be set: an agent is a window", do="set its policy or its action"
            )
        super().__setattr__(name, value)

    @property
    def columns(self) -> Columns:
        """The world the agent looks into."""
        columns: Columns = self.model.world
        return columns

    @property
    @abstractmethod
    def name(self) -> str:
        """What tables call it."""

    def decide(self) -> None:
        """Nothing: who sends no orders has nothing to decide."""

    def remove(self) -> None:
        """Refused: a row cannot leave the columns; raises ConfigError."""
        raise ConfigError(f"{self.name} cannot be removed: its row stays", do="open a scenario without it")


class Party(Window):
    """A window on one party: its devices, contracts and money.

    Args:
        model: the society; it holds the columns, the actions and the money.
        row: the party's row.
    """

    def __init__(self, model: Any, row: int) -> None:
        super().__init__(model)
        self._row = row
        self._role = Role(int(model.world.fleet.role[row]))

    @property
    def row(self) -> int:
        """Row in the columns."""
        return self._row

    @property
    def name(self) -> str:
        """Name in the scenario."""
        return self.columns.fleet.names[self._row]

    @property
    def role(self) -> Role:
        """What the party is."""
        return self._role

    @property
    def role_name(self) -> str:
        """The role in words, for grouping."""
        return ROLE_NAMES[self._role]

    @property
    def group(self) -> int:
        """Its balancing group, NO_GROUP without."""
        return int(self.model.group[self._row])

    @property
    def stored_wh(self) -> int:
        """Energy in the battery [Wh]; 0 without one."""
        return int(self.columns.stored_wh[0, self._row])

    @property
    def position_wh(self) -> Int:
        """Net contracted energy from the current slot on (slots,) [Wh], + is import."""
        return self.columns.position_wh[0, self._row, self.columns.t :]

    @property
    def last_reading_wh(self) -> int:
        """Metered net energy of the slot delivered last [Wh], + is import; 0 before the first."""
        return int(self.columns.reading_wh[0, self._row]) if self.columns.t else 0

    @property
    def last_deviation_wh(self) -> int:
        """That reading less the plan [Wh], + is short; 0 before the first."""
        t = self.columns.t
        return self.last_reading_wh - int(self.columns.plan_wh[0, self._row, t - 1]) if t else 0

    @property
    def money_jpy(self) -> float:
        """Money accrued since the episode began, wear included [JPY]."""
        return int(self.model.money_ujpy[self._row]) / UJPY_PER_JPY


class DGC(Party):
    """A party that bids: by its policy, or as a subclass decides."""

    @property
    def policy(self) -> Policy:
        """What proposes its actions."""
        held: Policy = self.model.proposals.policy_of(self._row)
        return held

    @policy.setter
    def policy(self, policy: Policy) -> None:
        """Let it bid by another one from now on; raises ConfigError for what is none."""
        self.model.proposals.give(self._row, policy)

    @property
    def observation(self) -> Floats:
        """What this DGC sees now (features,)."""
        own = np.searchsorted(self.columns.fleet.rows(self._role), self._row)
        seen: Floats = self.columns.observe(self._role)[0, own]
        return seen

    @property
    def action(self) -> Floats:
        """Its row of the action columns (ACTIONS,), as the step that comes next will take it."""
        own: Floats = self.model.table[0, self._row]
        return own

    @action.setter
    def action(self, action: npt.ArrayLike) -> None:
        """Write the row; raises ConfigError for another number of numbers."""
        numbers = np.asarray(action, np.float32)
        if numbers.shape != (ACTIONS,):
            raise ConfigError(f"an action of {self.name} has shape {numbers.shape}", do=f"give {ACTIONS} numbers")
        self.model.proposals.check_acts(self._row)
        self.model.table[0, self._row] = numbers

    def decide(self) -> None:
        """Write this DGC's row of the action columns: what its policy proposes."""
        self.model.table[0, self._row] = self.model.proposals.of(self._row)


class Home(DGC):
    """A home with PV and a battery, and maybe a car, a fuel cell or a water heater."""

    @property
    def vehicle_wh(self) -> int:
        """Energy in the car [Wh]; 0 without one."""
        return int(self.columns.behind.vehicle_wh[0, self._row])

    @property
    def tank_wh(self) -> int:
        """Heat in its hot-water tanks [Wh]; 0 without one."""
        return int(self.columns.behind.tank_wh[0, self._row])


class Store(DGC):
    """A convenience store: consumption only."""


class Generator(DGC):
    """The solar plant or a thermal unit."""

    @property
    def is_on(self) -> bool:
        """Whether it gave energy in the slot delivered last, or for a unit with limits whether it runs."""
        return bool(self.columns.behind.is_on[0, self._row]) or self.last_reading_wh < 0


class Retailer(Party):
    """The area's supplier of last resort; it sends no orders."""


class ServiceProvider(Window):
    """The representative (代表契約者) of a balancing group: a window on the rows of its members.

    Its figures are sums over the members, so it is no party of its own: whoever adds up parties leaves it out.
    Source: paper items 64 and 65.

    Args:
        model: the society.
        group: number of the group, from 0.
    """

    def __init__(self, model: Any, group: int) -> None:
        super().__init__(model)
        self._group = group
        self._rows = np.flatnonzero(model.group == group)

    @property
    def role_name(self) -> str:
        """Not a role of a party; for grouping."""
        return "service-provider"

    @property
    def rows(self) -> Int:
        """Rows of the members, in order."""
        return self._rows

    @property
    def members(self) -> AgentSet:
        """The members as agents."""
        return AgentSet([self.model.parties[row] for row in self._rows], random=self.model.random)

    @property
    def name(self) -> str:
        """Its name in the scenario; numbered from one where the areas are the groups."""
        names: tuple[str, ...] = self.model.provider_names
        return names[self._group] if self._group < len(names) else f"service-provider-{self._group + 1}"

    @property
    def group(self) -> int:
        """The group it represents."""
        return self._group

    @property
    def stored_wh(self) -> int:
        """Energy in the members' batteries [Wh]."""
        return int(self.columns.stored_wh[0, self._rows].sum())

    @property
    def position_wh(self) -> Int:
        """Net contracted energy of the group from the current slot on (slots,) [Wh]; trade within it cancels out."""
        return np.asarray(self.columns.position_wh[0, self._rows, self.columns.t :].sum(0))

    @property
    def last_reading_wh(self) -> int:
        """Sum of the members' readings of the slot delivered last [Wh]; 0 before the first."""
        return int(self.columns.reading_wh[0, self._rows].sum()) if self.columns.t else 0

    @property
    def last_deviation_wh(self) -> int:
        """That sum less the sum of the plans [Wh], + is short: what members miss and leave over offsets."""
        t = self.columns.t
        return self.last_reading_wh - int(self.columns.plan_wh[0, self._rows, t - 1].sum()) if t else 0

    @property
    def money_jpy(self) -> float:
        """Money the members accrued since the episode began [JPY]."""
        return int(self.model.money_ujpy[self._rows].sum()) / UJPY_PER_JPY


PARTY_CLASSES: dict[Role, type[Party]] = {
    Role.HOME: Home,
    Role.STORE: Store,
    Role.SOLAR: Generator,
    Role.THERMAL: Generator,
    Role.RETAILER: Retailer,
}


def group_of_party(fleet: Fleet) -> Int:
    """Balancing group of each party (parties,): the fleet's own column where it names any, else its retailer's area."""
    return fleet.area if (fleet.group == NO_GROUP).all() else fleet.group
