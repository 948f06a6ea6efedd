"""backtest calibrate: fit costs, spreads and availabilities of the simulated nine areas to published prices.

A random search that keeps what is better: every try changes one to three of the parameters by some 12 % and is judged
on all calibration days at six half hours a day. Judged is the sum of two ratios to "same slot yesterday": of the
simulation at its past-only 28-day level, and of yesterday's price moved by the simulated change. Line capacities and
fleets are not touched. Try i of a seed is drawn from (seed, i), so a search that was stopped goes on where it was.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.japan_nine import FUELS, Floats
from experiments.japan_inputs import CALIBRATE_UNTIL, LONG_LEVEL, Inputs, calibration_days, read_inputs
from experiments.japan_model import Fit, Nation, simulate_prices
from experiments.japan_scores import Mask, days_before, move_yesterday, past_level
from market.errors import ConfigError

FIRST_GUESS = Fit((3.8, 6.5, 11.0, 10.0), (0.8, 0.75, 0.6, 0.2), (0.6, 0.95, 1.0, 0.5), 0.1, 0.8)
"""Rounded result of an earlier search on the same days with coarser steps, begun at 4.3, 7.2, 14 and 9.6 JPY/kWh."""
JUDGED_SLOTS = np.array([3, 13, 20, 26, 35, 41])
WEIGHTS = tuple(np.round(np.arange(0.1, 1.01, 0.1), 1).tolist())
SHAKE = 0.12
WIDEST, MOST_AVAILABLE, MOST_MAINTAINED = 0.95, 1.0, 0.5
MOST_TRIES = 100_000


@dataclass(frozen=True)
class Found:
    """A fit, its two ratios on the calibration days, the weight that moves yesterday best, and the tries it took."""

    fit: Fit
    level_ratio: float
    moved_ratio: float
    weight: float
    tries: int

    def rows(self) -> list[dict[str, Any]]:
        """The fit and what it reached, in one row."""
        return [{**self.fit._asdict(), **{name: value for name, value in vars(self).items() if name != "fit"}}]

    def print(self) -> None:
        """The fit as a table on standard output."""
        from rich.table import Table

        from experiments.screen import console

        table = Table(title=f"fit after {self.tries} tries, 2018-10-01 to {CALIBRATE_UNTIL} without the spike")
        for head in ("fuel", "cost [JPY/kWh]", "spread", "available"):
            table.add_column(head, justify="left" if head == "fuel" else "right")
        for fuel, *values in zip(FUELS, self.fit.cost, self.fit.spread, self.fit.available, strict=True):
            table.add_row(fuel, *(f"{value:.3f}" for value in values))
        console().print(table)
        share = f"{100 * self.fit.maintained:.1f} %"
        console().print(f"out in spring and autumn {share}; what always runs x {self.fit.runs:.3f}")
        console().print("error over yesterday's on calibration days:")
        console().print(f"  level of {LONG_LEVEL} days {self.level_ratio:.3f}")
        console().print(f"  yesterday + {self.weight} x change {self.moved_ratio:.3f}")


def calibrate(
    folder: Path, tries: int, seed: int, keep: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> Found:
    """Search `tries` fits from the first guess, or from where `keep` left off; raises DataError, ConfigError."""
    if not 1 <= tries <= MOST_TRIES:
        raise ConfigError(f"{tries} is not possible", where="--tries", do=f"give 1 to {MOST_TRIES}")
    done, fit = _resume(keep, seed)
    judge = Judge(read_inputs(folder, CALIBRATE_UNTIL, fill=True))
    best = judge.judge(fit, done)
    for number in range(done, tries):
        found = judge.judge(shake(fit, seed, number), number + 1)
        if found.level_ratio + found.moved_ratio < best.level_ratio + best.moved_ratio:
            best, fit = found, found.fit
        if keep:
            _keep(keep, seed, number + 1, fit)
        if progress:
            progress(number + 1 - done, tries - done)
    return Found(best.fit, best.level_ratio, best.moved_ratio, best.weight, max(tries, done))


class Judge:
    """Judges fits on the calibration days of what was read."""

    def __init__(self, inputs: Inputs) -> None:
        rows = np.arange(inputs.row_of(CALIBRATE_UNTIL) + 1)
        self._nation: Nation = inputs.nation.part(rows)
        self._published: Floats = inputs.published[rows][:, JUDGED_SLOTS]
        own = calibration_days(self._nation.days)
        # levels and yesterdays of a judged day must not reach into the spike or before the indirect auction
        clean = np.convolve(own, np.ones(LONG_LEVEL + 1))[: len(own)] == LONG_LEVEL + 1
        self._judged: Mask = clean[:, None, None] & ~np.isnan(self._published + days_before(self._published, 1))

    def judge(self, fit: Fit, tries: int) -> Found:
        """Both ratios of a fit, the second at the weight that suits it best."""
        simulated = simulate_prices(self._nation, fit, JUDGED_SLOTS)
        level = past_level(self._published, simulated, LONG_LEVEL)
        moved = {w: self._ratio(move_yesterday(self._published, simulated, level, w)) for w in WEIGHTS}
        weight = min(moved, key=lambda w: moved[w])
        return Found(fit, self._ratio(simulated * level[:, None, :]), moved[weight], weight, tries)

    def _ratio(self, forecast: Floats) -> float:
        published, judged = self._published, self._judged
        naive = np.abs(days_before(published, 1) - published)[judged].sum()
        return float(np.abs(forecast - published)[judged].sum() / naive)


def shake(fit: Fit, seed: int, number: int) -> Fit:
    """The fit with one to three parameters changed, drawn from (seed, number), within their bounds."""
    stream = np.random.default_rng((seed, number))
    flat = np.concatenate([fit.cost, fit.spread, fit.available, [fit.maintained, fit.runs]])
    which = stream.choice(len(flat), stream.integers(1, 4), replace=False)
    flat[which] *= np.exp(stream.normal(0, SHAKE, len(which)))
    count = len(FUELS)
    cost, spread, available = (tuple(flat[i * count : (i + 1) * count].round(3).tolist()) for i in range(3))
    spread, available = (tuple(min(v, top) for v in vs) for vs, top in ((spread, WIDEST), (available, MOST_AVAILABLE)))
    maintained, runs = flat[-2:].round(3).tolist()
    return Fit(cost, spread, available, min(maintained, MOST_MAINTAINED), runs)


def _keep(path: Path, seed: int, done: int, fit: Fit) -> None:
    try:
        path.write_text(json.dumps({"seed": seed, "done": done, "fit": fit._asdict()}), "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path), do="give another --keep") from error


def _resume(path: Path | None, seed: int) -> tuple[int, Fit]:
    """Tries done and the best fit so far."""
    if path is None or not path.exists():
        return 0, FIRST_GUESS
    try:
        kept = json.loads(path.read_text("utf-8"))
        fit, same = kept["fit"], kept["seed"] == seed
        found = Fit(tuple(fit["cost"]), tuple(fit["spread"]), tuple(fit["available"]), fit["maintained"], fit["runs"])
        done = int(kept["done"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("is not a kept search", where=str(path), do="give another --keep") from error
    if not same:
        raise ConfigError(f"was kept with seed {kept['seed']}", where=str(path), do="give that --seed")
    return done, found
