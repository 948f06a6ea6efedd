"""How good any acceptance of blocks can be: the relaxation that lets blocks be filled in any part, bounded in integers.

Each auction that was priced is a cut (`market.block_books`), market by market. A linear program over the cuts
(HiGHS, floats) proposes fills and weights of the cuts; the weights, made integers that sum to one, give a bound that
holds exactly whatever the program did. Ties are part of the bound: see `Ties`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.block_books import Exact, Mask, Priced, Problem, energies
from market.units import PPM, Int

WHOLE = 1 << 40
"""Weights of the cuts of one market sum to this."""
SCALE = 1e4
"""Largest coefficient of the linear program, whatever the unit of money."""
TINY = 1e-6
"""A cut is added when it lowers the value of its market by more than this part of the scale."""


class Domain(NamedTuple):
    """Fills each block may still take: nothing where `zero` (blocks,), and low .. high [ppm] (0, 0 when rejected)."""

    zero: Mask
    low: Int
    high: Int

    @property
    def decided(self) -> Mask:
        """Blocks with one fill left."""
        return np.asarray(np.where(self.zero, self.high == 0, self.low == self.high))

    def choose(self, block: int, zero: bool, low: int, high: int) -> "Domain":
        """The same with another domain of one block."""
        zeros, lows, highs = self.zero.copy(), self.low.copy(), self.high.copy()
        zeros[block], lows[block], highs[block] = zero, low, high
        return Domain(zeros, lows, highs)


class Ties:
    """Order of acceptances: welfare, then energy of accepted blocks, then earlier blocks; a larger key is better."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.count = problem, len(problem.sign)
        most = sum(self.place(block, int(profile.sum())) for block, profile in enumerate(problem.profile))
        self.step = most + 1

    def place(self, block: int, energy: int) -> int:
        """What a block adds among acceptances of one welfare, by its energy [Wh]."""
        return (energy << self.count) + (1 << (self.count - 1 - block)) if energy else 0

    def key(self, value: int, energy: Int) -> int:
        """Place of an acceptance with this welfare [uJPY] and these energies (blocks, slots)."""
        return value * self.step + sum(self.place(block, int(e)) for block, e in enumerate(energy.sum(1)))

    def bound(self, constant: int, margin: Exact, whole: int, domain: Domain) -> tuple[int, int]:
        """Most welfare of any fills in the domain, and the best key; constant and margin are in 1 / whole of a unit."""
        most_rest, unit = 0, whole * PPM
        best, best_key = constant * PPM, constant * PPM * self.step
        for block, (gains, rests) in enumerate(self._ends(margin, domain)):
            free = [0] if domain.zero[block] else []
            keys = [gain * self.step + rest * unit for gain, rest in zip(gains, rests, strict=True)]
            best, best_key = best + max(gains + free), best_key + max(keys + free)
            most_rest += max(rests + free)
        welfare = best // unit
        return welfare, min(best_key // unit, welfare * self.step + most_rest)

    def _ends(self, margin: Exact, domain: Domain) -> list[tuple[list[int], list[int]]]:
        """Of each block at its least and its most fill: gain in parts per million, or not less, and place among equals.

        Between the two both are linear where all slots round alike; else rounding down may add a lot where margins are
        negative.
        """
        energy = [energies(self.problem, fill) for fill in (domain.low, domain.high)]
        gains = [(margin * e).sum(1) * PPM for e in energy]
        most = [e.sum(1) for e in energy]
        loose = ~self.problem.flat & (energy[0] != energy[1]).any(1)
        if loose.any():
            lost = np.where(margin < 0, -margin, 0).sum(1) * self.problem.lot * PPM
            along = (margin * self.problem.profile).sum(1)
            gains = [
                np.where(loose, along * fill + lost, gain)
                for fill, gain in zip((domain.low, domain.high), gains, strict=True)
            ]
            most[0] = np.where(loose, most[1], most[0])
        places = [[self.place(block, int(e)) for block, e in enumerate(end)] for end in most]
        return [
            ([int(g) for g in gain], list(place))
            for gain, place in zip(zip(*gains, strict=True), zip(*places, strict=True), strict=True)
        ]


def bound_at(ties: Ties, priced: Priced, domain: Domain) -> tuple[int, int]:
    """Bound on welfare and key by the prices of one auction."""
    return ties.bound(int(priced.dual.sum()), priced.margin, 1, domain)


class Relaxation:
    """The linear program over all cuts so far: fills (blocks,) in 0 .. 1 and the value of each market."""

    def __init__(self, problem: Problem, first: Priced) -> None:
        import highspy

        self.problem, self.base = problem, first.dual
        self.cuts: list[tuple[int, int, Exact]] = []
        self.known: set[tuple[int, bytes]] = set()
        blocks, markets = len(problem.sign), len(first.dual)
        most = max((abs(int(g)) for g in (first.margin * problem.profile).flat), default=1)
        self.unit = max(most, 1) / SCALE
        self.solver = highspy.Highs()
        self.infinity = float(highspy.kHighsInf)
        self.optimal = highspy.HighsModelStatus.kOptimal
        for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off"), ("solver", "simplex")):
            self.solver.setOptionValue(option, value)
        for _ in range(blocks):
            self.solver.addVar(0.0, 1.0)
        for market in range(markets):
            self.solver.addVar(-self.infinity, self.infinity)
            self.solver.changeColCost(blocks + market, -1.0)

    def add(self, priced: Priced, fill: npt.NDArray[np.float64], value: npt.NDArray[np.float64]) -> int:
        """Add the cuts of an auction that lower the value of their market at these fills; returns how many."""
        problem, added = self.problem, 0
        slope = priced.margin * problem.profile
        levels = ((priced.dual - self.base) / self.unit).astype(np.float64)
        slopes = (slope / self.unit).astype(np.float64)
        for market, (block, slot) in enumerate(problem.pairs):
            along = slopes[block, slot]
            if levels[market] + along @ fill[block] > value[market] - TINY * SCALE * 1e-2:
                continue
            name = market, priced.price[market].tobytes()
            if name in self.known:
                continue
            self.known.add(name)
            column = np.concatenate([block, [len(problem.sign) + market]]).astype(np.int32)
            number = np.concatenate([-along, [1.0]])
            self.solver.addRow(-self.infinity, float(levels[market]), len(column), column, number)
            self.cuts.append((market, int(priced.dual[market]), priced.margin[block, slot]))
            added += 1
        return added

    def solve(self, domain: Domain) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Best fills (blocks,) of the domain's hull and each market's value; raises RuntimeError without optimum."""
        blocks = len(domain.low)
        lower = np.where(domain.zero, 0, domain.low) / PPM
        columns = np.arange(blocks, dtype=np.int32)
        self.solver.changeColsBounds(blocks, columns, lower, domain.high / PPM)
        self.solver.run()
        if self.solver.getModelStatus() != self.optimal:
            self.solver.clearSolver()
            self.solver.run()
            if self.solver.getModelStatus() != self.optimal:
                raise RuntimeError("the linear program over blocks has no optimum: no result is given")
        found = np.array(self.solver.getSolution().col_value)
        return np.clip(found[:blocks], lower, domain.high / PPM), found[blocks:]

    def bound(self, ties: Ties, domain: Domain) -> tuple[int, int]:
        """Bound on welfare and key by the weights of the last solution, exact whatever these are."""
        problem = self.problem
        margin = np.zeros(problem.profile.shape, object)
        weight = np.maximum(-np.array(self.solver.getSolution().row_dual), 0.0)
        by_market: dict[int, list[int]] = {}
        for row in np.flatnonzero(weight > 1e-12).tolist():
            by_market.setdefault(self.cuts[row][0], []).append(row)
        constant = 0
        for market in range(len(self.base)):
            rows = by_market.get(market) or [next(r for r, cut in enumerate(self.cuts) if cut[0] == market)]
            for row, part in zip(rows, _whole_parts([weight[row] for row in rows]), strict=True):
                constant += part * self.cuts[row][1]
                block, slot = problem.pairs[market]
                margin[block, slot] += part * self.cuts[row][2]
        return ties.bound(constant, margin, WHOLE, domain)


def _whole_parts(weights: list[float]) -> list[int]:
    """Weights as integers that sum to WHOLE, what is left over to the largest."""
    total = sum(weights) or 1.0
    parts = [int(WHOLE * (weight / total)) for weight in weights]
    parts[weights.index(max(weights))] += WHOLE - sum(parts)
    return parts
