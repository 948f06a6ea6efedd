"""One-to-one contracts from an auction (numba kernels).

- Energy stays in its area first; the rest follows the flows, path by path, from exporting to importing areas;
  inside each such volume orders meet by priority (price, then sequence).
- Flows run from lower to higher or equal prices only, so along a path prices never fall and
  `sell_price <= buy_price`.
- Flow that runs in a circle (necessarily at one price) carries nobody's energy and is left out.

This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

from market.allocation_kernels import BUY, SELL
from market.pricing import Book, Lines, kernel
from market.units import Int

UNLIMITED = 1 << 60
NO_PATH = -(1 << 60)


class Paths(NamedTuple):
    """Signed lines of each path (paths, longest), 0 at its end; first and past-last path of each area pair.

    `extra` (most, longest) takes paths that are not in the table, `extras` (1,) counts them; a contract over extra
    path k has path -1 - k. Without room for extras every path of a flow must be in the table.
    """

    table: Int
    ranges: Int
    extra: Int
    extras: Int


class Legs(NamedTuple):
    """Energy that moves from area to area along a path: seller's and buyer's area, path, energy [Wh] (legs,)."""

    seller: Int
    buyer: Int
    path: Int
    energy: Int


class Pairs(NamedTuple):
    """Contracts as they form: rows of the sell and the buy order, energy [Wh], path."""

    sell: Int
    buy: Int
    energy: Int
    path: Int


class Queues(NamedTuple):
    """Filled orders by priority and their energy not yet contracted (orders,); each area's next one (areas,)."""

    sell: Int
    buy: Int
    left: Int
    next_sell: Int
    next_buy: Int


@kernel
def queue_orders(book: Book, filled: Int, queues: Queues, need: Int) -> None:
    """Line up filled orders of each area: sells by rising price, buys by falling price, then by sequence.

    `need` (areas,) takes what is bought less what is sold; what is met within the area is the caller's.
    """
    for area in range(len(book.wanted)):
        low, high = book.first[area], book.first[area + 1]
        queues.next_sell[area] = queues.next_buy[area] = tail = low
        net = 0
        for i in range(low, high):
            amount = filled[i]
            queues.left[i] = amount
            sells = book.side[i] == SELL
            net += -amount if sells else amount
            # written always, kept only where something is sold: no branch to guess
            queues.sell[tail] = i
            tail += sells & (amount > 0)
        need[area] = net
        tail, end = low, high
        while end > low:
            begin = end - 1
            while begin > low and book.price[begin - 1] == book.price[end - 1]:
                begin -= 1
            for i in range(begin, end):
                if filled[i] > 0 and book.side[i] == BUY:
                    queues.buy[tail] = i
                    tail += 1
            end = begin


@kernel
def pair(queues: Queues, seller: int, buyer: int, path: int, energy: int, pairs: Pairs, row: int) -> int:
    """Form contracts worth `energy` between the next orders of two areas from `row` on; returns the next free row."""
    left = queues.left
    while energy > 0:
        sell, buy = queues.sell[queues.next_sell[seller]], queues.buy[queues.next_buy[buyer]]
        amount = min(energy, min(left[sell], left[buy]))
        pairs.sell[row], pairs.buy[row] = sell, buy
        pairs.energy[row], pairs.path[row] = amount, path
        row += 1
        energy -= amount
        left[sell] -= amount
        left[buy] -= amount
        if left[sell] == 0:
            queues.next_sell[seller] += 1
        if left[buy] == 0:
            queues.next_buy[buyer] += 1
    return row


@kernel
def next_line(lines: Lines, flow: Int, area: int) -> int:
    """First line with flow out of the area as a signed number, 0 when there is none."""
    for line in range(len(flow)):
        if flow[line] > 0 and lines.source[line] == area:
            return line + 1
        if flow[line] < 0 and lines.target[line] == area:
            return -line - 1
    return 0


@kernel
def take(flow: Int, steps: Int, begin: int, end: int, most: int) -> int:
    """Take the largest common flow, at most `most`, off the signed lines steps[begin:end]; returns it."""
    amount = most
    for i in range(begin, end):
        amount = min(amount, abs(flow[abs(steps[i]) - 1]))
    for i in range(begin, end):
        flow[abs(steps[i]) - 1] -= amount if steps[i] > 0 else -amount
    return amount


@kernel
def walk(lines: Lines, flow: Int, need: Int, origin: int, steps: Int, seen: Int) -> int:
    """Follow the flow from `origin` to the first area in need; returns the number of steps, -1 if stranded.

    Circles met on the way are taken out of the flow. `steps` and `seen` hold lines and areas passed.
    """
    count = 0
    seen[0] = origin
    while need[seen[count]] <= 0:
        step = next_line(lines, flow, seen[count])
        if step == 0:
            return -1
        area = lines.target[step - 1] if step > 0 else lines.source[-step - 1]
        steps[count] = step
        for i in range(count + 1):
            if seen[i] == area:
                take(flow, steps, i, count + 1, UNLIMITED)
                count = i - 1
                break
        count += 1
        seen[count] = area
    return count


@kernel
def find_path(paths: Paths, source: int, target: int, steps: Int, count: int) -> int:
    """Row of the path table that has exactly these steps; a new extra where there is none and room for it."""
    for row in range(paths.ranges[source, target, 0], paths.ranges[source, target, 1]):
        same = count == paths.table.shape[1] or paths.table[row, count] == 0
        for i in range(count):
            same = same and paths.table[row, i] == steps[i]
        if same:
            return row
    extra = paths.extras[0]
    if extra == len(paths.extra):
        return NO_PATH
    paths.extra[extra] = 0
    for i in range(count):
        paths.extra[extra, i] = steps[i]
    paths.extras[0] += 1
    return int(-1 - extra)


@kernel
def route(lines: Lines, paths: Paths, need: Int, flow: Int, legs: Legs, scratch: Int) -> int:
    """Legs that carry what areas sell abroad (need < 0) to those that lack it (need > 0), how many.

    `flow` becomes the flow they cause, without circles. -1 when flow and needs disagree; `need` is used up.
    """
    count, steps, seen = 0, scratch[3], scratch[4]
    rest = flow.copy()
    flow[:] = 0
    for area in range(len(need)):
        while need[area] < 0:
            length = walk(lines, rest, need, area, steps, seen)
            if length < 0:
                return -1
            end = seen[length]
            amount = take(rest, steps, 0, length, min(-need[area], need[end]))
            for i in range(length):
                flow[abs(steps[i]) - 1] += amount if steps[i] > 0 else -amount
            need[area] += amount
            need[end] -= amount
            path = find_path(paths, area, end, steps, length)
            if path == NO_PATH or count == len(legs.path):
                return -1
            legs.seller[count], legs.buyer[count], legs.path[count], legs.energy[count] = area, end, path, amount
            count += 1
    return count if need.max() == 0 else -1


@kernel
def pair_market(book: Book, filled: Int, legs: Legs, queues: Queues, need: Int, pairs: Pairs) -> int:
    """Contracts of one market, how many: first within each area, then leg by leg."""
    formed = 0
    queue_orders(book, filled, queues, need)
    for area in range(len(need)):
        sold = 0
        for i in range(book.first[area], book.first[area + 1]):
            sold += filled[i] * (book.side[i] == SELL)
        formed = pair(queues, area, area, 0, min(sold, sold + need[area]), pairs, formed)
    for leg in range(len(legs.path)):
        formed = pair(queues, legs.seller[leg], legs.buyer[leg], legs.path[leg], legs.energy[leg], pairs, formed)
    return formed
