"""How good any acceptance of blocks can be: the relaxation that lets blocks be filled in any part, bounded in integers.

Each auction that was priced is a cut (`market.block_books`), market by market. A linear program over the cuts
(HiGHS, floats) proposes fills and weights of the cuts; the weights, made integers that sum to one, give a bound that
holds exactly whatever the program did. Ties are part of the bound: see `Ties`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from market.block_books import Exact, Mask, Priced, Problem
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
        columns = [column.copy() for column in self]
        for column, value in zip(columns, (zero, low, high), strict=True):
            column[block] = value
        return Domain(*columns)


class Ties:
    """Order of acceptances: welfare, then energy of accepted blocks, then earlier blocks; one integer, larger is better."""

    def __init__(self, problem: Problem) -> None:
        count = len(problem.sign)
        self.total = [int(sum(int(e) for e in row)) << count for row in problem.profile]
        self.bit = [1 << (count - 1 - block) for block in range(count)]
        self.step = sum(self.total) + sum(self.bit) + 1

    def key(self, value: int, energy: Int) -> int:
        """Place of an acceptance with this welfare [uJPY] and these energies (blocks, slots)."""
        count = len(self.bit)
        rest = sum((int(e) << count) + self.bit[b] for b, e in enumerate(energy.sum(1)) if e)
        return value * self.step + rest

    def bound(self, constant: int, slope: Exact, slack: Exact, whole: int, domain: Domain) -> tuple[int, int]:
        """Most welfare of any fills in the domain, and the best key; constant, slope, slack are in 1 / whole uJPY."""
        best, best_key, most_rest, unit = constant * PPM, constant * PPM * self.step, 0, whole * PPM
        for block, (zero, low, high) in enumerate(zip(*domain, strict=True)):
            gains, keys, rests = [0] * bool(zero), [0] * bool(zero), [0]
            for fill in {int(low), int(high)} - {0}:
                gain = slope[block] * fill + (slack[block] * PPM if fill < PPM else 0)
                rest = self.total[block] * fill + self.bit[block] * PPM
                gains.append(gain)
                keys.append(gain * self.step + rest * whole)
                rests.append(rest)
            best, best_key, most_rest = best + max(gains), best_key + max(keys), most_rest + max(rests)
        welfare = best // unit
        return welfare, min(best_key // unit, welfare * self.step + most_rest // PPM)


def bound_at(problem: Problem, ties: Ties, priced: Priced, domain: Domain) -> tuple[int, int]:
    """Bound on welfare and key by the prices of one auction."""
    return ties.bound(int(priced.dual.sum()), *_slopes(problem, priced.margin), 1, domain)


def _slopes(problem: Problem, margin: Exact) -> tuple[Exact, Exact]:
    """Gain of each whole block, and what rounding down to lots may add where margins are negative."""
    lost = np.where(margin < 0, -margin, 0) * problem.lot
    return (margin * problem.profile).sum(1), lost.sum(1)


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
        """Best fills (blocks,) of the domain's hull and the value of each market there; raises RuntimeError if it fails."""
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
        for row in np.flatnonzero(weight > 1e-12):
            by_market.setdefault(self.cuts[row][0], []).append(int(row))
        constant = 0
        for market in range(len(self.base)):
            rows = by_market.get(market) or [next(r for r, cut in enumerate(self.cuts) if cut[0] == market)]
            for row, part in zip(rows, _whole_parts([weight[row] for row in rows]), strict=True):
                constant += part * self.cuts[row][1]
                block, slot = problem.pairs[market]
                margin[block, slot] += part * self.cuts[row][2]
        return ties.bound(constant, *_slopes(problem, margin), WHOLE, domain)


def _whole_parts(weights: list[float]) -> list[int]:
    """Weights as integers that sum to WHOLE, what is left over to the largest."""
    total = sum(weights) or 1.0
    parts = [int(WHOLE * (weight / total)) for weight in weights]
    parts[weights.index(max(weights))] += WHOLE - sum(parts)
    return parts
