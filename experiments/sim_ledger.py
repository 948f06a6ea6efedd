"""Campaigns of the simulator: many seeds, with the rules as they are, with one of them broken, or with a liar.

digitalgrid ledger sim --seeds 20000
digitalgrid ledger sim --seeds 20000 --bug all
digitalgrid ledger sim --seeds 5000 --liar 4,3
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import process_time

from ledger.sim_bugs import BUGS
from ledger.simulator import Run, simulate, simulate_bug, simulate_liar
from market.errors import ConfigError

Progress = Callable[[int, int], None]
FIRST_SHOWN = 5


@dataclass
class Campaign:
    """What many seeds came to.

    - seeds: how many ran; seconds of processor time; counts: what happened in all of them;
    - found: runs with a violation, the first few;
    - forks: how many runs certified a fork, and how many of them convicted the liar and nobody else (`liar` only).
    """

    name: str
    seeds: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    found: list[Run] = field(default_factory=list)
    forks: int = 0
    convicted: int = 0

    def describe(self) -> list[str]:
        """In words, a line each."""
        rate = self.seeds / self.seconds if self.seconds else 0.0
        lines = [f"{self.name}: {self.seeds} seeds in {self.seconds:.1f} s of processor time, {rate:.0f} a second"]
        lines.append(", ".join(f"{count:,} {what}" for what, count in sorted(self.counts.items())))
        lines += [f"seed {run.seed}, {run.size[1]} of {run.size[0]} sign: {run.violation}" for run in self.found]
        if self.forks:
            lines.append(f"{self.forks} forks certified, {self.convicted} of them convict the liar and nobody else")
        elif not self.found:
            lines.append("no violation")
        return lines


def run_seeds(seeds: int, first: int, progress: Progress) -> Campaign:
    """Seeds with the rules as they are."""
    return _run("rules as they are", simulate, seeds, first, progress, stop=False)


def hunt(bug: str, seeds: int, first: int, progress: Progress) -> list[Campaign]:
    """For a planted bug, or `all`, seeds until it shows; raises ConfigError for an unknown one."""
    names = list(BUGS)
    if bug != "all" and bug not in names:
        raise ConfigError(f"unknown bug {bug!r}", where="--bug", do=f"choose all, {', '.join(names)}")
    chosen = names if bug == "all" else [bug]
    return [_run(name, partial(simulate_bug, bug=name), seeds, first, progress, stop=True) for name in chosen]


def run_liar(size: str, seeds: int, first: int, progress: Progress) -> Campaign:
    """Seeds with one lying administrator; `size` is n,q as in `4,3`; raises ConfigError for anything else."""
    try:
        n, quorum = (int(part) for part in size.split(","))
    except ValueError as error:
        raise ConfigError(f"{size!r} is not n,q", where="--liar", do="give for example 4,3") from error
    return _run(f"a liar among {n}", partial(simulate_liar, size=(n, quorum)), seeds, first, progress, stop=False)


def _run(name: str, one: Callable[[int], Run], seeds: int, first: int, progress: Progress, *, stop: bool) -> Campaign:
    campaign, began = Campaign(name), process_time()
    for seed in range(first, first + seeds):
        run = one(seed)
        campaign.seeds += 1
        campaign.counts.update(run.counts)
        progress(campaign.seeds, seeds)
        if run.convicted:
            campaign.forks += 1
            campaign.convicted += run.convicted == {run.size[0] - 1}
        if run.violation and len(campaign.found) < FIRST_SHOWN:
            campaign.found.append(run)
        if run.violation and stop:
            break
    campaign.seconds = process_time() - began
    return campaign
