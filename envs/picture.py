"""Rendering for Gymnasium: the day so far of one party, as text or as a small picture."""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.world import World

RENDER_MODES = ("ansi", "rgb_array")
SIZE_INCHES, DOTS_PER_INCH = (6.0, 4.5), 80


class Trail:
    """What one party went through in the last day, one entry per step.

    Args:
        world: the parallel worlds.
        party: row of the party.
    """

    def __init__(self, world: World, party: int) -> None:
        self.world, self.party = world, party
        self.clear()

    def clear(self) -> None:
        """Forget what was."""
        self._infos: deque[dict[str, Any]] = deque(maxlen=self.world.calendar.per_day)

    def add(self, info: dict[str, Any]) -> None:
        """Remember the info of a step."""
        self._infos.append(info)

    def render(self, mode: str, world: int) -> str | npt.NDArray[np.uint8]:
        """The day so far of one world."""
        steps = (self.world.t - 1) % self.world.calendar.per_day + 1
        today = list(self._infos)[-steps:]
        return self._write(today, world) if mode == "ansi" else self._draw(today, world)

    def _write(self, today: list[dict[str, Any]], world: int) -> str:
        name = self.world.fleet.names[self.party]
        lines = [
            f"{name} in {self.world.design.name}",
            "slot              traded  outside  metered Wh  stored Wh       JPY",
        ]
        for info in today:
            energy = info["energy_wh"]
            price = f"{info['price_jpy_kwh'][world]:8.2f}" if info["_price_jpy_kwh"][world] else "       -"
            when = self.world.calendar.label(int(info["slot"][world]) - 1)
            money = sum(column[world] for part, column in info["money_jpy"].items() if not part.startswith("_"))
            lines.append(
                f"{when}{price} {info['outside_jpy_kwh'][world]:8.2f}"
                f" {energy['metered'][world]:11d} {energy['stored'][world]:10d} {money:9.2f}"
            )
        return "\n".join(lines)

    def _draw(self, today: list[dict[str, Any]], world: int) -> npt.NDArray[np.uint8]:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        price, energy, stored = figure.subplots(3, 1, sharex=True)
        hours = 24 / self.world.calendar.per_day * np.arange(1, len(today) + 1)
        traded = [info["price_jpy_kwh"][world] if info["_price_jpy_kwh"][world] else np.nan for info in today]
        price.plot(hours, traded, ".-", label="traded")
        price.step(hours, [info["outside_jpy_kwh"][world] for info in today], label="outside")
        price.set_ylabel("JPY/kWh")
        for flow in ("planned", "metered"):
            energy.step(hours, [info["energy_wh"][flow][world] / 1000 for info in today], label=flow)
        energy.set_ylabel("import kWh")
        stored.fill_between(hours, [info["energy_wh"]["stored"][world] / 1000 for info in today], step="pre")
        stored.set_ylabel("stored kWh")
        stored.set(xlim=(0, 24), xlabel="hour of the day")
        price.set_title(f"{self.world.fleet.names[self.party]} in {self.world.design.name}")
        for axes in (price, energy):
            axes.legend(loc="upper left", fontsize=7)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()
