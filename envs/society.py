"""The world as a Mesa model: one world, objects as windows, a DataCollector.

Built once and refilled by `reset`: Mesa 3 keeps every model alive that ever had agents. One `step` asks every DGC to
decide and then takes the world's one trip.
"""

from typing import Any

import mesa
import numpy as np

from agents.dgc import DGC, DGC_CLASSES, Retailer
from agents.fleet import Role
from agents.observing import Floats
from agents.policies import TRUTHFUL_POLICY
from agents.quoting import ACTIONS
from envs.opening import open_world
from envs.reward import jpy_of
from envs.world import Step, World
from market.units import Int


class Society(mesa.Model):  # type: ignore[misc]  # mesa is not typed
    """Homes, stores, generators and retailers trading in one world.

    ```
    society = Society(design="dgp", policies={"home": "markup:0.9"}, seed=1)
    society.run_model()
    society.agents.select(agent_type=Home).get("money_jpy")
    society.datacollector.get_agent_vars_dataframe()
    ```

    Args:
        seed: key of the world, and of Mesa's own dice, which nothing in the market reads.
        **options: what `envs.opening.open_world` takes: scenario, design, policies, data_dir, days, ledger, ...

    Raises:
        ConfigError: an option is not known.
    """

    def __init__(self, seed: int = 0, **options: Any) -> None:
        super().__init__(rng=seed)
        self.world: World = open_world(worlds=1, seed=seed, **options)
        roles = self.world.roles
        self.actions: dict[Role, Floats] = {
            role: np.zeros((1, len(self.world.fleet.rows(role)), ACTIONS), np.float32) for role in roles
        }
        self._people()
        self.reset(seed)

    def _people(self) -> None:
        """One agent per party, in the order of the rows."""
        for row, role in enumerate(Role(int(role)) for role in self.world.fleet.role):
            if role == Role.RETAILER:
                Retailer(self, row)
            else:
                DGC_CLASSES[role](self, row, self.world.policies.get(role, TRUTHFUL_POLICY))

    def reset(self, seed: int | None = None) -> None:
        """Begin a new episode with the same agents; without a seed the next one in order."""
        self.world.reset(seed)
        self.reset_rng(self.world.key)
        self.reset_randomizer(self.world.key)
        self.money_ujpy: Int = np.zeros(self.world.fleet.count, np.int64)
        self.last: Step | None = None
        self.steps, self.running = 0, True
        self.datacollector = _collector()

    def step(self) -> None:
        """Every DGC decides, then the world takes one half hour."""
        self.agents.select(agent_type=DGC).do("decide")
        self.last = self.world.step(self.actions)
        self.money_ujpy += self.last.reward_ujpy[0]
        self.running = not self.last.done
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


def _traded(step: Step) -> Any:
    return step.contracts[step.contracts["last_resort"] == 0]


def _collector() -> Any:
    return mesa.DataCollector(
        model_reporters={name: name for name in ("slot", "traded_wh", "mean_price_jpy_kwh", "refused", "content_head")},
        agent_reporters={name: name for name in ("name", "role_name", "last_reading_wh", "money_jpy")},
        agenttype_reporters={DGC_CLASSES[Role.HOME]: {"stored_wh": "stored_wh"}},
    )
