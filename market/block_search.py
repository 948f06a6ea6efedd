"""Which blocks an auction accepts: the acceptance of most welfare in which no block loses (branch and bound).

- A node is a set of fills still possible (`Domain`). Its bound comes from the relaxation (`market.block_bounds`), in
  integers; candidates are priced by the auction itself, and only these become the answer.
- When the best of a node has a loser, every acceptance in the node that fills no block less is out too: with prices
  that please all its blocks these prices would be worth as much to the smaller set, which is the best of the node. So
  the node splits by which block is filled less (after Madani and Van Vyve, 2015, doi:10.1016/j.ejor.2014.11.001).
- More supply never raises a price of the smallest vector, more demand never lowers one (the dual is submodular): blocks
  that lose even with all help that the node allows are ruled out.
- Of blocks that differ in arrival only, the later one is never filled more.
- A first acceptance comes from the relaxation, by dropping the worst loser and trying blocks one by one; this is what
  stands, with its gap to the bound, when the node limit is reached.

Nodes are counted and no clock is read, so the answer is the same on every machine.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.block_books import Mask, Priced, Problem, energies, make_lane, margins_of, price_blocks
from market.block_bounds import Domain, Relaxation, Ties, bound_at
from market.units import PPM, Int

ROOT_ROUNDS, NODE_ROUNDS = 200, 8
"""Auctions priced for the relaxation of the first node and of each other one."""
REST = 10**9
"""A node with partly filled blocks is left when no more than one part in so many of the welfare can be won."""
SOME_TENS, LESS = 60, 10
"""Beyond so many blocks in a group, where a proof is rare, this part of the nodes is looked at."""
PASSES = 4
"""Rounds of the local search over all blocks."""
WHOLE_FILL = 1e-9
"""Fills of the relaxation that differ less from a limit are at it."""

Floats = npt.NDArray[np.float64]
Confirm = Callable[[Int], bool]
"""Whether the auction fills these energies of the blocks (blocks, slots) wholly."""


class Found(NamedTuple):
    """The best acceptance: fills (blocks,) [ppm], welfare and bound [uJPY], nodes looked at."""

    fill_ppm: Int
    value: int
    bound: int
    nodes: int


class Candidate(NamedTuple):
    """Fills, their auction, and whether no accepted block loses and all of them trade."""

    fill: Int
    priced: Priced
    valid: bool
    key: int


def search(problem: Problem, confirm: Confirm, most_nodes: int) -> Found:
    """The acceptance of most welfare without losers; of equals the one with more block energy, then earlier blocks."""
    few = len(problem.sign) <= SOME_TENS
    return _Search(problem, confirm).run(most_nodes if few else most_nodes // LESS)


class _Search:
    """One search: its relaxation, its prices from which neighbours are found quickly, and the best so far."""

    def __init__(self, problem: Problem, confirm: Confirm) -> None:
        self.problem, self.confirm, self.ties = problem, confirm, Ties(problem)
        # the last auction, the last one with all help to sales, and to purchases
        self.lanes = tuple(make_lane(problem) for _ in range(3))
        self.twin = _twins(problem)
        nothing = np.zeros(len(problem.sign), np.int64)
        self.best = self.judge(nothing, price_blocks(problem, np.zeros_like(problem.profile), self.lanes[0]))
        self.relaxation = Relaxation(problem, self.best.priced)
        self.open: list[tuple[int, int, int, Domain]] = []
        self.count, self.settled = 0, self.best.priced.value

    def run(self, most_nodes: int) -> Found:
        """Search until nothing is open or `most_nodes` nodes were looked at."""
        whole = np.full(len(self.problem.sign), PPM, np.int64)
        domain = tighten(self.problem, Domain(whole > 0, self.problem.least, whole))
        never = np.full(len(self.relaxation.base), np.inf)
        self.relaxation.add(self.best.priced, np.zeros(len(domain.low)), never)
        self.relaxation.add(self.try_fill(domain.high).priced, np.ones(len(domain.low)), never)
        domain = self.rule_out(domain) or domain
        top = bound_at(self.ties, self.best.priced, domain)
        self.look(domain, *top, ROOT_ROUNDS)
        nodes = 1
        while self.open and nodes < most_nodes:
            key, _, bound, domain = heappop(self.open)
            if -key <= self.best.key:
                self.open = []
                break
            nodes += 1
            left = self.rule_out(domain)
            if left is not None:
                self.look(left, bound, -key, NODE_ROUNDS)
        bounds = [bound for key, _, bound, _ in self.open if -key > self.best.key]
        value = self.best.priced.value
        return Found(self.best.fill, value, max([value, self.settled, *bounds]), nodes)

    def judge(self, fill: Int, priced: Priced) -> Candidate:
        """A candidate; energy at the end of the band is confirmed by the auction only where it would be the best."""
        energy = energies(self.problem, fill)
        key = self.ties.key(priced.value, energy)
        valid = bool((priced.gain >= 0).all())
        if valid and priced.loose:
            valid = self.confirm(energy)
        return Candidate(fill, priced, valid, key)

    def try_fill(self, fill: Int) -> Candidate:
        """Price the auction at these fills; the best valid candidate is kept."""
        fill = own_fill(self.problem, fill)
        priced = price_blocks(self.problem, energies(self.problem, fill), self.lanes[0])
        found = self.judge(fill, priced)
        if found.valid and found.key > self.best.key:
            self.best = found
        return found

    def look(self, domain: Domain, bound: int, key: int, rounds: int) -> None:
        """Bound a node, try its candidates, and open what it splits into."""
        fill = np.zeros(len(domain.low))
        for _ in range(rounds):
            fill, value = self.relaxation.solve(domain)
            bound, key = _smaller((bound, key), self.relaxation.bound(self.ties, domain))
            if key <= self.best.key:
                return
            energy = np.floor(self.problem.profile * fill[:, None] + WHOLE_FILL).astype(np.int64)
            priced = price_blocks(self.problem, energy, self.lanes[0])
            bound, key = _smaller((bound, key), bound_at(self.ties, priced, domain))
            if key <= self.best.key:
                return
            if not self.relaxation.add(priced, fill, value):
                break
        if rounds == ROOT_ROUNDS:
            self.improve(_rounded(domain, fill))
        found = self.try_fill(_rounded(domain, fill))
        bound, key = _smaller((bound, key), bound_at(self.ties, found.priced, domain))
        if key <= self.best.key or domain.decided.all():
            return
        self.split(domain, bound, key, fill, found)

    def split(self, domain: Domain, bound: int, key: int, fill: Floats, found: Candidate) -> None:
        """Open the children of a node that may hold something better."""
        if key == found.key:
            for child in _less_filled(domain, found):
                self.push(child, bound, key)
            return
        between = domain.zero & (fill > WHOLE_FILL) & (fill * PPM < domain.low - WHOLE_FILL * PPM)
        undecided = domain.zero & (domain.high > 0)
        losers = undecided & (found.priced.gain < 0)
        partial = (domain.low < domain.high) & (fill * PPM > domain.low) & (fill < 1 - WHOLE_FILL)
        if not between.any() and partial.any():
            self.nudge(domain, found, partial)
            if max(bound - self.best.priced.value, 1) <= abs(bound) // REST:
                self.settled = max(self.settled, bound)
                return
        if between.any():
            block = int(np.argmin(np.where(between, np.abs(2 * fill * PPM - domain.low), np.inf)))
        elif losers.any():
            block = int(np.argmin(np.where(losers, found.priced.gain, 0)))
        elif partial.any():
            self.halve(domain, bound, key, int(np.argmax(partial)), fill)
            return
        elif undecided.any():
            block = int(np.argmax(undecided))
        else:
            self.halve(domain, bound, key, int(np.argmax(~domain.decided)), fill)
            return
        low, high = int(domain.low[block]), int(domain.high[block])
        self.push(domain.choose(block, False, low, high), bound, key)
        self.push(domain.choose(block, True, 0, 0), bound, key)

    def halve(self, domain: Domain, bound: int, key: int, block: int, fill: Floats) -> None:
        """Split the fills of a partly filled block at the relaxation's."""
        zero, low, high = bool(domain.zero[block]), int(domain.low[block]), int(domain.high[block])
        middle = min(max(int(fill[block] * PPM), low), high - 1)
        self.push(domain.choose(block, zero, low, middle), bound, key)
        self.push(domain.choose(block, False, middle + 1, high), bound, key)

    def push(self, domain: Domain, bound: int, key: int) -> None:
        """Open a node unless blocks alike forbid it; the best bound is looked at first, of equals the oldest."""
        domain, twin = tighten(self.problem, domain), self.twin
        zero, low, high = domain.zero.copy(), domain.low.copy(), domain.high.copy()
        if (~zero & (high == 0)).any():
            return
        later = np.flatnonzero(twin >= 0)
        for block in later[::-1]:
            # all or nothing: the later of two blocks alike is accepted only if the earlier one is
            if not zero[block] and zero[twin[block]]:
                if high[twin[block]] == 0:
                    return
                zero[twin[block]] = False
        for block in later:
            if high[twin[block]] == 0:
                if not zero[block]:
                    return
                low[block] = high[block] = 0
        self.count += 1
        heappush(self.open, (-key, self.count, bound, Domain(zero, low, high)))

    def rule_out(self, domain: Domain) -> Domain | None:
        """The node without blocks that lose even with all help of the other side, none of their own; None if empty."""
        sale = self.problem.sign > 0
        while True:
            least = np.where(domain.zero, 0, domain.low)
            lost = np.zeros(len(sale), np.bool_)
            for lane, own in ((1, sale), (2, ~sale)):
                tested = own & (domain.high > 0) & (self.problem.flat | (domain.low == PPM))
                if tested.any():
                    energy = energies(self.problem, np.where(own, least, domain.high))
                    margin = margins_of(self.problem, energy, self.lanes[lane]).astype(object)
                    lost |= tested & ((margin * energies(self.problem, domain.low)).sum(1) < 0)
            if (lost & ~domain.zero).any():
                return None
            if not lost.any():
                return domain
            domain = Domain(domain.zero, np.where(lost, 0, domain.low), np.where(lost, 0, domain.high))

    def nudge(self, domain: Domain, found: Candidate, partial: Mask) -> None:
        """If rounding made a loser, try partly filled blocks a lot lower or higher: prices step there."""
        step = PPM * self.problem.lot // np.maximum(self.problem.profile.max(1), 1) + 1
        for way in (-1, 1, -2) if not found.valid else ():
            fill = np.where(partial, found.fill + way * step, found.fill)
            fill = np.where(partial, np.clip(fill, domain.low, domain.high), fill)
            if self.try_fill(fill).valid:
                return

    def repair(self, found: Candidate) -> Candidate:
        """Drop the worst loser until nobody loses."""
        while not found.valid and found.fill.any():
            fill = found.fill.copy()
            gain = found.priced.gain
            fill[min(np.flatnonzero(fill), key=lambda block: (gain[block], -block))] = 0
            found = self.try_fill(fill)
        return found

    def improve(self, fill: Int) -> None:
        """Local search: repair, then accept or reject one block after another as long as the best one gets better."""
        self.repair(self.try_fill(fill))
        whole = np.full(len(fill), PPM, np.int64)
        for _ in range(PASSES):
            before = self.best.key
            margin = (self.best.priced.margin * self.problem.profile).sum(1)
            for block in sorted(range(len(fill)), key=lambda b: (-margin[b], b)):
                fill = self.best.fill.copy()
                fill[block] = 0 if fill[block] else whole[block]
                found = self.try_fill(fill)
                if not found.valid and fill[block]:
                    self.repair(found)
            if self.best.key == before:
                return


