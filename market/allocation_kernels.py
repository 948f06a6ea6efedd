"""Who gets how much at given area prices, over which line (numba kernels): the primal beside `market.pricing`.

- Orders strictly in the money fill; across a price gap the line is full in the direction of rising price.
- Orders at the money and lines without a gap are settled by a small integer max-flow, which also makes the
  traded volume as large as any optimal allocation allows. Marginal orders fill in sequence order, or
  pro rata where the design says so.
- Certificate: welfare of the fills = dual value of the prices, computed modulo 2^64.

This module needs numba: import it inside functions only.
"""

from typing import NamedTuple

import numpy as np

from market.orders import Side
from market.pricing import Book, Lines, after_price, kernel
from market.units import Int

BUY, SELL = int(Side.BUY), int(Side.SELL)
HALF_BITS = 19
HALF_MASK = (1 << HALF_BITS) - 1


class Balance(NamedTuple):
    """Energy of each area (areas,) [Wh]: net in the money as excess or lack; at the money: left and done."""

    excess: Int
    lack: Int
    offered: Int
    asked: Int
    sold: Int
    bought: Int


@kernel
def push(lines: Lines, price: Int, flow: Int, start: Int, finish: Int, scratch: Int) -> int:
    """Move energy once from areas with `start` left to areas with `finish` left over lines without a gap.

    Shortest way first, lower area and line first; returns the energy moved, 0 when there is no way.
    """
    queue, via = scratch[0], scratch[1]
    head = tail = 0
    for area in range(len(price)):
        via[area] = 0
        if start[area] > 0:
            queue[tail] = area
            via[area] = -1
            tail += 1
    while head < tail:
        area = queue[head]
        head += 1
        if finish[area] > 0:
            return int(push_along(lines, flow, start, finish, via, area))
        for line in range(len(lines.source)):
            source, target = lines.source[line], lines.target[line]
            if price[source] != price[target] or (area != source and area != target):
                continue
            back = 1 if area == target else 0
            other = source if back else target
            if via[other] == 0 and room_left(lines, flow, line, back) > 0:
                via[other] = 2 * line + 1 + back
                queue[tail] = other
                tail += 1
    return 0


@kernel
def room_left(lines: Lines, flow: Int, line: int, back: int) -> int:
    """Energy a line can still take forward (`back` 0) or backward (1)."""
    return int(lines.room[line, 1] + flow[line] if back else lines.room[line, 0] - flow[line])


@kernel
def push_along(lines: Lines, flow: Int, start: Int, finish: Int, via: Int, end: int) -> int:
    """Move the most that fits over the way recorded in `via`, which ends at area `end`."""
    amount, area = finish[end], end
    while via[area] > 0:
        line, back = (via[area] - 1) >> 1, (via[area] - 1) & 1
        amount = min(amount, room_left(lines, flow, line, back))
        area = lines.target[line] if back else lines.source[line]
    amount = min(amount, start[area])
    start[area] -= amount
    finish[end] -= amount
    area = end
    while via[area] > 0:
        line, back = (via[area] - 1) >> 1, (via[area] - 1) & 1
        flow[line] += -amount if back else amount
        area = lines.target[line] if back else lines.source[line]
    return int(amount)


@kernel
def weigh_areas(book: Book, price: Int, balance: Balance) -> None:
    """Net energy strictly in the money (may be negative, in `excess`) and energy at the money per area."""
    balance.offered[:] = 0
    balance.asked[:] = 0
    for area in range(len(price)):
        end = after_price(book, area, price[area])
        for i in range(end - 1, book.first[area] - 1, -1):
            if book.price[i] != price[area]:
                break
            if book.side[i] == SELL:
                balance.offered[area] += book.energy[i]
            else:
                balance.asked[area] += book.energy[i]
        # offered at or below the price, less what is offered at it, less what is wanted above it
        net = book.below[end] - book.below[book.first[area]] - book.wanted[area] - balance.offered[area]
        balance.excess[area] = net


@kernel
def fill_gaps(lines: Lines, price: Int, flow: Int, balance: Balance) -> None:
    """Lines across a price gap run full towards the higher price; what areas then miss or have over."""
    excess, lack = balance.excess, balance.lack
    for line in range(len(flow)):
        gap = price[lines.target[line]] - price[lines.source[line]]
        flow[line] = lines.room[line, 0] if gap > 0 else (-lines.room[line, 1] if gap < 0 else 0)
        excess[lines.source[line]] -= flow[line]
        excess[lines.target[line]] += flow[line]
    for area in range(len(price)):
        lack[area] = max(0, -excess[area])
        excess[area] = max(0, excess[area])


