"""Imbalance prices (インバランス料金): what reading minus plan costs or earns, by a rule chosen by name.

- `flat`: a shortage pays the retailer's price plus a penalty, a surplus receives feed-in less the penalty, never
  below zero. A rule of this simulation, for designs that want deviation to hurt on both sides.
- `jp-2016`: Japan from 2016-04 to 2022-03. Spot price x alpha + beta of the area; from 2019-04 a shortage pays K more
  and a surplus receives L less; never below zero; zero where renewables are curtailed. Source: consignment terms of
  Kansai Transmission and Distribution, imbalance (kansai-td.co.jp/consignment/agreement/imbalance.html). Its fixed
  prices under usage restriction and rolling blackouts are left out: the world has neither.
- `jp-2022`: Japan since 2022-04. One price for both sides: the marginal price of balancing energy, or a scarcity price
  where that is higher; zero where renewables are curtailed and the system is long; capped after a week of scarcity.
  Source: METI and OCCTO rules as collected in a public fact sheet of 2026-09. The correction by the last intraday
  trades is left out: the world has no intraday market.

A rule is one function of the record `Imbalance` and of the `Situation` in a slot. In the simulated world the spot price
is the outside price, the system is all its parties, curtailment and reserve are read off the spot price (assumptions).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from market.slots import HALF_HOURS, SlotCalendar
from market.units import PPM, Int, divide_half_even

Mask = npt.NDArray[np.bool_]
RuleName = Literal["flat", "jp-2016", "jp-2022"]

PUBLISHED_BETA = {"hokuriku": -3_900, "tokyo": 2_630}
"""Area terms of fiscal year 2016 [mJPY/kWh], the two that were found published (Nikkei techon, 2017-06)."""


def scarcity_steps(calendar: SlotCalendar) -> tuple[tuple[int, int, int], ...]:
    """First slot, price at 8 % and at 3 % reserve [mJPY/kWh]: 45 and 200 JPY until 2026-09-30, then 50 and 300."""
    return (0, 45_000, 200_000), (calendar.first_of(date(2026, 10, 1)), 50_000, 300_000)


NO_SCARCITY_PPM, SCARCE_PPM, SCARCEST_PPM = 100_000, 80_000, 30_000
"""Wide-area reserve ratio (広域予備率) below which there is a scarcity price, and its two corners: 10, 8 and 3 %."""
CUMULATIVE_PRICE, CUMULATIVE_SLOTS, CUMULATIVE_DAYS, CUMULATIVE_CAP = 200_000, 30, 7, 100_000
"""30 slots at 200 JPY/kWh or more within 7 days cap the price at 100 JPY/kWh."""


@dataclass(frozen=True)
class Imbalance:
    """A rule by name and its parameters; prices [mJPY/kWh], factors and ratios [ppm].

    `jp-2016`: `alpha_ppm`, `beta` (areas,; empty is zero everywhere), `short_extra` (K), `long_less` (L).
    `jp-2022`: balancing energy costs the spot price plus `up` when the system is short, less `down` when it is long;
    `reserve` are steps (spot price from which, reserve ratio), `scarcity` steps (slot from which, price at 8 and 3 %).
    Both: renewables count as curtailed where the spot price is `curtailed_at` or less.
    """

    rule: RuleName = "flat"
    alpha_ppm: int = PPM
    beta: tuple[int, ...] = ()
    short_extra: int = 0
    long_less: int = 0
    curtailed_at: int = 10
    up: int = 0
    down: int = 0
    reserve: tuple[tuple[int, int], ...] = ((0, 120_000),)
    scarcity: tuple[tuple[int, int, int], ...] = scarcity_steps(HALF_HOURS)

    def __post_init__(self) -> None:
        shapes = {len(step) for step in self.reserve}, {len(step) for step in self.scarcity}
        if self.rule not in RULES or shapes != ({2}, {3}):
            raise ValueError(f"imbalance rule {self.rule!r} is unknown or its steps are no pairs and triples")


@dataclass(frozen=True)
class Situation:
    """What a rule looks at, of one slot in w worlds.

    spot (w, areas) [mJPY/kWh]; retail (w, areas, 2): what the retailer asks and pays; penalty of `flat`;
    short_wh (w, 1): reading minus plan of all parties; slot (w, 1); capped (w, areas): the cumulative rule applies.
    """

    spot: Int
    retail: Int
    penalty: int
    short_wh: Int
    slot: Int
    capped: Mask


def imbalance_prices(rule: Imbalance, now: Situation) -> Int:
    """What a missing kWh costs and a left-over kWh earns, (w, areas, 2) [mJPY/kWh]."""
    return RULES[rule.rule](rule, now)


def flat_prices(rule: Imbalance, now: Situation) -> Int:
    """Retailer's price plus penalty; feed-in less penalty, not below zero."""
    return np.stack([now.retail[..., 0] + now.penalty, np.maximum(now.retail[..., 1] - now.penalty, 0)], -1)


