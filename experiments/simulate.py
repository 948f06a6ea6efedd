"""simulate: one market, some days, every party's money; the first command of a newcomer.

Up to a week is simulated in held-out weeks, which no training touches, so that figures of trained policies stay
honest; a longer run cannot avoid the weeks of training, and says how many of its days are held out.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from agents.bidders import find_bidder
from agents.fleet import ROLE_OF_NAME, Role
from agents.forecasting import HISTORY_DAYS
from agents.strategies import Bidder
from envs.loads import WEEK_DAYS, is_held_out
from envs.opening import fit_design
from envs.outages import Announced
from envs.own_folder import folder_of
from envs.population import check_numbers
from envs.public_year import PublicYear, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from envs.world import World
from experiments.area_prices import report_areas
from experiments.curtailments import CURTAILMENT_HEADER, curtailment_rows
from experiments.gate_forecast import GateError, GateForecasts, say_errors
from experiments.metrics import (
    Measures,
    Totals,
    cancelled_in_step,
    figures_of,
    kwh,
    long_figures,
    mean_price_jpy_kwh,
    measure_parties,
    measure_roles,
    measure_totals,
    money_rows,
    say_devices,
    say_long,
)
from experiments.privacy import describe_privacy, parse_private, say_privacy
from experiments.resuming import hold_ledger, reopen_run
from experiments.runs import FORMAT, RunFolder, check_free, code_version, create_run
from experiments.statement import HEADER as CONTRACT_HEADER
from experiments.statement import contract_rows
from experiments.trace import Trace, TraceRecorder, write_trace
from ledger.keeper import Mode
from ledger.sealed_desk import Tally
from market.design import MarketDesign, find_design
from market.errors import ConfigError
from market.outages import leave_curtailed, no_curtailed
from market.slots import HALF_HOURS
from market.statements import name_paths
from market.tables import Table, join_rows, pick_rows
from market.units import UJPY_PER_JPY, Int

MODES: tuple[Mode, ...] = ("off", "digest", "full")
MOST_WORLDS = 4096
CODES = 256
Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


@dataclass(frozen=True)
class Order:
    """What is to be simulated, checked and resolved.

    `named` are the policies by role name and `settings` the scenario's keys as given, for the record.
    """

    scenario: Scenario
    design: MarketDesign
    year: PublicYear
    policies: Mapping[Role, Bidder]
    named: Mapping[str, str]
    settings: Mapping[str, object]
    days: int
    seed: int
    worlds: int
    ledger: Mode

    @property
    def private(self) -> str | None:
        """How orders are sealed, as the command line says it; None where they are sent open."""
        return None if self.design.privacy is None else "{}/{}".format(*self.design.privacy)

    def world(self, folder: Path | None = None) -> World:
        """The world asked for, not yet reset."""
        return World(
            self.scenario,
            self.design,
            self.worlds,
            self.seed,
            policies=self.policies,
            year=self.year,
            days=self.days,
            held_out=self.days <= WEEK_DAYS,
            ledger=self.ledger,
            folder=folder,
        )

    def config(self) -> dict[str, Any]:
        """Everything that decides the result, for `config.json`."""
        return {
            "format": FORMAT,
            "code_version": code_version(),
            "scenario": self.scenario.model_dump(mode="json"),
            "design": self.design.name,
            "horizon": self.design.horizon,
            "days": self.days,
            "worlds": self.worlds,
            "seed": self.seed,
            "policies": dict(self.named),
            "settings": dict(self.settings),
            "ledger": self.ledger,
            "private": self.private,
            "data_source": self.year.source,
            "data_sha256": self.year.content_digest,
        }


@dataclass(frozen=True)
class Simulation:
    """What a simulation found."""

    order: Order
    roles: list[Measures]
    parties: list[Measures]
    totals: Totals
    trace: Trace
    contracts: Table
    outages: list[Announced]
    forecasts: tuple[GateError, ...]
    first_slot: int
    content_heads: tuple[str, ...]
    chain_head: str | None
    sealed: Tally | None
    folder: Path

    @property
    def held_out_days(self) -> int:
        """Days of world 0 that lie in weeks which no training touches."""
        day = (self.first_slot - self.order.year.first_slot) // HALF_HOURS.per_day
        return sum(is_held_out(day + ahead) for ahead in range(self.order.days))

    @property
    def party_names(self) -> list[str]:
        """Names of the parties by row."""
        return [row.name for row in self.parties]

    @property
    def curtailed(self) -> Table:
        """What outages took off contracts of world 0."""
        return _curtailed(self.outages)

    @property
    def curtailed_kwh(self) -> float:
        """Energy of contracts of world 0 that outages took [kWh]."""
        return kwh(int(self.curtailed["energy"].sum()))

    @property
    def paid_for_outages_jpy(self) -> float:
        """What `line_outage` pays their parties [JPY]."""
        return sum(int(self.curtailed[name].sum()) for name in ("buyer_ujpy", "seller_ujpy")) / UJPY_PER_JPY

    def metrics(self) -> dict[str, Any]:
        """Figures for `metrics.json` and `--json`."""
        totals = self.totals
        return {
            "first_day": HALF_HOURS.day_of(self.first_slot).isoformat(),
            "held_out_days": self.held_out_days,
            "slots": totals.slots,
            "worlds": totals.worlds,
            "traded_kwh": kwh(totals.traded_wh),
            "traded_mean_jpy_kwh": mean_price_jpy_kwh(totals.traded_ujpy, totals.traded_wh),
            **long_figures(totals),
            "split_slots": totals.split_slots,
            "split_share": totals.split_share,
            "cancelled_by_splitting_kwh": None if totals.cancelled_wh is None else kwh(totals.cancelled_wh),
            "congestion_rent_jpy": totals.rent_ujpy / UJPY_PER_JPY,
            **report_areas(self.trace).rows(),
            "curtailed_contracts": len(self.curtailed),
            "curtailed_kwh": self.curtailed_kwh,
            "paid_for_outages_jpy": self.paid_for_outages_jpy,
            "gate_forecast": [asdict(row) for row in self.forecasts],
            "refused_by_code": totals.refused,
            "roles": [figures_of(row) for row in self.roles],
            "parties": [figures_of(row) for row in self.parties],
            "ledger": self.order.ledger,
            "privacy": describe_privacy(self.order.design.privacy, self.sealed, self.party_names),
            "content_heads": list(self.content_heads),
            "chain_head": self.chain_head,
        }

    def print(self, console: Console) -> None:
        """The table and the lines below it, for people."""
        console.print(self._role_table())
        totals, order = self.totals, self.order
        report_areas(self.trace).print(console)
        mean = _price(mean_price_jpy_kwh(totals.traded_ujpy, totals.traded_wh))
        console.print(f"traded       {kwh(totals.traded_wh):,.1f} kWh at a mean of {mean} JPY/kWh{say_long(totals)}")
        all_slots = totals.slots * totals.worlds
        console.print(f"split slots  {totals.split_slots} of {all_slots} ({totals.split_share:.0%}): a line was full")
        if totals.cancelled_wh is not None:
            rent = totals.rent_ujpy / UJPY_PER_JPY
            console.print(f"splitting    cancelled {kwh(totals.cancelled_wh):,.1f} kWh; rent {rent:,.0f} JPY")
        if len(self.curtailed):
            paid = f"{self.paid_for_outages_jpy:,.0f} JPY paid by line_outage"
            console.print(
                f"outages      curtailed {len(self.curtailed)} contracts, {self.curtailed_kwh:,.1f} kWh; {paid}"
            )
        issued = ", ".join(f"{row.name} {row.certified_kwh:,}" for row in self.roles if row.certified_kwh) or "none"
        console.print(f"certificates {issued} kWh of renewable energy exported (DGC type C)")
        for line in say_devices(self.roles, totals.traded_wh):
            console.print(line, soft_wrap=True)
        refused = ", ".join(f"{code} {count}" for code, count in totals.refused.items()) or "none"
        console.print(f"refused      {refused}")
        console.print(say_errors(self.forecasts), soft_wrap=True)
        head = f", chain head {self.chain_head}" if self.chain_head else ""
        content = f", content head {self.content_heads[0]}" if self.content_heads else ""
        more = f" and {len(self.content_heads) - 1} more" if len(self.content_heads) > 1 else ""
        console.print(f"ledger       {order.ledger}{content}{more}{head}", soft_wrap=True)
        if order.design.privacy is not None:
            said = say_privacy(order.design.privacy, self.sealed, order.ledger, self.party_names)
            console.print(f"privacy      {said}", soft_wrap=True)
        days = f"{self.held_out_days} of {count_days(order.days)} in weeks kept from training"
        console.print(f"data         {order.year.source}; {days}", soft_wrap=True)
        console.print(f"run folder   {self.folder}", soft_wrap=True)

    def _role_table(self) -> RichTable:
        first = HALF_HOURS.day_of(self.first_slot)
        order = self.order
        worlds = f"{order.worlds} worlds, " if order.worlds > 1 else ""
        table = RichTable(
            title=f"{order.scenario.name}, {order.design.name}: {worlds}{count_days(order.days)} from {first}",
            caption="cost: paid less received, with wear and stored energy; negative is earned",
        )
        table.add_column("role")
        for column in HEADINGS:
            table.add_column(column, justify="right")
        for row in self.roles:
            table.add_row(row.name, *role_cells(row))
        return table


def count_days(days: int) -> str:
    """Days in words."""
    return f"{days} day" + "s" * (days != 1)


HEADINGS = (
    "bought\nkWh",
    "mean\nJPY/kWh",
    "sold\nkWh",
    "mean\nJPY/kWh",
    "imbalance\nkWh",
    "last resort\nkWh",
    "cost\nJPY",
    "refused",
)


def role_cells(row: Measures) -> tuple[str, ...]:
    """One row of the table of design section 8, as text."""
    return (
        f"{kwh(row.bought_wh):,.1f}",
        _price(row.bought_jpy_kwh),
        f"{kwh(row.sold_wh):,.1f}",
        _price(row.sold_jpy_kwh),
        f"{kwh(row.imbalance_wh):,.1f}",
        f"{kwh(row.last_resort_wh):,.1f}",
        f"{row.cost_jpy:,.0f}",
        str(row.refused_rows),
    )


def make_order(
    scenario: str,
    design: str = "dgp",
    *,
    days: int | None = None,
    seed: int = 0,
    policies: Mapping[str, str] | None = None,
    ledger: str = "digest",
    data_dir: Path | None = None,
    settings: Mapping[str, object] | None = None,
    horizon: int | None = None,
    worlds: int = 1,
    private: str | None = None,
) -> Order:
    """Check everything a user can get wrong before anything is written; raises ConfigError or DataError."""
    resolved = load_scenario(scenario, settings)
    rules = fit_design(find_design(design), resolved, horizon)
    if private is not None:
        rules = rules.with_privacy(*parse_private(private))
    if ledger not in MODES:
        raise ConfigError(f"unknown ledger mode {ledger!r}", do=f"choose one of {', '.join(MODES)}")
    check_numbers(resolved, ledger)
    days = resolved.episode_days if days is None else days
    chosen = {name: find_bidder(text) for name, text in (policies or {}).items()}
    by_role = {named_role(name, "--policy"): policy for name, policy in chosen.items()}
    year = public_year(resolved, data_dir, folder=folder_of(scenario))
    _check_range("days", days, 1, longest_days(year))
    _check_range("worlds", worlds, 1, MOST_WORLDS)
    _check_range("seed", seed, 0, 2**62)
    _check_range("horizon", rules.horizon, 1, HALF_HOURS.year)
    mode = next(mode for mode in MODES if mode == ledger)
    return Order(resolved, rules, year, by_role, dict(policies or {}), dict(settings or {}), days, seed, worlds, mode)


def simulate(
    order: Order, out: Path | None = None, progress: Progress | None = None, resume: bool = False
) -> Simulation:
    """Run an order and write its run folder; with `resume` go on with the run that was stopped in `out`."""
    run = reopen_run(out, order.config()) if resume else _begin_run(order, out)
    is_signed = order.ledger == "full"
    world = order.world(run.ledger if is_signed else None)
    with hold_ledger(world, run, resume) if is_signed else nullcontext():
        world.reset()
        played = run_episode(world, progress)
    result = Simulation(
        order=order,
        roles=measure_roles(world),
        parties=measure_parties(world),
        totals=measure_totals(world, played.refused, played.cancelled_wh),
        trace=played.trace,
        contracts=played.contracts,
        outages=played.outages,
        forecasts=played.forecasts,
        first_slot=int(world.episode.first_slot[0]),
        content_heads=tuple(head.hex() for head in world.keeper.content_heads),
        chain_head=world.keeper.chain_head.hex() if world.keeper.chain_head else None,
        sealed=world.keeper.sealed,
        folder=run.path,
    )
    _write(result, world, run)
    return result


def _begin_run(order: Order, out: Path | None) -> RunFolder:
    check_free(out)
    run = create_run(out, f"{order.scenario.name}-{order.design.name}")
    run.write_json("config", order.config())
    return run


@dataclass(frozen=True)
class Played:
    """An episode played to its end.

    Trace of world 0, its contracts as outages left them, outages of all worlds, refused rows by code (256,), energy
    cancelled by splitting, and how far forecasts missed at the gate.
    """

    trace: Trace
    contracts: Table
    outages: list[Announced]
    refused: Int
    cancelled_wh: int | None
    forecasts: tuple[GateError, ...]


def run_episode(world: World, progress: Progress | None = None) -> Played:
    """Step a world that was just reset to its end."""
    recorder, forecasts = TraceRecorder(world), GateForecasts(world)
    refused = np.zeros(CODES, np.int64)
    contracts, outages = [_of_first_world(world.keeper.worlds.opening)], list[Announced]()
    splits, cancelled, done = world.design.capacity == "splitting", 0, False
    while not done:
        before = world.flow_wh.copy() if splits else world.flow_wh
        forecasts.note(world)
        step = world.step()
        recorder.record(step)
        contracts.append(_of_first_world(step.contracts))
        if step.outage:
            outages.append(step.outage)
        refused += np.bincount(step.codes, minlength=CODES)
        cancelled += cancelled_in_step(world, step, before) if splits else 0
        done = step.done
        if progress:
            progress(world.t, world.slots)
    standing = leave_curtailed(join_rows(*contracts), _curtailed(outages))
    return Played(recorder.finish(), standing, outages, refused, cancelled if splits else None, forecasts.errors())


def longest_days(year: PublicYear) -> int:
    """Longest episode with the history its forecasts need before it, inside the fiscal year."""
    return min(year.days, 365) - 1 - HISTORY_DAYS


def parse_policies(given: list[str]) -> dict[str, str]:
    """ROLE=POLICY as given on a command line; raises ConfigError."""
    pairs = {}
    for text in given:
        role, sign, policy = text.partition("=")
        if not sign or not policy:
            raise ConfigError(f"{text!r} is not ROLE=POLICY", where="--policy", do="write home=markup:0.5")
        named_role(role, "--policy")
        pairs[role] = policy
    return pairs


def named_role(name: str, option: str) -> Role:
    """The bidding role people mean by a name; raises ConfigError."""
    role = ROLE_OF_NAME.get(name)
    if role is None or role == Role.RETAILER:
        known = ", ".join(text for text, row in ROLE_OF_NAME.items() if row != Role.RETAILER)
        raise ConfigError(f"no bidding role {name!r}", where=option, do=f"choose one of {known}")
    return role


def _curtailed(outages: list[Announced]) -> Table:
    """CURTAILED rows of world 0."""
    return join_rows(no_curtailed(), *(_of_first_world(outage.curtailed) for outage in outages))


def _of_first_world(contracts: Table) -> Table:
    return pick_rows(contracts, contracts["world"] == 0)


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{value} is not possible", where=f"--{name}", do=f"give {least} to {most}")


def _price(price_jpy_kwh: float | None) -> str:
    return "-" if price_jpy_kwh is None else f"{price_jpy_kwh:.2f}"


def _write(result: Simulation, world: World, run: RunFolder) -> None:
    for name, rows in (("roles", result.roles), ("parties", result.parties)):
        columns = list(Measures.__dataclass_fields__)
        run.write_table(name, columns, ([getattr(row, column) for column in columns] for row in rows))
    run.write_table("postings", *money_rows(world))
    run.write_table("refusals", ["code", "rows"], result.totals.refused.items())
    names, paths = world.fleet.names, name_paths(world.grid)
    run.write_table("contracts", CONTRACT_HEADER, contract_rows(result.contracts, names, paths))
    run.write_table("curtailments", CURTAILMENT_HEADER, curtailment_rows(result.outages, names, paths))
    write_trace(result.trace, run.tables)
    run.write_json("metrics", result.metrics())
    run.complete()
