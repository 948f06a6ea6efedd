"""What a run's areas and lines did, from its trace: mean prices, and how far the lines were used.

Prices are those of `experiments.trace`, over the slots in which the area traded. A line is full in a slot when its net
flow is what it can carry that way; one that carries nothing either way is never counted.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.trace import Trace
from market.exchange import NO_PRICE
from market.slots import HALF_HOURS
from market.units import MJPY_PER_JPY, WH_PER_KWH, Int

KW_PER_WH = HALF_HOURS.gate / WH_PER_KWH
MEGA_KW = 10_000
"""Power from which flows are written in MW."""
FEW = 2
"""Areas up to which nothing is printed."""


@dataclass(frozen=True)
class AreaPrice:
    """Prices of an area over its traded slots [JPY/kWh]; `outside` is the price outside the market in those slots."""

    area: str
    slots: int
    mean: float | None
    lowest: float | None
    highest: float | None
    outside: float | None


@dataclass(frozen=True)
class LineUse:
    """Mean net flow of a line, + is from source to target, mean of its size [kW], and part of the slots it was full."""

    line: str
    mean_kw: float
    mean_size_kw: float
    full_share: float


@dataclass(frozen=True)
class AreaReport:
    """Areas and lines of a run, and slots in which two areas had different prices."""

    areas: tuple[AreaPrice, ...]
    lines: tuple[LineUse, ...]
    apart: int
    traded: int

    def rows(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "areas": [asdict(area) for area in self.areas],
            "lines": [asdict(line) for line in self.lines],
            "slots_with_different_prices": self.apart,
            "slots_traded": self.traded,
        }

    def print(self, console: Console) -> None:
        """Two tables and a line; nothing for so few areas that the pictures say enough."""
        if len(self.areas) <= FEW:
            return
        prices = Table(title="prices by area, JPY/kWh")
        for heading in ("area", "traded slots", "mean", "lowest", "highest", "outside the market"):
            prices.add_column(heading, justify="left" if heading == "area" else "right")
        for row in self.areas:
            cells = (_two(value) for value in (row.mean, row.lowest, row.highest, row.outside))
            prices.add_row(row.area, str(row.slots), *cells)
        console.print(prices)
        unit, per = ("MW", 1_000) if max(row.mean_size_kw for row in self.lines) >= MEGA_KW else ("kW", 1)
        flows = Table(title=f"lines, mean over all slots, {unit}")
        for heading in ("line", "net flow", "size of flow", "full"):
            flows.add_column(heading, justify="left" if heading == "line" else "right")
        for use in self.lines:
            sizes = (f"{use.mean_kw / per:,.0f}", f"{use.mean_size_kw / per:,.0f}")
            flows.add_row(use.line, *sizes, f"{use.full_share:.0%}")
        console.print(flows)
        console.print(f"areas apart  {self.apart} of {self.traded} traded slots had more than one price")


def report_areas(trace: Trace) -> AreaReport:
    """The report of a trace."""
    price, outside = trace.named("price"), trace.named("outside")
    table = np.stack(list(price.values()), 1)
    traded = table != NO_PRICE
    lowest = np.where(traded, table, np.iinfo(np.int64).max).min(1)
    apart = (traded & (table != lowest[:, None])).any(1)
    areas = tuple(_area(area, column, outside[area]) for area, column in price.items())
    forward, backward = trace.named("forward_wh"), trace.named("backward_wh")
    lines = tuple(_line(name, flow, forward[name], backward[name]) for name, flow in trace.named("flow_wh").items())
    return AreaReport(areas, lines, int(apart.sum()), int(traded.any(1).sum()))


def _area(area: str, price: Int, outside: Int) -> AreaPrice:
    there = price != NO_PRICE
    known = price[there]
    if not len(known):
        return AreaPrice(area, 0, None, None, None, None)
    figures = (known.mean(), known.min(), known.max(), outside[there].mean())
    return AreaPrice(area, len(known), *(float(value) / MJPY_PER_JPY for value in figures))


def _line(name: str, flow: Int, forward: Int, backward: Int) -> LineUse:
    full = ((flow >= forward) & (forward > 0)) | ((-flow >= backward) & (backward > 0))
    return LineUse(name, float(flow.mean()) * KW_PER_WH, float(np.abs(flow).mean()) * KW_PER_WH, float(full.mean()))


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
