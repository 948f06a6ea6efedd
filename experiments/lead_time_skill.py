"""How well what was contracted early foretold the flow of lines, and which of them would be full.

Three forecasts are measured against the final net flow of each line and half hour: what is contracted at a lead; what
happened on the same day and half hour under the study's other seeds ("other years": the same parties with other draws
of limits, weather and arrivals), which needs no contracts; and both together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from market.units import Int

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class LineUse(NamedTuple):
    """Committed use of lines under one order flow [Wh], last axis forward and backward.

    known_wh (leads, markets, lines, 2) at each lead; final_wh (markets, lines, 2); netting: opposite uses free room.
    """

    known_wh: Int
    final_wh: Int
    netting: bool = True


@dataclass(frozen=True)
class Skill:
    """Skill of the contracts of one order flow: (leads,) over all lines; (leads, lines) for each.

    - correlation, line_correlation: of known with final net flow over the half hours of a line; mean over lines;
    - error: mean of |known - final| as a part of the line's capacity in the final direction;
    - precision, recall: of (line, direction, half hour) known full, the part that ended full; of those that ended full,
      the part that was known full; NaN where there is none;
    - joined_correlation, joined_error: of what other years had, corrected by what is contracted; NaN under three seeds;
    - usual_*: the same four of what other years had, without contracts: their mean flow, and full where at least half
      of them were; NaN for a single seed.
    """

    correlation: Floats
    error: Floats
    precision: Floats
    recall: Floats
    line_correlation: Floats
    joined_correlation: Floats
    joined_error: Floats
    usual_correlation: float
    usual_error: float
    usual_precision: float
    usual_recall: float


def measure_skills(uses: Sequence[LineUse], capacity_wh: Int) -> list[Skill]:
    """Skill of each order flow's contracts; the others are its other years."""
    return [_measure(use, [other for other in uses if other is not use], capacity_wh) for use in uses]


def net_flow(use_wh: Int) -> Int:
    """Forward less backward (..., lines) [Wh]."""
    return np.asarray(use_wh[..., 0] - use_wh[..., 1])


def full_directions(use_wh: Int, capacity_wh: Int, netting: bool = True) -> Flags:
    """Which directions of which lines have no room left (..., lines, 2)."""
    taken = use_wh - use_wh[..., ::-1] if netting else use_wh
    return np.asarray(taken >= capacity_wh)


def mean_correlation(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> float:
    """Mean over lines of the correlation over markets of two (markets, lines); lines that never change are left out."""
    return float(_mean(_correlations(left, right)))


def _measure(use: LineUse, others: list[LineUse], capacity_wh: Int) -> Skill:
    net, known = net_flow(use.final_wh), net_flow(use.known_wh)
    full = full_directions(use.final_wh, capacity_wh, use.netting)
    seen = full_directions(use.known_wh, capacity_wh, use.netting)
    room = np.where(net >= 0, capacity_wh[..., 0], capacity_wh[..., 1])
    line_correlation = np.array([_correlations(at_lead, net) for at_lead in known])
    joined = _join(known, others, capacity_wh)
    usual, usually_full = _usual(others, capacity_wh)
    return Skill(
        correlation=_mean(line_correlation),
        error=_errors(known, net, room),
        precision=np.array([_part(at_lead & full, at_lead) for at_lead in seen]),
        recall=np.array([_part(at_lead & full, full) for at_lead in seen]),
        line_correlation=line_correlation,
        joined_correlation=np.array([mean_correlation(at_lead, net) for at_lead in joined]),
        joined_error=_errors(joined, net, room),
        usual_correlation=mean_correlation(usual, net),
        usual_error=float(_errors(usual[None], net, room)[0]),
        usual_precision=_part(usually_full & full, usually_full) if others else np.nan,
        usual_recall=_part(usually_full & full, full) if others else np.nan,
    )


def _usual(others: list[LineUse], capacity_wh: Int) -> tuple[Floats, Flags]:
    """Mean net flow of other years (markets, lines), NaN if there are none, and what half of them had full."""
    shape = capacity_wh.shape
    if not others:
        return np.full(shape[:2], np.nan), np.zeros(shape, bool)
    full = [full_directions(other.final_wh, capacity_wh, other.netting) for other in others]
    return np.mean([net_flow(other.final_wh) for other in others], 0), np.asarray(np.mean(full, 0) >= 0.5)


def _join(known: Int, others: list[LineUse], capacity_wh: Int) -> Floats:
    """The flow of other years plus, for each line and lead, a part of what is contracted beyond theirs.

    The part is the least-squares slope of final on known flow over the other years' differences from their mean, so
    that contracts which say nothing are not listened to. Within capacity; NaN with fewer than two other years.
    """
    if len(others) < 2:
        return np.full(known.shape, np.nan)
    theirs = np.array([net_flow(other.known_wh) for other in others], np.float64)
    final = np.array([net_flow(other.final_wh) for other in others], np.float64)
    more, differs = theirs - theirs.mean(0), final - final.mean(0)
    power = (more**2).sum((0, 2))
    slope = np.divide((more * differs[:, None]).sum((0, 2)), power, out=np.zeros_like(power), where=power > 0)
    forecast = final.mean(0) + slope[:, None] * (known - theirs.mean(0))
    return np.asarray(np.clip(forecast, -capacity_wh[..., 1], capacity_wh[..., 0]))


def _errors(forecast: npt.NDArray[Any], net: Int, room: Int) -> Floats:
    return np.asarray((np.abs(forecast - net) / room).mean((1, 2)))


def _correlations(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Floats:
    """Correlation over markets of each line, NaN where one side never changes or is NaN."""
    ours, theirs = left - left.mean(0), right - right.mean(0)
    scale = np.sqrt((ours.astype(np.float64) ** 2).sum(0) * (theirs.astype(np.float64) ** 2).sum(0))
    nothing = np.full(scale.shape, np.nan)
    return np.asarray(np.divide((ours * theirs).sum(0), scale, out=nothing, where=scale > 0))


def _mean(lines: Floats) -> Floats:
    """Mean over the lines that have a value, NaN where none has."""
    there = ~np.isnan(lines)
    count = there.sum(-1)
    total = np.where(there, lines, 0).sum(-1)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def _part(hit: Flags, of: Flags) -> float:
    return float(hit.sum() / of.sum()) if of.any() else float("nan")
