"""What a market maker adds to a market and what it earns: one home makes a market, the others bid as before.

Both runs have the same held-out worlds and draws; in the *twin* the home bids as everybody else. Measures of the
others: energy that found a contract as a part of all they contracted or left to the retailer, energy left to
the retailer, and the book that a store sees for the slot after the gate: how often it holds both sides, and how far
they are apart. Intervals are 95 % t intervals over worlds of the difference between the runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.market_maker import LIMIT_WH, SPREAD, MarketMaker
from agents.observing import NO_QUOTE
from agents.strategies import Bidder, Mixed
from envs.opening import open_world
from envs.scenario_schema import Scenario
from envs.tally import Flow
from envs.world import World
from experiments.evaluate import JUDGE_SEED, t_interval
from experiments.findings import Estimate
from market.errors import ConfigError
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

BACKGROUNDS = ("truthful", "zip", "zero-intelligence", "markup:0.5")
"""How everybody else bids."""
MAKER = 0
"""Row of the home that makes the market."""
MOST_WORLDS, MOST_DAYS = 512, 7
TRADED = (Flow.BOUGHT, Flow.SOLD)
RESORT = (Flow.RESORT_SUPPLY, Flow.RESORT_SURPLUS)


@dataclass(frozen=True)
class Liquidity:
    """Measures of one run, one value for each world (w,).

    traded: part of the others' energy under contract; resort_kwh_day: what they left to the retailer; two_sided: part
    of the steps with both sides in the book; spread_jpy_kwh: their distance then, NaN where never; maker_jpy_day and
    others_jpy_day: money of the home and of all others; turnover_kwh_day: what the home bought and sold.
    """

    traded: Floats
    resort_kwh_day: Floats
    two_sided: Floats
    spread_jpy_kwh: Floats
    maker_jpy_day: Floats
    others_jpy_day: Floats
    turnover_kwh_day: Floats


MEASURES = {
    "traded": ("others' energy under contract [%]", 100.0),
    "resort_kwh_day": ("others' energy left to the retailer [kWh/day]", 1.0),
    "two_sided": ("both sides quoted, part of the steps [%]", 100.0),
    "spread_jpy_kwh": ("distance between best bid and ask [JPY/kWh]", 1.0),
    "turnover_kwh_day": ("bought and sold by the home [kWh/day]", 1.0),
    "maker_jpy_day": ("money of the home [JPY/day]", 1.0),
    "others_jpy_day": ("money of all others [JPY/day]", 1.0),
}
"""What each measure is called, and the factor it is printed with."""


@dataclass(frozen=True)
class Change:
    """A measure without and with the market maker (means over worlds), and its change in the same worlds."""

    without: float
    with_maker: float
    change: Estimate


@dataclass(frozen=True)
class MarketMakerStudy:
    """Changes by background and measure."""

    spread: float
    limit_wh: int
    worlds: int
    days: int
    changes: Mapping[str, Mapping[str, Change]]

    def rows(self) -> dict[str, object]:
        """Plain values for programs, in the units of the names."""
        asked = {"spread": self.spread, "limit_wh": self.limit_wh, "worlds": self.worlds, "days": self.days}
        found = {others: {name: asdict(c) for name, c in by.items()} for others, by in self.changes.items()}
        return {**asked, **found}

    def print(self) -> None:
        """One table, for people."""
        from rich.table import Table

        from experiments.screen import console

        where = f"{self.worlds} worlds of {self.days} days"
        table = Table(
            title=f"one home makes a market (spread {self.spread:g} of the band, {self.limit_wh} Wh): {where}"
        )
        for heading in ("others bid", "measure"):
            table.add_column(heading)
        for heading in ("without", "with", "change"):
            table.add_column(heading, justify="right")
        for others, by in self.changes.items():
            for name, (title, factor) in MEASURES.items():
                found = by[name]
                cells = (f"{found.without * factor:,.2f}", f"{found.with_maker * factor:,.2f}")
                table.add_row(others, title, *cells, _text(found.change, factor))
            table.add_section()
        console().print(table)


def study_market_maker(
    scenario: str | Scenario = "urawa-misono",
    *,
    spread: float = SPREAD,
    limit_wh: int = LIMIT_WH,
    worlds: int = 26,
    days: int = 7,
    seed: int = JUDGE_SEED,
    progress: Progress | None = None,
) -> MarketMakerStudy:
    """Play every background without and with the market maker.

    Raises:
        ConfigError: an argument is out of range.
    """
    for name, value, least, most in (("worlds", worlds, 2, MOST_WORLDS), ("days", days, 1, MOST_DAYS)):
        if not least <= value <= most:
            raise ConfigError(f"{value} is not possible", where=f"--{name}", do=f"give {least} to {most}")
    if not 0 <= spread <= 1 or limit_wh < 1:
        what = f"a spread of {spread:g} with a limit of {limit_wh} Wh is not possible"
        raise ConfigError(what, where="--spread, --limit", do="give a part of the band, 0 to 1, and at least 1 Wh")
    changes = {}
    for done, others in enumerate(BACKGROUNDS):
        pair = []
        for number, home in enumerate((find_bidder(others), MarketMaker(spread, limit_wh))):
            world = _open(scenario, find_bidder(others), home, worlds, days, seed)
            pair.append(_play(world))
            if progress:
                progress(2 * done + number + 1, 2 * len(BACKGROUNDS))
        changes[others] = {name: _change(*(getattr(run, name) for run in pair)) for name in MEASURES}
    return MarketMakerStudy(spread, limit_wh, worlds, days, changes)


def _open(scenario: str | Scenario, others: Bidder, home: Bidder, worlds: int, days: int, seed: int) -> World:
    policies: dict[str, str | Bidder] = dict.fromkeys(("store", "solar", "thermal"), others)
    policies["home"] = Mixed(others, {MAKER: home})
    return open_world(scenario, "dgp", worlds, seed, policies=policies, days=days, held_out=True, ledger="off")


def _play(world: World) -> Liquidity:
    """Run an episode and measure it."""
    world.reset()
    done, seen = False, []
    while not done:
        view = world.view(Role.STORE)
        if view.position_wh.shape[-1] > 1:
            seen.append(np.stack([view.best_bid[:, 0, 1], view.best_ask[:, 0, 1]]))
        done = world.step().done
    bid, ask = np.array(seen).swapaxes(0, 1)
    both = (bid != NO_QUOTE) & (ask != NO_QUOTE)
    apart = np.where(both, ask - bid, 0).sum(0) / np.where(both.any(0), both.sum(0), np.nan) / MJPY_PER_JPY
    maker = int(world.fleet.rows(Role.HOME)[MAKER])
    rest = np.delete(np.arange(world.fleet.count), maker)
    energy = world.tally.energy_wh / WH_PER_KWH / world.days
    money = world.tally.money_of_parties() / UJPY_PER_JPY / world.days
    traded, resort = energy[:, rest][..., TRADED].sum((1, 2)), energy[:, rest][..., RESORT].sum((1, 2))
    return Liquidity(
        traded / (traded + resort),
        resort,
        both.mean(0),
        apart,
        money[:, maker],
        money[:, rest].sum(1),
        energy[:, maker][..., TRADED].sum(-1),
    )


def _change(without: Floats, with_maker: Floats) -> Change:
    both = ~np.isnan(without) & ~np.isnan(with_maker)
    if not both.any():
        return Change(float("nan"), float("nan"), Estimate(float("nan")))
    return Change(float(without[both].mean()), float(with_maker[both].mean()), t_interval((with_maker - without)[both]))


def _text(change: Estimate, factor: float) -> str:
    if change.low is None or change.high is None:
        return f"{change.mean * factor:+,.2f}"
    return f"{change.mean * factor:+,.2f} ({change.low * factor:+,.2f} to {change.high * factor:+,.2f})"
