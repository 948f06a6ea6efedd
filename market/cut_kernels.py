"""Steepest descent on graphs too large to list their connected sets: the steepest set is a minimum cut (numba kernels).

The slope of the dual along a set of areas is a sum of terms of single areas and of pairs joined by a line, and a pair
costs most when its ends are parted: a submodular function, so the set of least slope is the source side of a minimum
cut (Picard and Ratliff 1975, doi:10.1002/net.3230050405; steepest descent of L-natural-convex functions: Murota,
Discrete Convex Analysis, 2003). Flows are found by shortest augmenting paths (Edmonds and Karp 1972,
doi:10.1145/321694.321699) on at most some forty nodes.

This module needs numba: import it inside functions only.
"""

import numpy as np

from market.pricing import FORBIDDEN, Book, Lines, area_slope, gap_slope, kernel, move, set_slope, step_limit
from market.units import Int


@kernel
def build_cut(book: Book, lines: Lines, price: Int, sign: int, bound: int, room: Int) -> None:
    """Arcs of the cut problem into `room` (areas + 2, areas + 2): the source is the last row but one, then the sink."""
    areas = len(price)
    source, sink = areas, areas + 1
    room[:] = 0
    own = np.zeros(areas, np.int64)
    for area in range(areas):
        if price[area] != bound:
            own[area] = area_slope(book, area, price[area], sign)
    for line in range(len(lines.source)):
        start, end = lines.source[line], lines.target[line]
        gap = price[end] - price[start]
        alone = gap_slope(lines.room[line, 0], lines.room[line, 1], gap, sign)
        other = gap_slope(lines.room[line, 0], lines.room[line, 1], gap, -sign)
        own[end] += alone
        own[start] -= alone
        room[start, end] += alone + other
    for area in range(areas):
        if price[area] == bound:
            room[area, sink] = FORBIDDEN
        elif own[area] < 0:
            room[source, area] = -own[area]
        else:
            room[area, sink] = own[area]


@kernel
def augment(room: Int, via: Int, queue: Int) -> bool:
    """Send the most that fits over a shortest way from source to sink; False when there is none."""
    nodes = len(room)
    source, sink = nodes - 2, nodes - 1
    via[:] = -1
    via[source] = source
    queue[0] = source
    head, tail = 0, 1
    while head < tail and via[sink] < 0:
        node = queue[head]
        head += 1
        for other in range(nodes):
            if via[other] < 0 and room[node, other] > 0:
                via[other] = node
                queue[tail] = other
                tail += 1
    if via[sink] < 0:
        return False
    amount, node = FORBIDDEN, sink
    while node != source:
        amount = min(amount, room[via[node], node])
        node = via[node]
    node = sink
    while node != source:
        room[via[node], node] -= amount
        room[node, via[node]] += amount
        node = via[node]
    return True


@kernel
def largest_side(room: Int, via: Int, queue: Int) -> int:
    """Areas that cannot send anything more to the sink, as bits: the largest set of least slope."""
    nodes = len(room)
    areas, sink = nodes - 2, nodes - 1
    via[:] = -1
    via[sink] = sink
    queue[0] = sink
    head, tail = 0, 1
    while head < tail:
        node = queue[head]
        head += 1
        for other in range(nodes):
            if via[other] < 0 and room[other, node] > 0:
                via[other] = node
                queue[tail] = other
                tail += 1
    mask = np.int64(0)
    for area in range(areas):
        if via[area] < 0:
            mask |= np.int64(1) << area
    return int(mask)


@kernel
def smallest_side(via: Int) -> int:
    """Areas the source still reaches after the last search, as bits: the smallest set of least slope."""
    mask = np.int64(0)
    for area in range(len(via) - 2):
        if via[area] >= 0:
            mask |= np.int64(1) << area
    return int(mask)


@kernel
def find_set(book: Book, lines: Lines, price: Int, sign: int, bound: int, largest: bool) -> int:
    """The set of areas along which the dual falls most steeply in one direction, as bits; 0 for none."""
    nodes = len(price) + 2
    room, via, queue = np.empty((nodes, nodes), np.int64), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    build_cut(book, lines, price, sign, bound, room)
    while augment(room, via, queue):
        pass
    return int(largest_side(room, via, queue) if largest else smallest_side(via))


@kernel
def descend_by_cuts(book: Book, lines: Lines, price: Int, floor: int, top: int) -> int:
    """Steepest descent over all sets of areas, each move as long as it pays, to an optimal vector; counts its moves."""
    moves = 0
    while True:
        up = find_set(book, lines, price, 1, top, False)
        down = find_set(book, lines, price, -1, floor, False)
        rise = set_slope(book, lines, price, up, 1, 0) if up else 0
        fall = set_slope(book, lines, price, down, -1, 0) if down else 0
        if rise >= 0 and fall >= 0:
            return moves
        moves += 1
        mask, sign = (up, 1) if rise <= fall else (down, -1)
        move(book, lines, price, mask, sign, step_limit(price, mask, sign, floor, top), 0)


@kernel
def lower_by_cuts(book: Book, lines: Lines, price: Int, floor: int, top: int) -> None:
    """From an optimal vector to the smallest one: move the largest set down along which the dual does not rise."""
    while True:
        mask = find_set(book, lines, price, -1, floor, True)
        if mask == 0:
            return
        move(book, lines, price, mask, -1, step_limit(price, mask, -1, floor, top), 1)
