"""A device in the live market: its orders against those of the same exported policy in an evaluation run.

Two worlds of one scenario, design and seed run side by side. In the live one the party's orders come as envelopes from
a device process over pipes (`agents.frames`), signed with a key the world never sees, into a full ledger; in the other
the same exported file bids in-process. Every row, plan and content head must be equal, bit for bit. Where the trained
model is given, its own actions are compared too: there rounding may flip an order by a tick or a Wh.
"""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.fleet import ROLE_NAMES, Role
from agents.forecasting import FIRST_LAG_DAYS
from agents.frames import BATTERY_EXTRAS, Genesis, Installation, Report
from agents.observing import NO_QUOTE, Floats
from agents.policies import Policy
from agents.policy_file import PolicyFile, read_policy_file
from agents.quoting import Quote, quote
from envs.public_year import PublicYear, public_year
from envs.scenario_schema import Scenario
from envs.world import Step, World
from experiments.device_process import DeviceProcess
from experiments.runs import FORMAT, RunFolder, code_version, create_run
from ledger.audit import Verdict, verify
from ledger.encoding import ABSENT, SAYS_PLAN, decode_heads, decode_rows
from ledger.keeper import FullKeeper, Mode
from ledger.keys import create_key_file
from ledger.reasons import ObservationLog
from market.design import MarketDesign
from market.errors import ConfigError, PolicyError
from market.orders import ORDER_WIRE
from market.tables import Table, join_rows, to_wire
from market.units import ENERGY_BOUND, Int

if TYPE_CHECKING:
    from torch import nn


@dataclass
class TorchComparison:
    """The trained model against its export: largest action difference, order values (prices and energies) and flips."""

    action_difference: float = 0.0
    values: int = 0
    flipped: int = 0

    def line(self) -> str:
        """What was found, in one line."""
        return (
            f"largest action difference {self.action_difference:.1e}, "
            f"{self.flipped} of {self.values} order values flipped by rounding"
        )


