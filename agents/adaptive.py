"""ZIP: traders with a profit margin that moves with what they see (Cliff and Bruten 1997, HP Laboratories HPL-97-91).

A trader raises its margin when it could have had more, and lowers it when it is passed over. Its price moves towards a
target a little beyond the price seen (Widrow-Hoff with momentum): change = rate x (target - price), momentum = damping
x momentum + (1 - damping) x change, price + momentum. Rates are drawn once per trader: rate from .1 to .5, damping from
0 to .1; a target is the price seen times 1 to 1.05 (or .95 to 1) and up to .05 further (all HPL-97-91).

`move_prices` is that rule on columns. `Zip` is the strategy of a DGC: one margin for sales and one for purchases, as a
share of the band between reservation price and outside option, so that one margin fits the band of every half hour
(assumption: the paper's margins are shares of the limit price). Floats end in `agents.quoting`, which keeps limits
inside the individually rational band.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agents.draw import Bits, Purpose, draw, uniform
from agents.observing import NO_QUOTE, View
from agents.policies import Stream
from agents.quoting import ACTIONS, Quote, floor_price, quote
from agents.strategies import Memory, Strategy
from market.design import MarketDesign
from market.errors import ConfigError
from market.units import PPM, Int

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RATE_LOW, RATE_HIGH = 0.1, 0.5
DAMPING_HIGH = 0.1
MARGIN_LOW, MARGIN_HIGH = 0.05, 0.35
RELATIVE, SHIFT = 0.05, 0.05
"""A target lies up to 5 % of the price seen, and up to 0.05, beyond it (HPL-97-91, prices around 1 to 2)."""
SELL, BUY = 0, 1
_SIDE, _START = 1 << 18, 2
"""Dice of a party: purchases lie above sales, those of the start above those of the steps."""


@dataclass
class Adaptation:
    """How traders learn, columns of one shape: rate, damping, first margin; momentum changes as prices move."""

    rate: Floats
    damping: Floats
    first_margin: Floats
    momentum: Floats


def draw_adaptation(seed: int, world: Int, trader: Int) -> Adaptation:
    """Rates and first margins of traders (t,) in worlds (w,): columns (w, t)."""
    salts = np.array([_START, _START + 1, _START + 2])[:, None, None] << 20
    share = uniform(draw(seed, world[:, None], trader + salts, 0, Purpose.ADAPTING))
    return Adaptation(
        RATE_LOW + (RATE_HIGH - RATE_LOW) * share[0],
        DAMPING_HIGH * share[1],
        MARGIN_LOW + (MARGIN_HIGH - MARGIN_LOW) * share[2],
        np.zeros(share[0].shape),
    )


def draw_steps(seed: int, world: Int, trader: Int, slot: Int | int) -> Bits:
    """Two dice of each trader at a step, (2, w, t)."""
    salts = np.array([0, 1])[:, None, None] << 20
    return draw(seed, world[:, None], trader + salts, slot, Purpose.ADAPTING)


def move_prices(
    price: Floats, seen: Floats, upward: Mask, downward: Mask, adaptation: Adaptation, dice: Bits, shift: float = SHIFT
) -> Floats:
    """Prices after one step of learning; the adaptation's momentum moves with them.

    Args:
        price: what each trader would name now.
        seen: the price it learns from.
        upward, downward: who moves to beyond it and who to below it; others keep price and momentum.
        adaptation: how each learns, columns of the same shape.
        dice: (2, ...) random bits.
        shift: largest absolute part of a target, in the unit of prices.
    """
    away = np.where(upward, 1.0, -1.0)
    relative, absolute = uniform(dice)
    target = seen * (1 + away * RELATIVE * relative) + away * shift * absolute
    change = adaptation.rate * (target - price)
    momentum = adaptation.damping * adaptation.momentum + (1 - adaptation.damping) * change
    moves = upward | downward
    adaptation.momentum = np.where(moves, momentum, adaptation.momentum)
    return np.where(moves, price + momentum, price)


@dataclass
class Margins:
    """What a ZIP bidder remembers: margins (w, r, 2) of sales and purchases, and what it wanted last.

    wanted_wh, position_wh (w, r, h): of the slots from `first_open` on, counted from the first step; `step`: how often
    it was asked.
    """

    adaptation: Adaptation
    margin: Floats
    wanted_wh: Int
    position_wh: Int
    first_open: int = 0
    step: int = 0


@dataclass(frozen=True)
class Zip(Strategy):
    """Sells and buys what a truthful bidder would, at a margin that it learns; keeps to self-use of the battery.

    At each step a side learns from the first of these that it has seen since the last: a fill of its own (asks for
    more), a rival's better quote while its own was passed over (gives way), the usual price of the half hour that
    closed (asks for more where it would have traded, else gives way).
    """

    name: str = field(default="zip")

    def begin(self, view: View, stream: Stream) -> Memory:
        """Rates and margins as drawn; nothing wanted yet."""
        worlds, parties = view.stored_wh.shape
        adaptation = draw_adaptation(stream.seed, stream.world, _sides(stream.party))
        nothing = np.zeros((worlds, parties, 0), np.int64)
        return Margins(adaptation, adaptation.first_margin.reshape(worlds, parties, 2).copy(), nothing, nothing)

    def quote(self, view: View, stream: Stream, design: MarketDesign, memory: Memory) -> Quote:
        """Limits at the learned margins for all of the forecast net energy and the self-use plan."""
        if memory.step:
            self._learn(view, stream, memory)
        action = np.zeros((*view.stored_wh.shape, ACTIONS), np.float32)
        action[..., :2] = 2 * memory.margin - 1
        action[..., 2] = -1
        made = quote(view, action, design)
        memory.wanted_wh, memory.position_wh = made.wanted_wh, view.position_wh.copy()
        memory.first_open = memory.step + view.open_first
        memory.step += 1
        return made

    def _learn(self, view: View, stream: Stream, memory: Margins) -> None:
        """Move both margins of every party by what it saw."""
        shape = memory.margin.shape
        price = memory.margin * [1, -1] + [0, 1]
        sees, seen, better = _read_signals(view, memory, price)
        worse = sees & ~better
        is_sale = np.array([True, False])
        upward, downward = np.where(is_sale, better, worse), np.where(is_sale, worse, better)
        dice = draw_steps(stream.seed, stream.world, _sides(stream.party), stream.slot[:, None])
        flat_price, flat_seen = price.reshape(shape[0], -1), seen.reshape(shape[0], -1)
        ups, downs = upward.reshape(shape[0], -1), downward.reshape(shape[0], -1)
        moved = move_prices(flat_price, flat_seen, ups, downs, memory.adaptation, dice)
        margin = moved.reshape(shape) * [1, -1] + [0, 1]
        memory.margin = np.minimum(np.maximum(margin, 0.0), 1.0)


def _sides(party: Int) -> Int:
    """Numbers of the sales and purchases of each party, for dice (2 r,)."""
    return np.asarray((party[:, None] + np.array([0, _SIDE])).ravel())


def _read_signals(view: View, memory: Margins, price: Floats) -> tuple[Mask, Floats, Mask]:
    """Whether each side learns, from what price, and whether it could have had more: (w, r, 2) each.

    `price` (w, r, 2): what each side asks or bids, as a share of its band.
    """
    filled = _filled(view, memory)
    wanted = np.any(np.stack([memory.wanted_wh < 0, memory.wanted_wh > 0], -1), 2)
    usual = _share(view, view.gate - 1, _usual_price(view))[..., None]
    could = np.where(np.array([True, False]), price <= usual, price >= usual)
    seen, better, sees = np.where(filled, price, usual), filled | could, wanted | could
    if view.position_wh.shape[-1]:
        rival, ahead = _rivals(view, price)
        passed = ahead & ~filled & np.asarray(view.live.any(2))[..., ::-1]
        seen, better, sees = np.where(passed, rival, seen), better & ~passed, sees | passed
    return sees, seen, better & sees


def _filled(view: View, memory: Margins) -> Mask:
    """Whether something was sold or bought since the last step in a slot that is still open, (w, r, 2)."""
    gone = memory.step + view.open_first - memory.first_open
    before = memory.position_wh[..., max(gone, 0) :]
    now = view.position_wh[..., max(-gone, 0) :][..., : before.shape[-1]]
    moved = now - before[..., : now.shape[-1]]
    return np.asarray(np.stack([moved < 0, moved > 0], -1).any(2))


def _rivals(view: View, price: Floats) -> tuple[Floats, Mask]:
    """Best ask and best bid of the first open slot as shares of the band, and whether they beat the own price."""
    quotes = np.stack(np.broadcast_arrays(view.best_ask[..., 0], view.best_bid[..., 0]), -1)
    share = np.stack([_share(view, view.open_first, quotes[..., side]) for side in (SELL, BUY)], -1)
    # the best quote may be the own one, rounded to the tick
    one_tick = 1e-3
    ahead = np.where(np.array([True, False]), share < price - one_tick, share > price + one_tick)
    return share, ahead & (quotes != NO_QUOTE)


def _usual_price(view: View) -> Int:
    """Usual traded price of the half hour whose gate closed last, (w, r or 1) [mJPY/kWh]."""
    outside = view.outside[..., view.gate - 1]
    low, high = view.terms.feed_in_price(outside), view.terms.consumption_value(outside)
    at = (view.slot_of_day + view.gate - 1) % view.slots_per_day
    return np.asarray(low + view.traded_ppm[..., at] * (high - low) // PPM)


def _share(view: View, ahead: int, price: Int) -> Floats:
    """Where a price lies in the parties' band of the slot so far ahead, 0 to 1 where inside."""
    outside = view.outside[..., ahead : ahead + 1]
    low, high = floor_price(view, outside)[..., 0], view.terms.consumption_value(outside)[..., 0]
    share = (price - low) / np.maximum(high - low, 1)
    return np.asarray(np.broadcast_to(share, view.stored_wh.shape))


def make_zip(parameter: str) -> Zip:
    """The strategy; raises ConfigError when it is given a parameter."""
    if parameter:
        raise ConfigError(f"zip takes no parameter, not {parameter!r}", do="write zip")
    return Zip()
