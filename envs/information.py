"""What `info` says of a party after a step: money by part, energies, price, refusals, heads.

Everything is a column over the parallel worlds, in the form of gymnasium vector environments: beside the key `k`
stands the mask `_k`, False where a world has no such value (a price without a trade is no number). The money parts
sum to the reward times its scale.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from agents.devices import wear_cost
from envs.reward import jpy_of
from envs.world import Step, World
from market.errors import Refusal
from market.settlement import PostingKind
from market.tables import Table
from market.units import Int

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
        "energy_wh": _masked(_energies(world, step, party), every),
        "_energy_wh": every,
        "money_jpy": _masked({part: jpy_of(x) for part, x in money_parts(world, step, party).items()}, every),
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


def money_parts(world: World, step: Step, party: int) -> dict[str, Int]:
    """Money a party accrued in a step by part, (worlds,) each [uJPY]; the sum is its reward."""
    contracts = step.contracts
    bought, sold = contracts["buyer"] == party, contracts["seller"] == party
    last = contracts["last_resort"] == 1
    paid = _per_world(world, contracts, contracts["energy"] * contracts["buy_price"], bought & ~last)
    earned = _per_world(world, contracts, contracts["energy"] * contracts["sell_price"], sold & ~last)
    resort = _per_world(world, contracts, contracts["energy"] * contracts["sell_price"], sold & last)
    resort -= _per_world(world, contracts, contracts["energy"] * contracts["buy_price"], bought & last)
    parts = {
        "purchases": -paid,
        "sales": earned,
        "fee": -_per_world(world, contracts, contracts["energy"] * world.terms.fee, bought & ~last),
        "last_resort": resort,
    }
    parts |= {name: step.money_ujpy[:, party, kind] for name, kind in METERED.items()}
    parts["wear"] = -wear_cost(world.fleet.battery, world.passed_wh)[:, party]
    parts["stored_energy"] = world.tally.credit_ujpy[:, party] if step.done else np.zeros(world.worlds, np.int64)
    if world.t == 1:
        parts["last_resort"] = resort + world._opening_reward[:, party]
    return parts


def _energies(world: World, step: Step, party: int) -> dict[str, Int]:
    contracts = step.contracts
    bought, sold = contracts["buyer"] == party, contracts["seller"] == party
    last = contracts["last_resort"] == 1
    return {
        "bought": _per_world(world, contracts, contracts["energy"], bought & ~last),
        "sold": _per_world(world, contracts, contracts["energy"], sold & ~last),
        "last_resort": _per_world(
            world, contracts, np.where(bought, contracts["energy"], -contracts["energy"]), last & (bought | sold)
        ),
        "planned": world.plan_wh[:, party, world.t - 1],
        "metered": step.reading_wh[:, party],
        "stored": world.stored_wh[:, party],
    }


def _refusals(world: World, step: Step, party: int) -> dict[str, Int]:
    """Refused order rows of the party by the code's name; only codes that occurred."""
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
    free = contracts[contracts["last_resort"] == 0]
    energy, value = np.zeros(worlds, np.int64), np.zeros(worlds, np.int64)
    np.add.at(energy, free["world"], free["energy"])
    np.add.at(value, free["world"], free["energy"] * free["buy_price"])
    return value / np.maximum(energy, 1) / 1000, energy > 0


def _masked(columns: dict[str, Any], mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return columns | {f"_{key}": mask for key in columns}
