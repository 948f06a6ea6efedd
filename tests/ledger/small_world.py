"""A market of five parties over a few half hours, driven straight through the ledger."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ledger.admission import fill_unheard, withdraw_silent
from ledger.content import StepRecord
from ledger.encoding import ABSENT
from ledger.keeper import Keeper, Worlds, open_keeper
from ledger.rules import Rules
from market.contracts import Source, add_positions, label_sources, no_contracts
from market.design import find_design
from market.exchange import trade
from market.grid import Grid, Line
from market.opening import live_after_gate
from market.orders import ORDER, no_orders
from market.planning import last_resort
from market.settlement import KINDS, Accounts, Terms, post_contracts, post_delivery
from market.slots import HALF_HOURS
from market.tables import Table
from market.units import Int

GRID = Grid(("tokyo", "tohoku"), (Line("tohoku-tokyo", 1, 0),))
ACCOUNTS = Accounts(GRID, ("home", "shop", "plant", "retail-tokyo", "retail-tohoku"), (0, 0, 1, 0, 1), (3, 4))
TERMS = Terms(3_000, 2_000, 500, 9_000, 4_000, 1_000, 5_000)
SLOTS = 6
START = 6_000 * 48 + 44
RULES = Rules(
    find_design("dgp"),
    ACCOUNTS,
    TERMS,
    (0, 0, 8_000, 0, 0),
    (Source.PROSUMER, Source.GRID, Source.THERMAL, Source.GRID, Source.GRID),
    SLOTS,
)


@dataclass
class SmallRun:
    """Worlds with keys `keys`, stepped to the end; what each step recorded is kept in `steps`."""

    keys: list[int]
    mode: str
    folder: Path | None = None
    rules: Rules = RULES
    noise: dict[tuple[int, int], bytes] | None = None
    steps: list[StepRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = [np.random.default_rng(key) for key in self.keys]
        self.start = np.full(len(self.keys), START)
        self.capacity = np.stack([d.integers(0, 900, (SLOTS, 1, 2)) for d in dice])
        self.outside = np.stack([d.integers(6_000, 15_000, (SLOTS, 2)) for d in dice])
        self.dice = dice
        self.position = np.zeros((len(dice), 5, SLOTS), np.int64)
        self.contracts = no_contracts()
        opening = [self.close_gate(t, self.draw(0, 2_000)) for t in range(2)]
        first = np.concatenate(opening)
        self.keeper: Keeper = open_keeper(
            self.mode,
            Worlds(
                self.rules,
                '{"name":"small"}',
                np.array(self.keys),
                self.start,
                self.capacity,
                self.outside,
                first[np.argsort(first["world"], kind="stable")],
            ),
            self.folder,
        )
        self.reading = np.full((len(dice), 5), ABSENT)
        self.resting, self.flow = no_orders(), np.zeros((len(dice) * SLOTS, 1, 2), np.int64)

    def draw(self, low: int, high: int) -> Int:
        """Numbers (worlds, 5), each world from its own dice."""
        return np.stack([d.integers(low, high, 5) for d in self.dice])

    def run(self) -> "SmallRun":
        """Step to the end and close."""
        for t in range(SLOTS):
            self.step(t)
        self.keeper.close()
        return self

    def step(self, t: int) -> None:
        """One half hour."""
        now, worlds = self.start + t, len(self.keys)
        arrival = np.stack([d.permutation(5) for d in self.dice])
        said = self.keeper.admit(now, self.write_orders(t), self.draw(-2_000, 2_000), self.reading, arrival, self.noise)
        orders, codes = said.orders, said.codes
        if said.silent is not None:
            self.resting, _ = withdraw_silent(self.resting, said.silent)
        live = codes == 0
        capacity = self.capacity.reshape(worlds * SLOTS, 1, 2)
        retail = self.rules.terms.outside_options(self.outside).reshape(-1, len(GRID.areas), 2)
        outcome = trade(self.rules.design, GRID, self.resting, orders[live], capacity, self.flow, now, retail=retail)
        codes[live] = outcome.codes
        alive = live_after_gate(HALF_HOURS, now[outcome.resting["world"]], outcome.resting["slot"])
        self.flow, self.resting = outcome.flow_wh, outcome.resting[alive]
        label_sources(outcome.contracts, np.array(self.rules.source))
        tables = [outcome.contracts]
        self.take(outcome.contracts)
        if t + 2 < SLOTS:
            tables.append(self.close_gate(t + 2, said.plan, now))
        formed = np.concatenate(tables)
        formed = formed[np.argsort(formed["world"], kind="stable")]
        self.reading, sent = self.position[:, :, t] + self.draw(-300, 300), said.reading
        record = StepRecord(now, arrival, orders, codes, said.plan, sent, formed, self.reading, self.settle(t))
        self.steps.append(record)
        self.keeper.record(record)

    def write_orders(self, t: int) -> Table:
        """Two orders of each party per world, good ones and bad ones."""
        rows = np.zeros(len(self.keys) * 10, ORDER)
        rows["world"], rows["party"] = (
            np.repeat(np.arange(len(self.keys)), 10),
            np.tile(np.repeat(np.arange(5), 2), len(self.keys)),
        )
        for d, part in zip(self.dice, np.split(rows, len(self.keys)), strict=True):
            part["side"], part["kind"] = d.integers(1, 3, 10), d.choice([1, 1, 1, 2, 3], 10)
            part["time_in_force"], part["area"] = d.integers(1, 3, 10), d.choice([0, 1, 1, 0, 2], 10)
            part["slot"] = START + t + d.integers(1, 7, 10)
            part["energy"], part["price"] = d.integers(0, 1_000, 10), d.integers(300, 2_500, 10) * 10
            part["reference"] = d.integers(0, 9, 10)
        return rows

    def close_gate(self, t: int, plan: Int, now: Int | None = None) -> Table:
        """Last resort for slot column t."""
        worlds = np.arange(len(self.keys))
        position = self.position[:, :, t]
        table = last_resort(
            fill_unheard(plan, position),
            position,
            self.outside[:, t],
            self.start + t,
            self.start if now is None else now,
            worlds * SLOTS + t,
            TERMS,
            ACCOUNTS,
        )
        self.take(table)
        return table

    def take(self, contracts: Table) -> None:
        """Enter contracts into the positions."""
        add_positions(self.position, contracts, self.start)
        self.contracts = np.concatenate([self.contracts, contracts])

    def settle(self, t: int) -> Int:
        """Postings of slot column t."""
        money = np.zeros((len(self.keys), ACCOUNTS.count, KINDS), np.int64)
        due = self.contracts[self.contracts["slot"] == START + t]
        post_contracts(money, due["world"], due, TERMS, ACCOUNTS)
        fuel = np.array(self.rules.fuel)
        plan, outside, now = self.position[:, :, t], self.outside[:, t], self.start + t
        post_delivery(money, self.reading, plan, outside, fuel, TERMS, ACCOUNTS, slot=now)
        return money
