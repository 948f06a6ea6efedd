"""Imbalance prices one slot and area at a time, in exact fractions; the referee of `market.imbalance`."""

from fractions import Fraction

from market.imbalance import Imbalance


def prices_of_2016(rule: Imbalance, spot: int, area: int) -> tuple[int, int]:
    """Shortage and surplus price [mJPY/kWh]: spot x alpha + beta, K more, L less; `round` is half to even."""
    if spot <= rule.curtailed_at:
        return 0, 0
    beta = rule.beta[area] if rule.beta else 0
    base = Fraction(spot * rule.alpha_ppm, 10**6) + beta
    return max(round(base + rule.short_extra), 0), max(round(base - rule.long_less), 0)


def price_of_2022(rule: Imbalance, spot: int, short_wh: int, slot: int, capped: bool) -> int:
    """The single price [mJPY/kWh]; reserve ratio and corners are looked up step by step."""
    if short_wh < 0 and spot <= rule.curtailed_at:
        return 0
    balancing = spot + rule.up if short_wh > 0 else spot - rule.down if short_wh < 0 else spot
    ratio = rule.reserve[0][1]
    for price, percent in rule.reserve:
        ratio = percent if price <= spot else ratio
    low, high = rule.scarcity[0][1:]
    for first, *corners in rule.scarcity:
        low, high = corners if first <= slot else (low, high)
    price = max(balancing, 0, round(scarcity_of(Fraction(ratio, 10**4), low, high)))
    return min(price, 100_000) if capped else price


def scarcity_of(percent: Fraction, low: int, high: int) -> Fraction:
    """0 at 10 %, `low` at 8 %, `high` at 3 % and below, straight lines between."""
    if percent >= 10:
        return Fraction(0)
    if percent >= 8:
        return low * (10 - percent) / 2
    return low + (high - low) * (8 - max(percent, Fraction(3))) / 5


def capped_slots(outside: list[int], week: int) -> list[bool]:
    """Where 30 of the `week` slots before had a price of 200 JPY/kWh or more."""
    return [sum(price >= 200_000 for price in outside[max(t - week, 0) : t]) >= 30 for t in range(len(outside))]
