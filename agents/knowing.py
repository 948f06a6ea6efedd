"""What a party knew when it decided, as bytes: the whole `View` of one party, so that a decision can be made again.

The observation (`agents.observing`) is computed from these integers, and so are limits and energies of the orders
(`agents.quoting`). Layout, all int64 big-endian: `HEAD` fields, then plan (gate) | net (W) | solar (W) | outside (W)
| traded (slots_per_day) | position (h) | best bid (h) | best ask (h) | live (2 h). W is as far as anything looks: a
day from the gate on, and every open slot. Layout 2 has the `EXTRAS` of a battery behind the head; a party
without any writes layout 1. Cars, fuel cells and water heaters are in the net forecast alone. The world and a device
write the same bytes for the same party and step.
"""

import hashlib
from dataclasses import fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.devices import Battery
from agents.observing import DAY, View
from agents.policies import FixedPolicy, NetworkPolicy, ZeroIntelligence
from agents.strategies import Bidder, Strategy
from ledger.reasons import NO_REASON, name_policy
from market.errors import DataError
from market.settlement import Terms
from market.units import Int

LAYOUT, WITH_EXTRAS = 1, 2
HEAD = (
    "layout",
    "slot_of_day",
    "slots_per_day",
    "gate",
    "open_first",
    "role",
    "open_slots",
    "reach",
    "stored_wh",
    "power_wh",
    "capacity_wh",
    "efficiency_ppm",
    "wear_mjpy_kwh",
    "cost",
    "thermal_wh",
    "export_limit_wh",
)
"""Numbers at the front of every observation's bytes."""
EXTRAS = ("lowest_wh", "self_discharge_ppm", "discharge_ppm", "discharge_wh")
"""Numbers behind them under layout 2, as `agents.devices.Battery` has them."""
_WIRE = np.dtype(">i8")


def hash_policy(policy: Bidder) -> bytes:
    """How envelopes name a policy: 32 bytes, `NO_REASON` for one that has no name outside its process."""
    if isinstance(policy, NetworkPolicy):
        return _hash_model(policy.model)
    if isinstance(policy, FixedPolicy | ZeroIntelligence) or (isinstance(policy, Strategy) and policy.is_named):
        return _name_scripted(policy, repr(policy))
    return NO_REASON


@lru_cache(maxsize=64)
def _hash_model(model: bytes) -> bytes:
    """Asked in every step of a signed world, for the same few networks."""
    return hashlib.sha256(model).digest()


@lru_cache(maxsize=64)
def _name_scripted(policy: Any, _spelling: str) -> bytes:
    """By its spelling too: 0.0 and -0.0 are equal and named differently. What users type is no part of it."""
    named = {field.name: getattr(policy, field.name) for field in fields(policy) if field.compare}
    return name_policy(type(policy).__name__, named)


def write_knowledge(view: View, slots_ahead: int = 0) -> list[list[bytes]]:
    """Bytes of what each party of a view knew, by world and party, `slots_ahead` from the gate on if not more."""
    worlds, parties = view.stored_wh.shape
    count, battery = view.position_wh.shape[-1], view.battery
    reach = min(max(view.gate + max(DAY, slots_ahead), view.open_first + count), view.net_wh.shape[-1])
    extras = [getattr(battery, name) for name in EXTRAS]
    extras = extras if any(np.any(column) for column in extras) else []
    layout = WITH_EXTRAS if extras else LAYOUT
    fixed = (layout, view.slot_of_day, view.slots_per_day, view.gate, view.open_first, view.role, count, reach)
    devices = (battery.power_wh, battery.capacity_wh, battery.efficiency_ppm, battery.wear_mjpy_kwh)
    columns: tuple[npt.NDArray[Any], ...] = (
        view.plan_wh,
        view.net_wh[..., :reach],
        view.solar_wh_kw[..., :reach],
        view.outside[..., :reach],
        view.traded_ppm,
        view.position_wh,
        view.best_bid,
        view.best_ask,
        view.live.reshape(worlds, parties, 2 * count),
    )
    # filled in place: in a signed world this runs for every role in every step
    out = np.empty((worlds, parties, len(HEAD) + len(extras) + sum(column.shape[-1] for column in columns)), _WIRE)
    out[..., : len(fixed)] = fixed
    out[..., len(fixed)] = view.stored_wh
    numbers = (*devices, view.cost, view.thermal_wh, view.export_limit_wh, *extras)
    for place, number in enumerate(numbers, len(fixed) + 1):
        out[..., place] = number
    at = len(HEAD) + len(extras)
    for column in columns:
        out[..., at : at + column.shape[-1]] = column
        at += column.shape[-1]
    pieces = _cut(out)
    if extras:
        has: npt.NDArray[np.bool_] = np.any([np.broadcast_to(column, parties) for column in extras], axis=0)
        out[..., 0] = LAYOUT
        bare = _cut(np.delete(out, slice(len(HEAD), len(HEAD) + len(extras)), axis=-1))
        pieces = [
            [full if own else less for full, less, own in zip(*world, has, strict=True)]
            for world in zip(pieces, bare, strict=True)
        ]
    return pieces


def _cut(rows: npt.NDArray[Any]) -> list[list[bytes]]:
    """Bytes of each row by world and party."""
    parties, size = rows.shape[1], rows.shape[2] * _WIRE.itemsize
    data = rows.tobytes()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return [pieces[first : first + parties] for first in range(0, len(pieces), parties)]


def read_knowledge(data: bytes, terms: Terms) -> View:
    """The view of one party of one world, from its bytes and the rules' prices; raises DataError on a wrong length."""
    numbers: Int = np.frombuffer(data[: len(data) // 8 * 8], _WIRE).astype(np.int64)
    if len(numbers) < len(HEAD) or len(data) % 8 or numbers[0] not in (LAYOUT, WITH_EXTRAS):
        raise DataError("not an observation of this layout", do="use the version that wrote it")
    names = (*HEAD, *EXTRAS) if numbers[0] == WITH_EXTRAS else HEAD
    head = dict(zip(names, numbers.tolist(), strict=False))
    count, reach = head["open_slots"], head["reach"]
    sizes = (head["gate"], reach, reach, reach, head["slots_per_day"], count, count, count, 2 * count)
    if min(sizes) < 0 or len(numbers) != len(names) + sum(sizes):
        raise DataError("observation has a wrong length", do="use the version that wrote it")
    plan, net, solar, outside, traded, position, bid, ask, live = (
        part[None, None] for part in np.split(numbers[len(names) :], np.cumsum(sizes[:-1]))
    )
    own = {name: np.array([head[name]]) for name in names[9:]}
    return View(
        slot_of_day=head["slot_of_day"],
        slots_per_day=head["slots_per_day"],
        gate=head["gate"],
        open_first=head["open_first"],
        role=head["role"],
        battery=Battery(*(own[name] for name in HEAD[9:13]), **{name: own[name] for name in EXTRAS if name in own}),
        stored_wh=np.array([[head["stored_wh"]]]),
        plan_wh=plan,
        net_wh=net,
        solar_wh_kw=solar,
        outside=outside,
        traded_ppm=traded,
        position_wh=position,
        best_bid=bid,
        best_ask=ask,
        live=live.reshape(1, 1, count, 2) != 0,
        cost=own["cost"],
        thermal_wh=own["thermal_wh"],
        export_limit_wh=own["export_limit_wh"],
        terms=terms,
    )