@kernel
def settle_margin(lines: Lines, price: Int, flow: Int, balance: Balance, scratch: Int) -> bool:
    """Flows without a gap and fills at the money; False when no balance exists.

    First every excess finds a taker, then every lack a giver (a marginal buyer may have to give way),
    then marginal sellers and buyers trade what still can reach each other.
    """
    excess, lack, offered, asked, sold, bought = balance
    sold[:] = offered
    bought[:] = asked
    while push(lines, price, flow, excess, lack, scratch) or push(lines, price, flow, excess, asked, scratch):
        pass
    for area in range(len(price)):
        bought[area], asked[area] = bought[area] - asked[area], bought[area]
    while push(lines, price, flow, offered, lack, scratch) or push(lines, price, flow, bought, lack, scratch):
        pass
    for area in range(len(price)):
        bought[area], asked[area] = asked[area], asked[area] - bought[area]
    while push(lines, price, flow, offered, asked, scratch):
        pass
    sold -= offered
    bought -= asked
    return bool(excess.sum() == 0 and lack.sum() == 0)


@kernel
def fill_orders(book: Book, price: Int, balance: Balance, filled: Int, pro_rata: bool, lot: int) -> None:
    """Fill in-the-money orders fully and marginal ones in sequence order or pro rata, into `filled` by position."""
    for area in range(len(price)):
        low, high = book.first[area], book.first[area + 1]
        begin, end = after_price(book, area, price[area] - 1), after_price(book, area, price[area])
        for i in range(low, begin):
            filled[i] = book.energy[i] * (book.side[i] == SELL)
        for i in range(end, high):
            filled[i] = book.energy[i] * (book.side[i] == BUY)
        sold, bought = balance.sold[area], balance.bought[area]
        if pro_rata:
            share_margin(book, begin, end, SELL, sold, lot, filled)
            share_margin(book, begin, end, BUY, bought, lot, filled)
            continue
        for i in range(begin, end):
            if book.side[i] == SELL:
                filled[i] = min(book.energy[i], sold)
                sold -= filled[i]
            else:
                filled[i] = min(book.energy[i], bought)
                bought -= filled[i]


@kernel
def share_margin(book: Book, low: int, high: int, side: int, total: int, lot: int, filled: Int) -> None:
    """Share `total` among the orders low .. high of one side, all at one price, in proportion to their energy.

    Whole lots by largest remainder, ties by arrival; what is no whole lot of the total goes to the first in order.
    """
    energy = 0
    for i in range(low, high):
        if book.side[i] == side:
            energy += book.energy[i]
            filled[i] = 0
    if energy == 0 or total == 0:
        return
    remainder = np.full(high - low, np.int64(-1))
    left = total
    for i in range(low, high):
        if book.side[i] == side:
            share, remainder[i - low] = multiply_divide(book.energy[i], total // lot, energy)
            filled[i] = share * lot
            left -= share * lot
    for i in np.argsort(-remainder, kind="mergesort"):
        if left <= 0 or remainder[i] < 0:
            break
        more = min(min(lot, left), book.energy[low + i] - filled[low + i])
        filled[low + i] += more
        left -= more
    for i in range(low, high):
        if left > 0 and book.side[i] == side:
            more = min(left, book.energy[i] - filled[i])
            filled[i] += more
            left -= more


@kernel
def multiply_divide(a: int, b: int, divisor: int) -> tuple[int, int]:
    """Quotient and remainder of a x b / divisor for numbers below 2^38, without leaving 64 bits."""
    high, rest = divmod(a * (b >> HALF_BITS), divisor)
    low, remainder = divmod((rest << HALF_BITS) + a * (b & HALF_MASK), divisor)
    return (high << HALF_BITS) + low, remainder


@kernel
def is_proved(book: Book, lines: Lines, price: Int, flow: Int, filled: Int) -> bool:
    """The certificate: flows fit, and welfare of the fills equals the dual value (modulo 2^64)."""
    primal, dual = 0, 0
    for area in range(len(price)):
        for i in range(book.first[area], book.first[area + 1]):
            sign = 1 - 2 * (book.side[i] == SELL)
            primal += sign * book.price[i] * filled[i]
            dual += max(0, sign * (book.price[i] - price[area])) * book.energy[i]
    for line in range(len(flow)):
        gap = price[lines.target[line]] - price[lines.source[line]]
        dual += lines.room[line, 0] * max(0, gap) + lines.room[line, 1] * max(0, -gap)
        if flow[line] > lines.room[line, 0] or -flow[line] > lines.room[line, 1]:
            return False
    return primal == dual
