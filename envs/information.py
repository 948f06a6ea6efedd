"""What `info` says of a party after a step: money by part, energies, price, refusals, heads.

Everything is a column over the parallel worlds, in the form of gymnasium vector environments: beside the key `k`
stands the mask `_k`, False where a world has no such value (a price without a trade is no number). The money parts
sum to the reward times its scale.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from envs.reward import jpy_of
from envs.world import Step, World
from market.errors import Refusal
from market.settlement import PostingKind
from market.tables import Table, pick_rows
from market.units import Int

Deals = tuple[Table, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]

METERED = {
    "imbalance": PostingKind.IMBALANCE,
    "wheeling": PostingKind.WHEELING,
    "surcharge": PostingKind.SURCHARGE,
    "fuel": PostingKind.FUEL,
}


def state_info(world: World) -> dict[str, Any]:
    """What can be said before a step: the slot that starts, and the content head."""
    every = np.ones(world.worlds, np.bool_)
    heads = [head.hex() for head in world.keeper.content_heads]
    info: dict[str, Any] = {"slot": world.now, "_slot": every}
    if heads:
        info |= {"content_head": np.array(heads, dtype=object), "_content_head": every}
    return info


def step_info(world: World, step: Step, party: int, accepts: bool) -> dict[str, Any]:
    """What the step just taken brought a party, and the world's head after it.

    Args:
        world: after the step.
        step: what it returned.
        party: row of the party.
        accepts: whether the design took orders at that step; if not, the prices in the action were ignored.
    """
    every = np.ones(world.worlds, np.bool_)
    deals = _deals(step, party)
    money = _money(world, step, party, deals)
    delivered = world.t - 1
    outside = world.episode.outside[:, world.fleet.area[party], delivered]
    price, traded = _mean_price(step.contracts, world.worlds)
    return state_info(world) | {
        "accepts": np.full(world.worlds, accepts),
        "_accepts": every,
        "price_jpy_kwh": price,
        "_price_jpy_kwh": traded,
        "outside_jpy_kwh": outside / 1000,
        "_outside_jpy_kwh": every,
        "energy_wh": _masked(_energies(world, step, party, deals), every),
        "_energy_wh": every,
        "money_jpy": _masked({part: jpy_of(amount) for part, amount in money.items()}, every),
        "_money_jpy": every,
        "refused": _masked(_refusals(world, step, party), every),
        "_refused": every,
    }


def world_row(info: dict[str, Any], world: int) -> dict[str, Any]:
    """One world of an info as plain values, None where it has no such value."""
    row: dict[str, Any] = {}
    for key, column in info.items():
        if key.startswith("_"):
            continue
        if isinstance(column, dict):
            row[key] = world_row(column, world)
        else:
            value = column[world] if info[f"_{key}"][world] else None
            row[key] = value.item() if isinstance(value, np.generic) else value
    return row


def _deals(step: Step, party: int) -> Deals:
    """Contracts of a party formed in a step, and which of them it bought and which are last resort."""
    own = pick_rows(step.contracts, (step.contracts["buyer"] == party) | (step.contracts["seller"] == party))
    return own, own["buyer"] == party, own["last_resort"] == 1


def _outage_money(world: World, step: Step, party: int) -> Int:
    if step.outage is None:
        return np.zeros(world.worlds, np.int64)
    return step.outage.accrued(world.worlds, party, world.terms.fee)


def _money(world: World, step: Step, party: int, deals: Deals) -> dict[str, Int]:
    """Money accrued by part, (worlds,) each [uJPY]; the sum is the reward."""
    own, bought, last = deals
    energy, kinds = own["energy"], step.money_ujpy[:, party]
    money = np.where(bought, -energy * own["buy_price"], energy * own["sell_price"])
    resort = _per_world(world, own, money, last)
    if world.t == 1:
        resort += world.opening_reward_ujpy[:, party]
    return {
        "purchases": _per_world(world, own, money, bought & ~last),
        "sales": _per_world(world, own, money, ~bought & ~last),
        "fee": -_per_world(world, own, energy * world.terms.fee, bought & ~last),
        "last_resort": resort,
        **{name: kinds[:, kind] for name, kind in METERED.items()},
        "wear": -world.wear_ujpy[:, party],
        "devices": -world.behind.own.cost_ujpy[:, party].sum(-1),
        "outages": _outage_money(world, step, party),
        "stored_energy": world.tally.credit_ujpy[:, party] if step.done else np.zeros(world.worlds, np.int64),
    }


def _energies(world: World, step: Step, party: int, deals: Deals) -> dict[str, Int]:
    own, bought, last = deals
    return {
        "bought": _per_world(world, own, own["energy"], bought & ~last),
        "sold": _per_world(world, own, own["energy"], ~bought & ~last),
        "last_resort": _per_world(world, own, np.where(bought, own["energy"], -own["energy"]), last),
        "planned": world.plan_wh[:, party, world.t - 1],
        "metered": step.reading_wh[:, party],
        "stored": world.stored_wh[:, party],
    }


def _refusals(world: World, step: Step, party: int) -> dict[str, Int]:
    """Refused order rows of the party by the code's name; only codes that occurred."""
    if not step.codes.any():
        return {}
    own = (step.given["party"] == party) & (step.codes != 0)
    names = {int(code): Refusal(int(code)).name for code in np.unique(step.codes[own])}
    return {
        name: np.bincount(step.given["world"][own & (step.codes == code)], minlength=world.worlds)
        for code, name in names.items()
    }


def _per_world(world: World, contracts: Table, amount: Int, rows: npt.NDArray[np.bool_]) -> Int:
    """Sum of an amount over some contracts of each world, in integers."""
    total = np.zeros(world.worlds, np.int64)
    np.add.at(total, contracts["world"][rows], amount[rows])
    return total


def _mean_price(contracts: Table, worlds: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Mean price [JPY/kWh] paid in the contracts traded in a step, and where there were any (worlds,)."""
    free = contracts["last_resort"] == 0
    world, energy = contracts["world"][free], contracts["energy"][free]
    total = np.bincount(world, energy, minlength=worlds)
    value = np.bincount(world, energy * contracts["buy_price"][free], minlength=worlds)
    return value / np.maximum(total, 1) / 1000, total > 0


def _masked(columns: dict[str, Any], mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return columns | {f"_{key}": mask for key in columns}
