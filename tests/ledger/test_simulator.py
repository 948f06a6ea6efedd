"""The deterministic simulator: the rules hold under trouble, and each planted bug shows."""

import re
from pathlib import Path

import pytest

from ledger.sim_bugs import BUGS
from ledger.simulator import find_bug, simulate, simulate_liar

PAGE = Path(__file__).parents[2] / "docs" / "administrators.md"
SHOWN_AT = {
    name: int(seed) for name, seed in re.findall(r"^\| `([a-z-]+)`: [^|]+\| (\d+) \|$", PAGE.read_text("utf-8"), re.M)
}
"""At which seed each bug shows, as the page says; far fewer than the 20,000 it is given by command."""


@pytest.mark.parametrize("first", range(0, 2_000, 500))
def test_two_thousand_seeds_hold(first: int) -> None:
    """No two certified blocks at one height, none lost, promises kept, progress in the quiet; and trouble there was."""
    runs = [simulate(seed) for seed in range(first, first + 500)]
    assert [(run.seed, run.violation) for run in runs if run.violation] == []
    assert {run.size for run in runs} == {(3, 2), (4, 3), (5, 3)}
    for trouble in ("crashes", "torn writes", "lost messages", "doubled messages", "partitions", "epoch changes tried"):
        assert sum(run.counts.get(trouble, 0) for run in runs) > 100, trouble
    assert sum(run.counts["certified blocks"] for run in runs) > 2_500


def test_a_seed_is_a_run() -> None:
    """The same seed does the same things, whatever ran before."""
    first = [simulate(seed) for seed in range(20)]
    assert [simulate(seed) for seed in reversed(range(20))][::-1] == first
    assert len({tuple(run.counts.items()) for run in first}) > 10


@pytest.mark.parametrize("bug", BUGS)
def test_each_planted_bug_shows_at_the_seed_the_page_names(bug: str) -> None:
    """And at none before; without the bug the same seed holds."""
    found = find_bug(bug, range(SHOWN_AT[bug] + 1))
    assert found is not None
    assert found.seed == SHOWN_AT[bug]
    assert simulate(found.seed).violation == ""


def test_one_liar_of_four_certifies_no_fork() -> None:
    """With q = 3, whatever the liar says: 300 seeds."""
    assert [run.violation for run in (simulate_liar(seed, (4, 3)) for seed in range(300)) if run.violation] == []


def test_one_liar_of_three_is_convicted_by_its_fork() -> None:
    """With q = 2 a fork can be certified; each convicts the liar and nobody else."""
    forks = [run for run in (simulate_liar(seed, (3, 2)) for seed in range(300)) if run.violation]
    assert len(forks) > 10
    assert {run.convicted for run in forks} == {frozenset({2})}


@pytest.mark.slow
def test_more_seeds_hold() -> None:
    """20,000 others, and 10,000 with a liar."""
    assert [run.seed for run in map(simulate, range(2_000, 22_000)) if run.violation] == []
    assert [seed for seed in range(10_000) if simulate_liar(seed, (4, 3)).violation] == []