@dataclass
class DeviceRun:
    """What a device did: envelopes heard, rows and plans equal to the evaluation run's, first difference, times.

    heads_equal: content heads of both worlds after the last step; chain_head, verdict: the signed ledger of the live
    world; receipts: the operator's acknowledgements, and how often an envelope sent again got the same bytes;
    latency_ms: (steps,) time from report to envelope.
    """

    party: str
    policy_sha256: str
    days: int
    folder: Path
    envelopes: int = 0
    rows: int = 0
    rows_equal: int = 0
    plans_equal: int = 0
    first_difference: str | None = None
    heads_equal: bool = False
    chain_head: str = ""
    verdict: Verdict | None = None
    torch: TorchComparison | None = None
    receipts: list[bytes] = field(default_factory=list)
    resent_alike: int = 0
    latency_ms: list[float] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Everything equal and the ledger verified."""
        verified = self.verdict is not None and self.verdict.ok
        answered = self.resent_alike == len(self.receipts) == self.envelopes
        return self.first_difference is None and self.heads_equal and verified and answered


def run_device_day(
    scenario: Scenario,
    design: MarketDesign,
    policy_path: Path,
    folder: Path,
    *,
    party: str = "home-1",
    days: int = 1,
    seed: int = 0,
    year: PublicYear | None = None,
    held_out: bool = True,
    others: Mapping[Role, Policy] | None = None,
    key: Path | None = None,
    model: Path | None = None,
    observations: Path | None = None,
) -> DeviceRun:
    """Let a device bid for one party of the live market, and compare it with the evaluation run.

    Args:
        scenario: the world; its forecast must be the published weather, which is what a device sees, its link perfect.
        design: the market rules.
        policy_path: exported policy; every party of its role bids by it.
        folder: where the full ledger is written; must be new.
        party: who the device bids for.
        days: length of the run.
        seed: key of the world.
        year: public prices and weather; the scenario's synthetic year if None.
        held_out: start in the held-out weeks.
        others: policies of the other roles; truthful where absent.
        key: the device's private key; a new one, thrown away afterwards, if None.
        model: the SB3 archive the policy was exported from, for comparison with torch.
        observations: new file for what all parties saw, so that the day's contracts can be explained.

    Raises:
        ConfigError: unknown party, or a scenario or design a device cannot serve.
        PolicyError: the policy does not fit, or the device gave up.
    """
    policy = read_policy_file(policy_path)
    known = year or public_year(scenario, None)

    def open_world(ledger: Mode, **more: Any) -> World:
        policies = {**(others or {}), policy.role: policy.policy}
        return World(
            scenario,
            design,
            1,
            seed,
            policies=policies,
            year=known,
            days=days,
            held_out=held_out,
            ledger=ledger,
            **more,
        )

    evaluation = open_world("digest")
    seat = _Seat(evaluation, party, policy)
    reference = None if model is None else _TorchReference(model)
    run = DeviceRun(party, policy.sha256, days, folder)
    with tempfile.TemporaryDirectory() as scratch:
        if key is None:
            key = Path(scratch) / "device.pem"
            create_key_file(key)
        with DeviceProcess(policy.path, key) as device:
            live = open_world("full", folder=folder, external={(0, seat.row): device.hello.public_key})
            live.observations = None if observations is None else ObservationLog(observations)
            _run_both(live, evaluation, seat, device, run, reference)
            if live.observations is not None:
                live.observations.close()
    run.heads_equal = live.keeper.content_heads == evaluation.keeper.content_heads
    run.chain_head = (live.keeper.chain_head or b"").hex()
    run.verdict = verify(folder, live.keeper.chain_head)
    return run


def keep_device_day(
    out: Path, scenario: Scenario, design: MarketDesign, policy_path: Path, **more: Any
) -> tuple[RunFolder, DeviceRun]:
    """`run_device_day` in a new run folder that `digitalgrid why` reads: ledger, observations, config, heads."""
    kept = create_run(out, f"{scenario.name}-{design.name}-device")
    made = run_device_day(scenario, design, policy_path, kept.ledger, observations=kept.observations, **more)
    policy = read_policy_file(policy_path)
    config: dict[str, Any] = {
        "format": FORMAT,
        "code_version": code_version(),
        "scenario": scenario.model_dump(mode="json"),
    }
    config |= {"design": design.name, "days": made.days, "policies": {ROLE_NAMES[policy.role]: str(policy_path)}}
    kept.write_json("config", config)
    kept.write_json("metrics", {"chain_head": made.chain_head, "device": made.party, "verified": made.ok})
    kept.complete()
    return kept, made


class _Gateway:
    """The market's door: an envelope that was heard gets its first answer again and does not enter a second time."""

    def __init__(self, world: World, row: int) -> None:
        assert isinstance(world.keeper, FullKeeper)
        self._world, self._keeper, self._row = world, world.keeper, row

    def step(self, envelope: bytes) -> tuple[Step, bytes | None]:
        """Move the world on, with the envelope unless it was heard before; the step and the answer to the envelope."""
        known = self._keeper.acknowledge(0, envelope)
        step = self._world.step(envelopes={} if known else {(0, self._row): envelope})
        return step, known or self._keeper.acknowledge(0, envelope)

    def resend(self, envelope: bytes) -> bytes | None:
        """The answer to an envelope that comes again between steps."""
        return self._keeper.acknowledge(0, envelope)


