"""How prices forecast for a period compare with those published: errors, shapes, durations and splits.

The yardstick is "same slot yesterday" on the same half hours. A level is past-only: the median, over the half hours of
the days D-28 to D-1, of published over simulated price, by area (prices of D-1 are known before the auction for D).
Intervals resample whole months (scipy.stats.bootstrap), since errors of neighbouring days are alike.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from envs.japan_nine import AREAS, Floats

Mask = npt.NDArray[np.bool_]

SMALLEST = 0.5
"""Simulated prices below it count as it in a level [JPY/kWh]: near the floor a ratio says nothing."""
ALIKE = 0.005
"""Published prices closer than this are equal [JPY/kWh]."""
BORDERS = (
    ("hokkaido", "tohoku"), ("tohoku", "tokyo"), ("tokyo", "chubu"), ("tokyo", "kansai"),
    ("chubu", "kansai"), ("kansai", "chugoku"), ("chugoku", "shikoku"), ("chugoku", "kyushu"),
)  # fmt: skip
"""Pairs of areas whose splits are counted; Tokyo and Kansai share no line, they stand for east and west."""
RESAMPLES = 4_999
WORST = 20
"""The worst half hours are one in so many."""
FEWEST_MONTHS = 6
"""Below this an interval over months says nothing."""


@dataclass(frozen=True)
class Score:
    """A forecast against the published prices of a period [JPY/kWh], and against yesterday.

    Attributes:
        mae, median: mean and median absolute error.
        ratio: mean absolute error over yesterday's; low, high: its 95 % interval over months, NaN for few.
        better, months: months with a lower error than yesterday's, of all.
        by_year: the ratio of each fiscal year.
        shape: mean over days and areas of the correlation of the daily profile.
        duration: mean gap between the sorted prices, mean over areas.
        daily, within: mean absolute error of the daily means, and of the half hours once the daily means agree.
        worst: part of all error that lies in the worst twentieth of the half hours.
    """

    mae: float
    median: float
    ratio: float
    low: float
    high: float
    better: int
    months: int
    by_year: dict[int, float]
    shape: float
    duration: float
    daily: float
    within: float
    worst: float


@dataclass(frozen=True)
class Split:
    """How often two areas had different prices, in parts, and how well that was foretold (balanced accuracy)."""

    border: tuple[str, str]
    published: float
    simulated: float
    accuracy: float
    yesterday: float


def days_before(prices: Floats, count: int) -> Floats:
    """The same half hours `count` days earlier, NaN on the first days."""
    earlier = np.full_like(prices, np.nan)
    earlier[count:] = prices[:-count]
    return earlier


def past_level(published: Floats, simulated: Floats, window: int) -> Floats:
    """Level of each day and area from the `window` days before, (days, areas); NaN where they are not all there."""
    ratio = published / np.maximum(simulated, SMALLEST)
    level = np.full((len(ratio), ratio.shape[2]), np.nan)
    for day in range(window, len(ratio)):
        past = ratio[day - window : day].reshape(-1, ratio.shape[2])
        usable = ~np.isnan(past).all(0)
        level[day, usable] = np.nanmedian(past[:, usable], 0)
    return level


def move_yesterday(published: Floats, simulated: Floats, level: Floats, weight: float) -> Floats:
    """Yesterday's price moved by `weight` of the simulated change at today's level, not below the floor of 0.01."""
    change = (simulated - days_before(simulated, 1)) * level[:, None, :]
    return np.maximum(days_before(published, 1) + weight * change, 0.01)


def score(days: list[date], published: Floats, forecast: Floats, usable: Mask) -> Score:
    """Score a forecast on the half hours that are usable, (days, 48, areas) each."""
    error = np.where(usable, np.abs(forecast - published), 0.0)
    naive = np.where(usable, np.abs(days_before(published, 1) - published), 0.0)
    sums = np.stack([error.sum((1, 2)), naive.sum((1, 2))], 1)
    month = np.array([12 * day.year + day.month for day in days])
    year = np.array([day.year - (day.month < 4) for day in days])
    monthly = np.stack([sums[month == m].sum(0) for m in np.unique(month)])
    monthly = monthly[monthly[:, 1] > 0]
    yearly = {int(y): sums[year == y].sum(0) for y in np.unique(year)}
    low, high = month_interval(monthly)
    daily, within = error_parts(published, forecast, usable)
    gaps = np.sort(np.abs(forecast - published)[usable])[::-1]
    return Score(
        mae=float(error.sum() / usable.sum()),
        median=float(np.median(np.abs(forecast - published)[usable])),
        ratio=_ratio(sums.sum(0)),
        low=low,
        high=high,
        better=int((monthly[:, 0] < monthly[:, 1]).sum()),
        months=len(monthly),
        by_year={y: _ratio(both) for y, both in yearly.items() if both[1] > 0},
        shape=daily_shape(published, forecast, usable),
        duration=duration_gap(published, forecast, usable),
        daily=daily,
        within=within,
        worst=float(gaps[: len(gaps) // WORST].sum() / max(gaps.sum(), 1e-9)),
    )


def error_parts(published: Floats, forecast: Floats, usable: Mask) -> tuple[float, float]:
    """Mean absolute error of daily means, and of half hours less that day's gap of the means; whole days only."""
    whole = usable.all(1)
    if not whole.any():
        return float("nan"), float("nan")
    gap = np.where(usable, forecast - published, 0.0)
    mean = gap.mean(1)
    within = np.abs(gap - mean[:, None, :]).mean(1)
    return float(np.abs(mean)[whole].mean()), float(within[whole].mean())


