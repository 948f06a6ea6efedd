"""Two sessions one after the other: the day-ahead auction at 10:00, then continuous trade until each gate.

The auction takes what is for tomorrow while it is open (JEPX spot, 取引規程 art. 16); all else trades continuously over
the room the auction left (JEPX 時間前市場, from 17:00 the day before to one hour before delivery). Which session an
order belongs to follows from the time and its slot alone, so a record needs no more to be replayed.
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from market.exchange import Call, Outcome
from market.opening import is_auctioned
from market.pairing import trade_continuous
from market.splitting import trade_uniform
from market.tables import join_rows, pick_rows

Number = TypeVar("Number", bound=np.generic)


def trade_in_sessions(call: Call) -> Outcome:
    """Clear the rows of the auction, then let the others arrive; arguments as in `exchange.trade`."""
    orders, now = call.orders, np.asarray(call.now, np.int64)
    first = is_auctioned(call.calendar, now[orders["world"]], orders["slot"])
    cleared = trade_uniform(
        call.design, call.grid, pick_rows(orders, first), call.capacity_wh, call.flow_wh, now, call.limit_wh
    )
    traded = trade_continuous(
        call.design,
        call.grid,
        call.resting,
        pick_rows(orders, ~first),
        call.capacity_wh,
        cleared.flow_wh,
        now,
        limit_wh=call.limit_wh,
        owner=call.owner,
    )
    return replace(
        cleared,
        contracts=join_rows(cleared.contracts, traded.contracts),
        resting=traded.resting,
        codes=_merge(first, cleared.codes, traded.codes),
        filled_wh=_merge(first, cleared.filled_wh, traded.filled_wh),
        expired_wh=_merge(first, cleared.expired_wh, traded.expired_wh),
        cancelled_wh=traded.cancelled_wh,
        flow_wh=traded.flow_wh,
    )


def _merge(first: npt.NDArray[np.bool_], one: npt.NDArray[Number], other: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Columns of two parts of a table as columns of the whole."""
    out = np.empty(len(first), one.dtype)
    out[first], out[~first] = one, other
    return out