def own_fill(problem: Problem, fill_ppm: Int) -> Int:
    """The smallest allowed fill of the energies that belong to each fill; nothing stays nothing."""
    profile = np.maximum(problem.profile, 1)
    least = -(-energies(problem, fill_ppm) * PPM // profile)
    return np.where(fill_ppm > 0, np.maximum(least.max(1), problem.least), 0)


def tighten(problem: Problem, domain: Domain) -> Domain:
    """The same fills with ends that give an energy of their own; (0, 0) where none above nothing is left."""
    energy = energies(problem, domain.low)
    profile = np.where(problem.profile > 0, problem.profile, -1)
    following = np.where(profile > 0, -(-(energy + problem.lot) * PPM // profile), PPM + 1).min(1)
    passed = (own_fill(problem, domain.low) < domain.low) | ~energy.any(1)
    low = np.where(passed, np.maximum(following, domain.low), domain.low)
    high = own_fill(problem, domain.high)
    left = (domain.high > 0) & (low <= high)
    return Domain(domain.zero, np.where(left, low, 0), np.where(left, high, 0))


def _smaller(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return min(one[0], other[0]), min(one[1], other[1])


def _rounded(domain: Domain, fill: Floats) -> Int:
    """Fills in whole ppm that the domain allows; a block between nothing and its least is filled from one half on."""
    ppm = np.floor(fill * PPM + WHOLE_FILL * PPM).astype(np.int64)
    up = ~domain.zero | (2 * ppm >= domain.low)
    inside = np.clip(ppm, domain.low, domain.high)
    return np.where(up & (domain.high > 0), inside, 0)


def _less_filled(domain: Domain, found: Candidate) -> list[Domain]:
    """The node without what fills no block less than `found`, in parts that do not overlap.

    What earns most is filled less first: that costs most, so those parts, which fix little, are soon out; the worst
    loser comes last, where all others are fixed.
    """
    children: list[Domain] = []
    for block in sorted(range(len(found.fill)), key=lambda b: (-found.priced.gain[b], b)):
        fill, low, high = int(found.fill[block]), int(domain.low[block]), int(domain.high[block])
        if fill == 0:
            continue
        if fill > low:
            children.append(domain.choose(block, bool(domain.zero[block]), low, fill - 1))
        elif domain.zero[block]:
            children.append(domain.choose(block, True, 0, 0))
        domain = domain.choose(block, False, max(low, fill), high)
    return children


def _twins(problem: Problem) -> Int:
    """The block just before each that differs in arrival only and is all or nothing too, -1 for none."""
    twin = np.full(len(problem.sign), -1, np.int64)
    seen: dict[tuple[int | bytes, ...], int] = {}
    for block, least in enumerate(problem.least):
        if least < PPM:
            continue
        columns = (problem.sign, problem.limit, problem.area)
        name = (*(int(c[block]) for c in columns), problem.market[block].tobytes(), problem.profile[block].tobytes())
        twin[block] = seen.get(name, -1)
        seen[name] = block
    return twin