class _Seat:
    """Where a device's party sits: row in the fleet, place within its role, area."""

    def __init__(self, world: World, party: str, policy: PolicyFile) -> None:
        if party not in world.fleet.names:
            raise ConfigError(f"unknown party {party!r}", do=f"choose one of {', '.join(world.fleet.names)}")
        self.row = world.fleet.names.index(party)
        self.role = Role(int(world.fleet.role[self.row]))
        self.place = int(np.flatnonzero(world.fleet.rows(self.role) == self.row)[0])
        if self.role != policy.role:
            what = f"the policy is for a {ROLE_NAMES[policy.role]}, {party} is a {ROLE_NAMES[self.role]}"
            raise PolicyError(what, where=str(policy.path), do="choose a party of the policy's role")
        _check_served(world.scenario)
        _check_bare(world, self.row, party)
        ahead = FIRST_LAG_DAYS * world.calendar.per_day
        if world.design.accepts == "rolling" and world.calendar.gate + world.design.horizon > ahead:
            what = f"a horizon of {world.design.horizon} slots is beyond what a device forecasts"
            raise ConfigError(what, do=f"choose at most {ahead - world.calendar.gate}")

    def genesis(self, world: World, chain_id: bytes) -> Genesis:
        """What the device is told once."""
        fleet, row = world.fleet, self.row
        battery = fleet.battery
        installation = Installation(
            role=int(self.role),
            solar_w=int(fleet.solar_w[row]),
            thermal_wh=int(fleet.thermal_wh[row]),
            cost=int(fleet.cost[row]),
            export_limit_wh=int(fleet.export_limit_wh[row]),
            power_wh=int(battery.power_wh[row]),
            capacity_wh=int(battery.capacity_wh[row]),
            efficiency_ppm=int(battery.efficiency_ppm[row]),
            wear_mjpy_kwh=int(battery.wear_mjpy_kwh[row]),
            solar_limit_wh=min(int(fleet.solar_limit_wh[row]), ENERGY_BOUND - 1),
            meter_wh=world.scenario.meter.resolution_wh,
            lag=world.scenario.meter.lag_slots,
            **{name: int(np.broadcast_to(getattr(battery, name), fleet.count)[row]) for name in BATTERY_EXTRAS},
        )
        history = world.episode.history_wh[0, row]
        return Genesis(chain_id, row, int(world.episode.first_slot[0]), world.rules, installation, history)

    def report(self, world: World, contracts: tuple[tuple[int, int], ...]) -> Report:
        """What the device is told at the start of a step."""
        view, ahead, place = world.view(self.role), FIRST_LAG_DAYS * world.calendar.per_day, self.place
        begun = world.t > 0
        slot = int(world.now[0])
        sides = [(slot + view.open_first + int(h), int(side) + 1) for h, side in np.argwhere(view.live[0, place])]
        return Report(
            slot=slot,
            stored_wh=int(view.stored_wh[0, place]),
            load_wh=int(world.episode.load_seen_wh[0, self.row, world.t - 1]) if begun else None,
            reading_wh=int(world.reading_wh[0, self.row]) if begun else None,
            solar_wh_kw=view.solar_wh_kw[0, 0, :ahead],
            outside=self._of_area(view.outside)[:ahead],
            traded_ppm=view.traded_ppm[0, 0],
            best_bid=_quotes(self._of_area(view.best_bid)),
            best_ask=_quotes(self._of_area(view.best_ask)),
            contracts=contracts,
            live=tuple(sides),
        )

    def contracts_of(self, step: Step) -> tuple[tuple[int, int], ...]:
        """Slot and net energy of each contract the party made, + is bought; what an outage took back counts against."""
        rows = join_rows(step.contracts, step.outage.response.taken_back) if step.outage else step.contracts
        mine = rows[(rows["buyer"] == self.row) | (rows["seller"] == self.row)]
        sign = np.where(mine["buyer"] == self.row, 1, -1)
        return tuple(zip(mine["slot"].tolist(), (sign * mine["energy"]).tolist(), strict=True))

    def opening(self, world: World) -> tuple[tuple[int, int], ...]:
        """Contracts that stood before the first step."""
        position = world.position_wh[0, self.row]
        start = int(world.episode.first_slot[0])
        return tuple((start + int(column), int(position[column])) for column in np.flatnonzero(position))

    def _of_area(self, column: Int) -> Int:
        """The party's row of a column that parties of one area share."""
        return np.asarray(column[0, self.place if column.shape[1] > 1 else 0], np.int64)


class _TorchReference:
    """The trained model beside its export."""

    def __init__(self, model: Path) -> None:
        from experiments.export import actor_of, load_model

        self._actor: nn.Module = actor_of(load_model(model))
        self.found = TorchComparison()

    def compare(self, world: World, role: Role, action: Floats, made: Quote) -> None:
        """Act and quote on the same view with torch, and count what differs."""
        from experiments.export import run_torch

        seen = world.observe(role)
        other = run_torch(self._actor, seen.reshape(-1, seen.shape[-1])).reshape(action.shape)
        self.found.action_difference = max(self.found.action_difference, float(np.abs(other - action).max()))
        theirs = quote(world.view(role), other, world.design)
        sent = (made.wanted_wh != 0) | (theirs.wanted_wh != 0)
        self.found.values += 2 * int(sent.sum())
        for ours, torchs in ((made.wanted_wh, theirs.wanted_wh), (made.price, theirs.price)):
            self.found.flipped += int((ours != torchs)[sent].sum())


