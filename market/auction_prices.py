"""Other prices for the allocation of the auction: pay as bid, and the k-double auction.

Who trades, how much and over which lines is decided as in every auction, by welfare with splitting
(`market.splitting`); only what is paid differs.
"""

from dataclasses import replace

import numpy as np

from market.errors import ConfigError
from market.exchange import NO_PRICE, Call, Outcome
from market.fences import fences_of
from market.orders import Side
from market.splitting import Cleared, Formed, clear, form_contracts, lowest_prices, room_of
from market.tables import Table
from market.units import PPM, Int, divide_half_even


def auction(call: Call) -> Formed:
    """The optimal allocation at its lowest clearing prices, with the orders behind each contract.

    The start of a rule that pays something else. Raises ConfigError for a grid with joint limits that are no fences.
    """
    return form_contracts(call.grid, call.orders, _cleared(call), call.flow_wh, call.now)


def pay_as_bid(call: Call) -> Outcome:
    """Each contract at its seller's own price, paid by its buyer; contracts pair the best ask with the best bid.

    Both sides pay one price, so nothing is left over, not even on a full line. Rosters of asks and bids are paired in
    order of priority, as in every auction.
    """
    formed = auction(call)
    ask = np.maximum(call.orders["price"][formed.sale], call.design.band_mjpy_kwh[0])
    return at_prices(formed.outcome, ask, ask)


def k_double(call: Call) -> Outcome:
    """One price for each area, k of the way from the lowest to the highest price vector that clears; half to even.

    Both vectors support the allocation, and so does what lies between them. Source: Rustichini, Satterthwaite and
    Williams 1994, Econometrica 62(5), doi:10.2307/2951506; k = 1/2 is the rule of Chatterjee and Samuelson 1983,
    doi:10.1287/opre.31.5.835.
    """
    cleared, k = _cleared(call), call.design.k_ppm
    price = cleared.result.price
    high = _highest_prices(call)
    between = divide_half_even(price * (PPM - k) + high * k, PPM)
    price[:] = np.where(price == NO_PRICE, NO_PRICE, between)
    return form_contracts(call.grid, call.orders, cleared, call.flow_wh, call.now).outcome


def at_prices(outcome: Outcome, sell_price: Int, buy_price: Int) -> Outcome:
    """The same contracts at other prices (contracts,) [mJPY/kWh]; no price of an area is left."""
    outcome.contracts["sell_price"], outcome.contracts["buy_price"] = sell_price, buy_price
    return replace(outcome, price=None)


def _cleared(call: Call) -> Cleared:
    if fences_of(call.grid) is None:
        what = f"design {call.design.name!r} takes no joint limits beyond those around one area"
        raise ConfigError(what, do="choose `spot`, `call` or `dgp`, or a grid without them")
    return clear(call.design, call.grid, call.orders, call.capacity_wh, call.flow_wh, call.limit_wh)


def _highest_prices(call: Call) -> Int:
    """Largest price vector that clears: the smallest of the market seen from the other side, negated."""
    room = room_of(call.design, call.grid, call.capacity_wh, call.flow_wh, call.limit_wh)
    back = np.ascontiguousarray(room[:, :, ::-1])
    return -lowest_prices(call.grid, _turn(call.orders), back, -call.design.band_mjpy_kwh[1])


def _turn(orders: Table) -> Table:
    """Sellers as buyers and the reverse, at negated prices."""
    turned = orders.copy()
    turned["side"] = np.where(orders["side"] == Side.BUY, Side.SELL, Side.BUY)
    turned["price"] = -orders["price"]
    return turned
