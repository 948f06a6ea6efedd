"""Which coming slots a store of energy is filled in: the first ones of an order, as many as the need asks for.

A vehicle's battery and a hot-water tank are filled by the same rule; only the order differs (price, time, PV surplus).
"""

import numpy as np
import numpy.typing as npt

from market.units import PPM, Int

Mask = npt.NDArray[np.bool_]


def fill_in_order(order: Int, usable: Mask, most_wh: Int, stored_ppm: Int, needed_wh: Int) -> Int:
    """Energy to take in each slot so that `needed_wh` is stored, lowest `order` first, ties to the earlier slot.

    Args:
        order: (..., slots) any integers, the price for instance.
        usable: (..., slots) slots that may be used.
        most_wh: (...,) most energy of one slot at the terminals [Wh].
        stored_ppm: (..., slots) or broadcastable: what is stored of the energy taken [ppm].
        needed_wh: (...,) energy that shall be stored [Wh]; zero or less asks for nothing.

    Returns:
        (..., slots) [Wh] at the terminals; exactly the need is stored if the slots suffice, else every slot is used.
        A slot of x stores floor(x * ppm), so the last one takes ceil(rest / ppm).
    """
    shape = np.broadcast_shapes(order.shape, usable.shape, (*needed_wh.shape, 1), (*most_wh.shape, 1))
    last = np.iinfo(np.int64).max
    place = np.argsort(np.broadcast_to(np.where(usable, order, last), shape), axis=-1, kind="stable")
    most = np.broadcast_to(np.where(usable, most_wh[..., None], 0), shape)
    rate = np.maximum(np.broadcast_to(stored_ppm, shape), 1)
    ranked_most, ranked_rate = (np.take_along_axis(column, place, -1) for column in (most, rate))
    full = ranked_most * ranked_rate // PPM
    left = needed_wh[..., None] - (np.cumsum(full, -1) - full)
    part = -(-np.maximum(left, 0) * PPM // ranked_rate)
    taken = np.empty(shape, np.int64)
    np.put_along_axis(taken, place, np.minimum(part, ranked_most), -1)
    return taken
