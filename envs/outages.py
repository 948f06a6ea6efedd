"""Outages in the simulated world: what a scenario announces when, and what contracts give up for it.

An outage is told at the beginning of its step, before anybody is shown anything: capacities of the slots whose gates
are still open fall, contracts over what is then too full are curtailed (`market.outages`), and the next plans follow
from the positions that are left. What was announced is recorded with the step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from market.outages import NOTICE, Response, Standing, no_curtailed, no_notices, respond
from market.tables import Table
from market.units import Int

if TYPE_CHECKING:
    from envs.scenario_schema import OutageSpec
    from envs.world import World


@dataclass(frozen=True)
class Announced:
    """What was announced before a step: NOTICE rows, and what it caused."""

    notices: Table
    response: Response

    @property
    def curtailed(self) -> Table:
        """CURTAILED rows by world, then number."""
        return self.response.curtailed

    def accrued(self, worlds: int, party: int, fee: int) -> Int:
        """Money of a party that curtailments take and give (worlds,) [uJPY], as it accrued."""
        money, rows = np.zeros(worlds, np.int64), self.response.taken_back
        for side, sign, price in (("buyer", -1, rows["buy_price"] + fee), ("seller", 1, rows["sell_price"])):
            mine = rows[side] == party
            amount = sign * rows["energy"] * price + self.curtailed[f"{side}_ujpy"]
            np.add.at(money, rows["world"][mine], amount[mine])
        return money


class Outages:
    """The outages of an episode: numbers contracts as they form, announces, curtails.

    Args:
        specs: what the scenario says.
        names: names of the grid's lines.
        worlds: number of worlds, all of which have the same outages.
    """

    def __init__(self, specs: tuple["OutageSpec", ...], names: tuple[str, ...], worlds: int) -> None:
        self._by_step: dict[int, list[tuple[int, OutageSpec]]] = {}
        for spec in specs:
            self._by_step.setdefault(spec.announced_slot, []).append((names.index(spec.line), spec))
        self._standing = Standing.none()
        self._formed = np.zeros(worlds, np.int64)

    def note(self, contracts: Table) -> None:
        """Number new contracts, sorted by world, as the ledger does; none is kept where nothing will be announced."""
        if not self._by_step:
            return
        world = contracts["world"].astype(np.int64)
        count = np.bincount(world, minlength=len(self._formed))
        number = np.arange(len(world)) - (np.cumsum(count) - count)[world] + self._formed[world]
        self._standing = self._standing.add(contracts, number)
        self._formed += count

    def announce(self, world: "World") -> Announced | None:
        """Lower capacities for the step that begins and curtail; None where nothing is announced.

        Capacity and flow of the world are replaced; positions and postings are the caller's.
        """
        specs = self._by_step.pop(world.t, [])
        if not specs or world.t >= world.slots:
            return None
        first_open = world.t + world.calendar.gate
        capacity = world.capacity_wh.reshape(world.worlds, world.slots, -1, 2)
        lowered = capacity.copy()
        for line, spec in specs:
            slots = slice(max(spec.first_slot, first_open), max(spec.stop_slot, first_open))
            lowered[:, slots, line] = spec.left_of(lowered[:, slots, line])
        notices = self._notices(world, capacity, lowered)
        if not len(notices):
            return None
        world.capacity_wh = lowered.reshape(world.capacity_wh.shape)
        contracts = self._standing.contracts
        standing = self._standing.keep(contracts["slot"] >= world.now[contracts["world"]] + world.calendar.gate)
        response = respond(
            world.design, standing, world.capacity_wh, world.flow_wh, world.retail, world.fuel, world.accounts
        )
        world.flow_wh, self._standing = response.flow_wh, response.standing
        return Announced(notices, response)

    def _notices(self, world: "World", capacity: Int, lowered: Int) -> Table:
        """One row for each world, slot and line whose capacity falls, in that order."""
        where, column, line = np.nonzero((lowered < capacity).any(-1))
        notices = np.zeros(len(where), NOTICE)
        notices["world"], notices["line"] = where, line
        notices["slot"] = world.episode.first_slot[where] + column
        notices["forward"], notices["backward"] = lowered[where, column, line].T
        return notices


def record_of(announced: Announced | None) -> tuple[Table, Table]:
    """Notices and curtailed contracts for the step record."""
    return (no_notices(), no_curtailed()) if announced is None else (announced.notices, announced.curtailed)