def month_interval(monthly: Floats) -> tuple[float, float]:
    """95 % interval of the ratio of sums over months, rows (months, 2); NaN for few months."""
    if len(monthly) < FEWEST_MONTHS:
        return float("nan"), float("nan")
    from scipy.stats import bootstrap

    found = bootstrap(
        (monthly[:, 0], monthly[:, 1]),
        lambda ours, naive, axis: ours.sum(axis) / naive.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def daily_shape(published: Floats, forecast: Floats, usable: Mask) -> float:
    """Mean over whole days and areas of the correlation of both profiles of 48 half hours; flat ones are left out."""
    whole = usable.all(1)
    ours, theirs = (np.where(usable, x, 0.0) for x in (forecast, published))
    ours, theirs = ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True)
    size = np.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
    sound = whole & (size > 0)
    return float(((ours * theirs).sum(1)[sound] / size[sound]).mean()) if sound.any() else float("nan")


def duration_gap(published: Floats, forecast: Floats, usable: Mask) -> float:
    """Mean gap between the price duration curves, mean over areas [JPY/kWh]."""
    gaps = []
    for area in range(len(AREAS)):
        at = usable[..., area]
        if at.any():
            gaps.append(np.abs(np.sort(forecast[..., area][at]) - np.sort(published[..., area][at])).mean())
    return float(np.mean(gaps))


def splits(published: Floats, simulated: Floats, usable: Mask) -> list[Split]:
    """Splits of every border; simulated prices are those of the clearing, without any level."""
    naive = days_before(published, 1)
    found = []
    for border in BORDERS:
        one, other = (AREAS.index(area) for area in border)
        at = usable[..., one] & usable[..., other]
        truth, ours, theirs = (_apart(prices, one, other)[at] for prices in (published, simulated, naive))
        accuracy = balanced_accuracy(truth, ours), balanced_accuracy(truth, theirs)
        found.append(Split(border, float(truth.mean()), float(ours.mean()), *accuracy))
    return found


def balanced_accuracy(truth: Mask, said: Mask) -> float:
    """Mean of the hit rates on split and on joined half hours; NaN if one kind does not occur."""
    if truth.all() or not truth.any():
        return float("nan")
    return float((said[truth].mean() + (~said)[~truth].mean()) / 2)


def _apart(prices: Floats, one: int, other: int) -> Mask:
    return np.abs(prices[..., one] - prices[..., other]) > ALIKE


def _ratio(sums: Floats) -> float:
    return float(sums[0] / sums[1]) if sums[1] > 0 else float("nan")
