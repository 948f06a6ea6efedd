"""The zero-intelligence experiment (Gode and Sunder 1993, DOI 10.1086/261868) in the real book, and ZIP beside it.

Traders without memory or aim reach nearly all of the possible surplus as long as they may not lose money on a unit
(ZI-C); without that constraint (ZI-U) nothing of it is left. Values are random and drawn anew for each session, so the
levels are those of random values, not of the schedules of 1993. Traders with a margin that learns (ZIP) come closer
from period to period, and so do their prices (Smith's alpha falls).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from experiments.evaluate import t_interval
from experiments.findings import Estimate
from experiments.induced_values import Bidding, Played, draw_sessions, play
from market.errors import ConfigError

Progress = Callable[[int, int], None]

ZI_C: Bidding = "zero-intelligence"
ZI_U: Bidding = "zero-intelligence-unconstrained"
ZIP: Bidding = "zip"
GROUP = 30
"""Sessions of one mean that is held to a threshold; single sessions scatter too much."""
PERIODS = 6
"""Trading periods with the same values for the comparison with ZIP, as in the laboratory."""
MOST_SESSIONS = 20_000


@dataclass(frozen=True)
class Market:
    """One kind of market: traders a side, units of each, and the threshold of ZI-C's mean of 30 sessions.

    Thresholds lie below the 0.1 % quantile of such means in 4,000 to 20,000 sessions of a separate simulation.
    """

    side: int
    units: int
    threshold: float

    @property
    def name(self) -> str:
        """As tables print it."""
        return f"{self.side}+{self.side} x {self.units}"


MARKETS = (Market(6, 4, 0.955), Market(12, 1, 0.90))
UNCONSTRAINED_WITHIN, BELOW = 0.1, 0.5
"""ZI-U's surplus lies this near zero in 1,000 sessions together, and at least so far below ZI-C's."""
PAPER_MARKET = Market(12, 1, 0.90)
"""Market of the comparison with ZIP, whose traders have one unit each (HPL-97-91)."""


@dataclass(frozen=True)
class Row:
    """Efficiency of one kind of bidder in one kind of market, as parts of the possible surplus.

    `mean` over sessions (the ratio of sums for ZI-U: single ratios have tiny denominators), `lowest` the lowest mean
    of 30 sessions in a row, `fifth` what 5 % of sessions stay below, `volume` traded over equilibrium volume.
    """

    market: str
    bidding: Bidding
    quotes: str
    sessions: int
    mean: Estimate
    together: Estimate
    lowest: float
    fifth: float
    volume: float


@dataclass(frozen=True)
class ZeroIntelligenceStudy:
    """What the study found.

    periods: efficiency of the surplus together and mean of Smith's alpha by period, for ZI-C and ZIP; `example` and
    `unconstrained` are the plays of the first market that pictures show.
    """

    rows_found: tuple[Row, ...]
    efficiency_by_period: dict[str, tuple[Estimate, ...]]
    alpha_by_period: dict[str, tuple[Estimate, ...]]
    example: Played
    unconstrained: Played

    def checks(self) -> dict[str, bool]:
        """Whether the thresholds hold, by what they say."""
        found = {(row.market, row.bidding, row.quotes): row for row in self.rows_found}
        held = {}
        for market in MARKETS:
            free, bound = (found[market.name, bidding, "kept"] for bidding in (ZI_U, ZI_C))
            held[f"{market.name}: every mean of {GROUP} sessions of ZI-C >= {market.threshold}"] = (
                bound.lowest >= market.threshold
            )
            held[f"{market.name}: ZI-U together within {UNCONSTRAINED_WITHIN} of zero"] = (
                abs(free.together.mean) <= UNCONSTRAINED_WITHIN
            )
            held[f"{market.name}: ZI-U at least {BELOW} below ZI-C"] = free.together.mean <= bound.together.mean - BELOW
        last = {name: periods[-1] for name, periods in self.efficiency_by_period.items()}
        alpha = self.alpha_by_period[ZIP]
        held[f"{PAPER_MARKET.name}: ZIP at least as efficient as ZI-C in the last period"] = (
            last[ZIP].mean >= last[ZI_C].mean
        )
        held[f"{PAPER_MARKET.name}: ZIP's alpha falls from the first period to the last"] = (
            alpha[-1].mean < alpha[0].mean
        )
        return held

    def rows(self) -> dict[str, object]:
        """Plain values for programs."""
        return {
            "markets": [asdict(row) for row in self.rows_found],
            "efficiency_by_period": {n: [asdict(e) for e in row] for n, row in self.efficiency_by_period.items()},
            "alpha_by_period": {n: [asdict(e) for e in row] for n, row in self.alpha_by_period.items()},
            "checks": self.checks(),
        }

    def print(self) -> None:
        """Two tables and what holds, for people."""
        from rich.table import Table

        from experiments.screen import console

        screen = console()
        table = Table(title="surplus realised over surplus possible, random values 1 to 200 [%]")
        for heading in ("market", "bidders", "quotes after a trade"):
            table.add_column(heading)
        for heading in ("mean of sessions", "all together", f"lowest mean of {GROUP}", "5 % stay below", "volume"):
            table.add_column(heading, justify="right")
        for row in self.rows_found:
            apart = "-" if row.bidding == ZI_U else _percent(row.mean)
            numbers = (apart, _percent(row.together), f"{row.lowest:z.1%}", f"{row.fifth:z.1%}", f"{row.volume:.2f}")
            table.add_row(row.market, row.bidding, row.quotes, *numbers)
        screen.print(table)
        screen.print(self._period_table(Table))
        for what, holds in self.checks().items():
            screen.print(f"{'holds' if holds else 'FAILS'}  {what}")

    def _period_table(self, make: type) -> object:
        table = make(title=f"{PAPER_MARKET.name}, {PERIODS} periods with the same values")
        table.add_column("measure")
        for period in range(PERIODS):
            table.add_column(f"period {period + 1}", justify="right")
        for name, periods in self.efficiency_by_period.items():
            table.add_row(f"{name}: surplus [%]", *map(_percent, periods))
        for name, periods in self.alpha_by_period.items():
            table.add_row(f"{name}: Smith's alpha [%]", *map(_percent, periods))
        return table


def study_zero_intelligence(
    sessions: int = 1_020, seed: int = 0, offers: int = 50, progress: Progress | None = None
) -> ZeroIntelligenceStudy:
    """Play all markets.

    Args:
        sessions: of each market and bidder, at least 30.
        seed: key of the first session.
        offers: steps for each unit of each trader.
        progress: called with plays done and plays in all.

    Raises:
        ConfigError: sessions or offers are out of range.
    """
    for name, value, least, most in (("sessions", sessions, GROUP, MOST_SESSIONS), ("offers", offers, 1, 1_000)):
        if not least <= value <= most:
            raise ConfigError(f"{value} is not possible", where=f"--{name}", do=f"give {least} to {most}")
    cases = [(m, b, w) for m in MARKETS for b, w in ((ZI_C, False), (ZI_C, True), (ZI_U, False))]
    plays: list[Played] = []
    for market, bidding, wipe in cases:
        values = draw_sessions(seed, sessions, market.side, market.side, market.units)
        plays.append(play(values, bidding, seed, offers=offers, wipe=wipe))
        _tell(progress, len(plays), len(cases) + 2)
    values = draw_sessions(seed, sessions, PAPER_MARKET.side, PAPER_MARKET.side, PAPER_MARKET.units)
    learning = {}
    for done, bidding in enumerate((ZI_C, ZIP), len(cases) + 1):
        learning[bidding] = play(values, bidding, seed, offers=offers, periods=PERIODS)
        _tell(progress, done, len(cases) + 2)
    return ZeroIntelligenceStudy(
        tuple(_row(*case, played) for case, played in zip(cases, plays, strict=True)),
        {name: _by_period(played) for name, played in learning.items()},
        {name: tuple(_mean(column) for column in played.alpha().T) for name, played in learning.items()},
        plays[0],
        plays[2],
    )


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress:
        progress(done, total)


def _row(market: Market, bidding: Bidding, wipe: bool, played: Played) -> Row:
    apart = played.efficiency[:, 0]
    groups = [
        _ratio(played, 0, rows).mean if bidding == ZI_U else float(np.nanmean(apart[rows]))
        for rows in _groups(len(apart))
    ]
    traded, possible = played.traded[:, 0, : market.side].sum(), played.sessions.volume().sum()
    return Row(
        market.name,
        bidding,
        "wiped" if wipe else "kept",
        len(apart),
        _mean(apart),
        _ratio(played, 0),
        min(groups),
        float(np.nanquantile(apart, 0.05)),
        float(traded / possible),
    )


def _groups(count: int) -> list[slice]:
    """Whole groups of sessions in a row."""
    return [slice(first, first + GROUP) for first in range(0, count - GROUP + 1, GROUP)]


def _by_period(played: Played) -> tuple[Estimate, ...]:
    return tuple(_ratio(played, period) for period in range(played.traded.shape[1]))


def _ratio(played: Played, period: int, rows: slice = slice(None)) -> Estimate:
    """Surplus of sessions together over what was possible, with the interval of a ratio of means (delta method)."""
    realised = played.realised[rows, period].astype(np.float64)
    possible = played.sessions.largest_surplus()[rows].astype(np.float64)
    ratio = float(realised.sum() / possible.sum())
    off = t_interval((realised - ratio * possible) / possible.mean())
    if off.low is None or off.high is None:
        return Estimate(ratio)
    return Estimate(ratio, ratio + off.low, ratio + off.high)


def _mean(column: np.ndarray) -> Estimate:
    """Mean and interval over the sessions that have a value."""
    return t_interval(column[~np.isnan(column)])


def _percent(value: Estimate) -> str:
    """Mean with half the width of its interval, in percent."""
    half = "" if value.low is None or value.high is None else f" ± {(value.high - value.low) / 2:.1%}".rstrip("%")
    return f"{value.mean:z.1%}".rstrip("%") + half
