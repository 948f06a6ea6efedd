"""Referee for curtailment: one market, one contract at a time, sums taken anew each time, in plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass

from market.grid import Grid

EXACT_PASSES = 8
"""Passes that cut no more than needed; later ones cut whole contracts."""


@dataclass
class Held:
    """A contract: its path as signed line numbers, its energy, what it keeps."""

    path: tuple[int, ...]
    energy: int
    left: int


@dataclass
class Lines:
    """One market: bounds of lines [forward, backward] and of joint limits, flow that no contract explains, contracts.

    Contracts stand in order of formation.
    """

    grid: Grid
    netting: bool
    capacity: list[list[int]]
    bounds: list[int]
    base: list[list[int]]
    contracts: list[Held]

    def use(self) -> list[list[int]]:
        """Use of each line [forward, backward] by what contracts keep."""
        use = [list(line) for line in self.base]
        for contract in self.contracts:
            for step in contract.path:
                use[abs(step) - 1][0 if step > 0 else 1] += contract.left
        return use

    def loads(self, path: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """Every line and joint limit that a path loads: by how much it is over its bound, and what one Wh adds."""
        use = self.use()
        for step in path:
            line, way = abs(step) - 1, 0 if step > 0 else 1
            flow = use[line][way] - (use[line][1 - way] if self.netting else 0)
            yield flow - self.capacity[line][way], 1
        for limit, bound in zip(self.grid.limits, self.bounds, strict=True):
            total = 0
            for sign, (forward, backward) in zip(limit.signs, use, strict=True):
                ahead, against = (forward, backward) if sign > 0 else (backward, forward)
                total += abs(sign) * (ahead - (against if self.netting else 0))
            ways = [limit.signs[abs(step) - 1] * (1 if step > 0 else -1) for step in path]
            adds = sum(way for way in ways if way > 0 or self.netting)
            if adds > 0:
                yield total - bound, adds

    def too_much(self, path: tuple[int, ...]) -> int:
        """Least energy to take off a path until all it loads fits; below zero what could be added."""
        return max((-(-over // adds) for over, adds in self.loads(path)), default=-(1 << 60))

    def curtail(self) -> list[int]:
        """Cut until nothing too full is loaded, then give back; what each contract loses."""
        passes, again = 0, True
        while again:
            again = False
            for contract in reversed(self.contracts):
                over = self.too_much(contract.path)
                if over > 0 and contract.left > 0:
                    contract.left -= contract.left if passes >= EXACT_PASSES else min(over, contract.left)
                    again = True
            passes += 1
        for contract in self.contracts:
            room = -self.too_much(contract.path)
            contract.left += max(min(room, contract.energy - contract.left), 0)
        return [contract.energy - contract.left for contract in self.contracts]
