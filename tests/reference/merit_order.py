"""The largest surplus of induced values, unit by unit: a slow, readable referee."""

from collections.abc import Sequence
from itertools import combinations


def largest_surplus(values: Sequence[int], costs: Sequence[int]) -> int:
    """Pair the highest value left with the lowest cost left for as long as the pair gains."""
    best, left = 0, sorted(costs)
    for value in sorted(values, reverse=True):
        if not left or value <= left[0]:
            break
        best += value - left.pop(0)
    return best


def best_of_all(values: Sequence[int], costs: Sequence[int]) -> int:
    """Largest surplus over every choice of as many buyers as sellers, for a few units only."""
    return max(
        sum(bought) - sum(sold)
        for size in range(min(len(values), len(costs)) + 1)
        for bought in combinations(values, size)
        for sold in combinations(costs, size)
    )
