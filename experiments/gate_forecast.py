"""How far the forecasts of a run missed when the gate closed: what sites were shown of their load less own PV.

Cars, fuel cells and water heaters are planned, not foretold, and left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.fleet import Role
from envs.sight import Sight
from envs.world import World
from experiments.metrics import ROLE_TITLES
from market.units import Int

SITES = (Role.HOME, Role.STORE, Role.SOLAR)


@dataclass(frozen=True)
class GateError:
    """Forecast less truth of the parties of a role, means for each party and half hour [Wh]."""

    role: str
    mae_wh: float
    bias_wh: float


class GateForecasts:
    """Sums of misses by role while a world is played, and of the half hours counted."""

    def __init__(self, world: World) -> None:
        self._rows = {role: world.seats[role].rows for role in SITES if role in world.seats}
        self._sums: dict[Role, Int] = {role: np.zeros(3, np.int64) for role in self._rows}

    def note(self, world: World) -> None:
        """Count the forecast of the slot whose gate closes in the step that comes."""
        gate, sight = world.calendar.gate, Sight(world)
        t = world.t + gate
        if t >= world.slots:
            return
        for role, rows in self._rows.items():
            truth = world.episode.load_wh[:, rows, t] - world.episode.solar_wh[:, rows, t]
            miss = sight.forecast(rows)[..., gate] - truth
            self._sums[role] += np.array([np.abs(miss).sum(), miss.sum(), miss.size], np.int64)

    def errors(self) -> tuple[GateError, ...]:
        """One row for each role that was counted."""
        return tuple(
            GateError(ROLE_TITLES[role], float(absolute / count), float(signed / count))
            for role, (absolute, signed, count) in self._sums.items()
            if count
        )


def say_errors(errors: Sequence[GateError]) -> str:
    """One line for people."""
    said = ", ".join(f"{row.role} {row.mae_wh:,.0f} (bias {row.bias_wh:+z,.0f})" for row in errors)
    return f"forecast     missed at the gate by {said or 'nothing'} Wh a party and half hour"
