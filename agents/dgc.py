"""DGCs as Mesa agents: each is a window on one row of the world's columns and keeps nothing itself.

Mesa keeps discarded models alive, so a model is built once and refilled; an agent stays valid because it reads the
columns anew at every access. `decide` writes the agent's own row of the action columns with its own policy; the order
in which agents decide does not matter, since nobody sees another's action before all have decided.
"""

from typing import Any, Protocol

import mesa
import numpy as np

from agents.fleet import ROLE_NAMES, Fleet, Role
from agents.observing import Floats
from agents.policies import Policy, Stream
from market.units import Int


class Columns(Protocol):
    """The columns of parallel worlds that agents look into; their model is row 0."""

    fleet: Fleet
    stored_wh: Int
    reading_wh: Int
    position_wh: Int
    t: int

    def observe(self, role: Role) -> Floats:
        """Observations of a role's parties (worlds, parties of the role, features)."""
        ...

    def stream(self, role: Role) -> Stream:
        """The dice of a role's parties at this step."""
        ...


class Party(mesa.Agent):  # type: ignore[misc]  # mesa is not typed
    """A window on one party: its devices, contracts and money.

    Args:
        model: the society; it holds the columns, the actions and the money.
        row: the party's row.
    """

    def __init__(self, model: Any, row: int) -> None:
        super().__init__(model)
        self.row = row

    @property
    def columns(self) -> Columns:
        """The world the agent is a row of."""
        columns: Columns = self.model.world
        return columns

    @property
    def name(self) -> str:
        """Name in the scenario."""
        return self.columns.fleet.names[self.row]

    @property
    def role(self) -> Role:
        """What the party is."""
        return Role(int(self.columns.fleet.role[self.row]))

    @property
    def role_name(self) -> str:
        """The role in words, for grouping."""
        return ROLE_NAMES[self.role]

    @property
    def position_wh(self) -> Int:
        """Net contracted energy from the current slot on (slots,) [Wh], + is import."""
        return self.columns.position_wh[0, self.row, self.columns.t :]

    @property
    def last_reading_wh(self) -> int:
        """Metered net energy of the slot delivered last [Wh], + is import; 0 before the first."""
        return int(self.columns.reading_wh[0, self.row]) if self.columns.t else 0

    @property
    def money_jpy(self) -> float:
        """Money accrued since the episode began, wear included [JPY]."""
        return float(self.model.money_jpy[self.row])


class DGC(Party):
    """A party that bids."""

    def __init__(self, model: Any, row: int, policy: Policy) -> None:
        super().__init__(model, row)
        self.policy = policy

    @property
    def observation(self) -> Floats:
        """What this DGC sees now (features,)."""
        seen: Floats = self.columns.observe(self.role)[0, self._own]
        return seen

    @property
    def _own(self) -> int:
        """Which of its role's parties it is."""
        return int(np.searchsorted(self.columns.fleet.rows(self.role), self.row))

    def decide(self) -> None:
        """Write this DGC's row of the action columns with its own policy."""
        dice = self.columns.stream(self.role)
        own = Stream(dice.seed, dice.world[:1], dice.party[self._own : self._own + 1], dice.slot[:1])
        self.model.actions[self.role][0, self._own] = self.policy.act(self.observation[None, None], own)[0, 0]


class Home(DGC):
    """A home with PV and a battery."""

    @property
    def stored_wh(self) -> int:
        """Energy in the battery [Wh]."""
        return int(self.columns.stored_wh[0, self.row])


class Store(DGC):
    """A convenience store: consumption only."""


class Generator(DGC):
    """The solar plant or a thermal unit."""


class Retailer(Party):
    """The area's supplier of last resort; it sends no orders."""


DGC_CLASSES: dict[Role, type[DGC]] = {
    Role.HOME: Home,
    Role.STORE: Store,
    Role.SOLAR: Generator,
    Role.THERMAL: Generator,
}