def prices_2016(rule: Imbalance, now: Situation) -> Int:
    """Spot x alpha + beta (+ K or - L), rounded once, half to even; not below zero; zero where curtailed.

    Source: rule of 2016-04 with K and L of 2019-04; published figures: `punishment_of`, `PUBLISHED_BETA`.
    """
    beta = np.array(rule.beta or 0, np.int64)
    sides = [
        divide_half_even(now.spot * rule.alpha_ppm + (beta + extra) * PPM, PPM)
        for extra in (rule.short_extra, -rule.long_less)
    ]
    curtailed = (now.spot <= rule.curtailed_at)[..., None]
    return np.where(curtailed, 0, np.maximum(np.stack(sides, -1), 0))


def prices_2022(rule: Imbalance, now: Situation) -> Int:
    """One price: the higher of balancing energy and scarcity, capped, zero where curtailed and the system is long."""
    side = np.sign(now.short_wh)
    balancing = np.maximum(now.spot + np.where(side > 0, rule.up, 0) - np.where(side < 0, rule.down, 0), 0)
    price = np.maximum(balancing, scarcity_prices(rule, now.spot, now.slot))
    price = np.where(now.capped, np.minimum(price, CUMULATIVE_CAP), price)
    price = np.where((now.spot <= rule.curtailed_at) & (side < 0), 0, price)
    return np.stack([price, price], -1)


def scarcity_prices(rule: Imbalance, spot: Int, slot: Int) -> Int:
    """Price of scarcity [mJPY/kWh], shape of `spot`: linear in the reserve ratio, rounded half to even.

    0 at 10 %, D at 8 %, C at 3 % and below; D and C by `slot` (broadcast to `spot`). Source: rule of 2022-04.
    """
    ratio = np.maximum(_step_values(rule.reserve, spot)[0], SCARCEST_PPM)
    low, high = _step_values(rule.scarcity, slot)
    upper = low * ((NO_SCARCITY_PPM - ratio) * (PPM // (NO_SCARCITY_PPM - SCARCE_PPM)))
    lower = low * PPM + (high - low) * ((SCARCE_PPM - ratio) * (PPM // (SCARCE_PPM - SCARCEST_PPM)))
    return divide_half_even(np.where(ratio >= SCARCE_PPM, np.maximum(upper, 0), lower), PPM)


def _step_values(steps: tuple[tuple[int, ...], ...], at: Int) -> Int:
    """The values of the last step that begins at or before `at` (the first step's below it): (values, *at.shape)."""
    table = np.array(steps, np.int64)
    row = np.maximum(np.searchsorted(table[:, 0], at, "right") - 1, 0)
    return np.moveaxis(table[row, 1:], -1, 0)


RULES: dict[RuleName, Callable[[Imbalance, Situation], Int]] = {
    "flat": flat_prices,
    "jp-2016": prices_2016,
    "jp-2022": prices_2022,
}
"""Each rule by its name."""
FLAT = Imbalance()


def find_capped(rule: Imbalance, outside: Int, calendar: SlotCalendar = HALF_HOURS) -> Mask:
    """Where the cumulative rule of `jp-2022` caps the price: mask of the shape of `outside` (..., slots) [mJPY/kWh].

    At least 30 of the slots of the seven days before had a price of 200 JPY/kWh or more. Slots before the first one
    given count as ordinary, so that a ledger's own calendar decides. Other rules have no cap.
    """
    if rule.rule != "jp-2022":
        return np.broadcast_to(np.False_, outside.shape)
    high = np.zeros((*outside.shape[:-1], outside.shape[-1] + 1), np.int64)
    np.cumsum(outside >= CUMULATIVE_PRICE, axis=-1, out=high[..., 1:])
    until = np.arange(outside.shape[-1])
    since = np.maximum(until - CUMULATIVE_DAYS * calendar.per_day, 0)
    return np.asarray(high[..., until] - high[..., since] >= CUMULATIVE_SLOTS, np.bool_)


def punishment_of(fiscal_year: int) -> tuple[int, int]:
    """K and L of `jp-2016` [mJPY/kWh]: none before 2019; 0.28 and 0.68 in 2019; 0.48 and 0.71 JPY after.

    Source: Kansai Transmission and Distribution, imbalance prices, without tax.
    """
    if fiscal_year < 2019:
        return 0, 0
    return (280, 680) if fiscal_year == 2019 else (480, 710)


def read_imbalance(record: dict[str, Any], areas: int) -> Imbalance:
    """The rule back from its JSON form; raises KeyError, TypeError or ValueError where a part does not fit."""
    steps = {name: tuple(tuple(step) for step in record[name]) for name in ("reserve", "scarcity")}
    rule = Imbalance(**{**record, "beta": tuple(record["beta"]), **steps})
    if len(rule.beta) not in (0, areas):
        raise ValueError(f"{len(rule.beta)} area terms of imbalance for {areas} areas")
    return rule
