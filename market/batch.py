"""Periodic batches: all live orders meet at once, once a step, for the largest surplus; what is left rests.

As continuous trade (paper 1.4) a contract takes its room on the lines when it forms and later ones get what is left;
unlike it, who came first decides only ties. Each contract is paid at the middle of its two limits, half to even.
Source: the product's design `dgp-batch`; the allocation is the auction's (`market.splitting`).
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from market.auction_prices import at_prices, auction
from market.exchange import Call, Outcome
from market.orders import TimeInForce
from market.pairing import trade_continuous
from market.tables import Table, join_rows, pick_rows
from market.units import Int, divide_half_even
from market.validation import check_sums


def trade_in_batches(call: Call) -> Outcome:
    """Enter, cancel and replace first, then let everything live meet at once; arguments as in `exchange.trade`.

    An `immediate` order takes part in the batch of its own step and then lapses.
    """
    given, held = join_rows(call.resting, call.orders), len(call.resting)
    codes = np.zeros(len(given), np.uint8)
    # admission bounds a step's orders; what rests from earlier steps counts too where all meet at once
    check_sums(given, codes)
    entered, live, row = _enter(call, given, codes == 0)
    formed = auction(replace(call, resting=live[:0], orders=live))
    limits = live["price"].astype(np.int64)
    middle = divide_half_even(limits[formed.sale] + limits[formed.purchase], 2)
    traded = at_prices(formed.outcome, middle, middle)
    left = live["energy"] - traded.filled_wh
    stays = (left > 0) & (live["time_in_force"] != int(TimeInForce.IMMEDIATE))
    resting = pick_rows(live, stays)
    resting["energy"] = left[stays]
    filled, lapsed = np.zeros((2, len(given)), np.int64)
    filled[row], lapsed[row] = traded.filled_wh, np.where(stays, 0, left)
    fresh = codes[held:]
    fresh[fresh == 0] = entered.codes
    return replace(
        traded,
        resting=resting,
        codes=fresh,
        filled_wh=filled[held:],
        expired_wh=lapsed[held:],
        cancelled_wh=entered.cancelled_wh,
    )


def _enter(call: Call, given: Table, fits: npt.NDArray[np.bool_]) -> tuple[Outcome, Table, Int]:
    """What entering alone does, the live orders after it, and the row of `given` each of them is.

    This is continuous trade in which nobody meets anybody: all parties have one owner. Rows are numbered by arrival, so
    that a live order tells where it came from; those that do not fit stay out.
    """
    arrival = np.argsort(given["sequence"], kind="stable")
    numbered = given.copy()
    numbered["sequence"][arrival] = np.arange(len(given))
    numbered["time_in_force"] = TimeInForce.UNTIL_GATE
    held, nobody = len(call.resting), np.zeros(int(given["party"].max(initial=0)) + 1, np.int64)
    entered = trade_continuous(
        call.design,
        call.grid,
        numbered[:held],
        pick_rows(numbered[held:], fits[held:]),
        call.capacity_wh,
        call.flow_wh,
        call.now,
        limit_wh=call.limit_wh,
        owner=nobody,
    )
    live = entered.resting
    row = arrival[live["sequence"]]
    live["sequence"], live["time_in_force"] = given["sequence"][row], given["time_in_force"][row]
    return entered, live, np.asarray(row, np.int64)