def _run_both(
    live: World,
    evaluation: World,
    seat: _Seat,
    device: DeviceProcess,
    run: DeviceRun,
    reference: _TorchReference | None,
) -> None:
    """Step both worlds to their end and note what differs."""
    live.reset()
    evaluation.reset()
    assert isinstance(live.keeper, FullKeeper)
    gateway = _Gateway(live, seat.row)
    device.enrol(seat.genesis(live, live.keeper.chain_ids[0]))
    contracts, done = seat.opening(live), False
    while not done:
        slot = int(live.now[0])
        report = seat.report(live, contracts)
        began = time.perf_counter()
        envelope = device.ask(report)
        run.latency_ms.append((time.perf_counter() - began) * 1000)
        action = evaluation.act(seat.role)
        made = quote(evaluation.view(seat.role), action, evaluation.design)
        if reference is not None:
            reference.compare(evaluation, seat.role, action, made)
        step, receipt = gateway.step(envelope)
        if receipt is not None:
            run.receipts.append(receipt)
            # as a device does that did not hear the answer
            run.resent_alike += gateway.resend(envelope) == receipt
        expected = evaluation.step({seat.role: action})
        plan = ABSENT if evaluation.fleet.dispatchable[seat.row] else int(made.plan_wh[0, seat.place])
        _compare(run, slot, envelope, expected.given[expected.given["party"] == seat.row], plan)
        contracts, done = seat.contracts_of(step), step.done
    run.torch = None if reference is None else reference.found


def _check_served(scenario: Scenario) -> None:
    """Raise ConfigError for a scenario in which a device could not order as its policy does in an evaluation run."""
    for fault, what, do in (
        (
            scenario.forecast != "weather",
            f"a device forecasts from published weather, not {scenario.forecast!r}",
            'set forecast = "weather"',
        ),
        (
            scenario.forecast_updates,
            "a device does not correct its forecast by the newest readings",
            "set forecast_updates = false",
        ),
        (
            scenario.link.loss > 0 or scenario.link.late > 0,
            "a device's own link is real, the scenario's would lose messages of the evaluation run only",
            "set link.loss and link.late to 0",
        ),
    ):
        if fault:
            raise ConfigError(what, where=scenario.name, do=do)


def _check_bare(world: World, row: int, party: str) -> None:
    """Raise ConfigError for a home whose car, fuel cell or water heater a device process would not plan."""
    equipment = world.fleet.equipment
    if equipment is not None and row in equipment.rows:
        what = f"a device process plans no car, fuel cell or water heater, {party} has one"
        raise ConfigError(what, where=world.scenario.name, do="choose a party with PV and battery only")


def _compare(run: DeviceRun, slot: int, envelope: bytes, expected: Table, plan: int) -> None:
    """Count an envelope's rows and plan that equal the evaluation run's, wire byte for wire byte."""
    head = decode_heads([envelope])[0]
    said = int(head["plan"]) if int(head["says"]) & SAYS_PLAN else ABSENT
    size = ORDER_WIRE.itemsize
    ours, theirs = to_wire(decode_rows([envelope]), ORDER_WIRE).tobytes(), to_wire(expected, ORDER_WIRE).tobytes()
    count = max(len(ours), len(theirs)) // size
    equal = [ours[at : at + size] == theirs[at : at + size] for at in range(0, count * size, size)]
    run.envelopes += 1
    run.rows += count
    run.rows_equal += sum(equal)
    run.plans_equal += said == plan
    if run.first_difference is None and not all(equal):
        run.first_difference = f"slot {slot}, row {equal.index(False)}"
    if run.first_difference is None and said != plan:
        run.first_difference = f"slot {slot}, plan: the device says {said} Wh, the evaluation run {plan} Wh"


def _quotes(prices: Int) -> tuple[int | None, ...]:
    return tuple(None if price == NO_QUOTE else price for price in prices.tolist())
