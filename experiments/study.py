"""Trained roles against their bars, one or several training seeds, with and without battery wear.

Homes and the mall are trained alone against truthful others and judged against the best fixed mark-up;
then both together, every party's money beside the truthful world's. With wear the home policy is
trained under that wear. Finished parts stay in the folder, so a study cut short goes on with `resume`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.fleet import ROLE_NAMES, Role
from agents.strategies import Bidder
from envs.public_year import PublicYear
from envs.scenario_schema import Scenario
from envs.tally import Flow
from experiments.evaluate import Bar, Judge, Outcome, find_bar, gain_of, t_interval
from experiments.findings import (
    Estimate,
    Fact,
    Findings,
    LearningCurve,
    PartyMoney,
    TrainedResult,
    write_findings,
)
from experiments.metrics import ROLE_TITLES
from experiments.runs import choose_path, code_version
from experiments.simulate import Order
from experiments.train import Training, make_task, train_role
from market.design import MarketDesign

TRUTHFUL_OTHERS = "others truthful"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Study:
    """What was found: one line per role and setting, and every party's money in the trained world."""

    results: tuple[TrainedResult, ...]
    parties: tuple[PartyMoney, ...]
    curves: tuple[LearningCurve, ...] = ()

    def rows(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "results": [asdict(result) | {"ratio": result.ratio} for result in self.results],
            "parties": [asdict(party) for party in self.parties],
        }

    def print(self) -> None:
        """One table of gains and one of money."""
        from experiments.screen import console

        screen = console()
        screen.print(gain_table(self.results))
        for case in dict.fromkeys(party.case for party in self.parties):
            screen.print(money_table(case, [party for party in self.parties if party.case == case]))


def gain_table(results: Sequence[TrainedResult]) -> Any:
    """Gains over truthful on held-out days, per party of the role [JPY/day]."""
    from rich.table import Table

    table = Table(title="gain over truthful on held-out days, JPY/day per party, 95 % t intervals")
    for heading in ("role", "setting", "wear", "seeds", "best mark-up", "its gain", "policy gain", "ratio"):
        table.add_column(heading, justify="left" if heading in ("role", "setting") else "right")
    for r in results:
        ratio = "-" if r.ratio is None else f"{r.ratio:.2f}"
        gains = (_interval(r.mark_up_gain), _interval(r.trained_gain))
        table.add_row(r.role, r.setting, f"{r.wear_jpy_kwh:g}", str(r.seeds), r.mark_up, *gains, ratio)
    return table


def money_table(case: str, parties: Sequence[PartyMoney]) -> Any:
    """Every party's cost, truthful and trained, and what it traded."""
    from rich.table import Table

    table = Table(title=f"{case}: cost JPY/day (earned is negative), energy kWh/day")
    headings = ("party", "truthful", "trained", "change", "gross", "net", "short", "long")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "party" else "right")
    for p in parties:
        energies = (
            "-" if v is None else f"{v:,.1f}" for v in (p.gross_kwh_day, p.net_kwh_day, p.short_kwh_day, p.long_kwh_day)
        )
        change = p.trained_jpy_day - p.truthful_jpy_day
        table.add_row(p.name, f"{p.truthful_jpy_day:,.1f}", f"{p.trained_jpy_day:,.1f}", f"{change:+,.1f}", *energies)
    return table


def _interval(gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return f"{gain.mean:,.1f}"
    return f"{gain.mean:,.1f} ({gain.low:,.1f} .. {gain.high:,.1f})"


def with_wear(scenario: Scenario, wear_jpy_kwh: float) -> Scenario:
    """The scenario with another wear cost of the homes' batteries."""
    worn = tuple(
        group.model_copy(update={"battery": group.battery.model_copy(update={"wear_jpy_kwh": float(wear_jpy_kwh)})})
        for group in scenario.homes
    )
    return scenario.model_copy(update={"homes": worn})


def wear_of(scenario: Scenario) -> float:
    """Battery wear of the scenario's homes, the highest of its groups [JPY/kWh]."""
    return max((group.battery.wear_jpy_kwh for group in scenario.homes), default=0.0)


def result_of(
    judge: Judge, bar: Bar, policies: Sequence[Bidder], setting: str, others: Mapping[Role, Bidder] | None = None
) -> TrainedResult:
    """Judge policies of a role (one per training seed) against its bar.

    The trained gain's interval is over seeds when there are several, else over held-out worlds.
    """
    gains = [gain_of(judge, bar, policy, others) for policy in policies]
    trained = t_interval([float(gain.mean()) for gain in gains]) if len(gains) > 1 else t_interval(gains[0])
    return TrainedResult(
        role=ROLE_TITLES[bar.role],
        setting=setting,
        wear_jpy_kwh=wear_of(judge.scenario),
        truthful_cost_jpy_day=-float(bar.truthful.mean()),
        mark_up=f"markup:{bar.fraction:g}",
        mark_up_gain=t_interval(bar.gain),
        trained_gain=trained,
        seeds=len(policies),
    )


def party_money(case: str, before: Outcome, after: Sequence[Outcome]) -> tuple[PartyMoney, ...]:
    """Every account's cost in the truthful and in the trained world (mean over seeds)."""
    rows = []
    parties = len(before.roles)
    for party in range(parties):
        flows = {flow: float(np.mean([o.flow(party, flow) for o in after])) for flow in Flow}
        rows.append(
            PartyMoney(
                case=case,
                name=before.names[party],
                role=ROLE_TITLES[Role(int(before.roles[party]))],
                truthful_jpy_day=0.0 - float(before.money[:, party].mean()),
                trained_jpy_day=0.0 - float(np.mean([o.money[:, party].mean() for o in after])),
                gross_kwh_day=flows[Flow.BOUGHT] + flows[Flow.SOLD],
                net_kwh_day=flows[Flow.IMPORT] - flows[Flow.EXPORT],
                short_kwh_day=flows[Flow.SHORT],
                long_kwh_day=flows[Flow.LONG],
            )
        )
    for index, name in enumerate(before.names[parties:]):
        trained = float(np.mean([o.system[index] for o in after]))
        rows.append(PartyMoney(case, name, "system", 0.0 - float(before.system[index]), 0.0 - trained))
    return tuple(rows)


def curve_of(training: Training, mark_up_gain: float) -> LearningCurve:
    """The learning curve as the report draws it."""
    return LearningCurve(
        role=ROLE_TITLES[next(role for role, name in ROLE_NAMES.items() if name == training.role)],
        x_name="training samples, thousands",
        x=tuple(point.steps / 1000 for point in training.curve),
        gain_jpy_day=tuple(point.gain for point in training.curve),
        baselines={"best fixed mark-up": mark_up_gain},
    )


def study_seeds(
    scenario: Scenario,
    design: MarketDesign,
    year: PublicYear,
    folder: Path,
    seeds: int,
    *,
    wear_jpy_kwh: float = 22.0,
    home_steps: int | None = None,
    mall_steps: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Train homes and the mall with several seeds and judge them; long, resumable.

    Args:
        scenario: with the wear of the first part (0 in the shipped scenario).
        design: the market.
        year: public prices and weather.
        folder: where the policies of each seed go.
        seeds: how many training seeds.
        wear_jpy_kwh: wear of the second part; none when equal to the scenario's.
        home_steps: training samples of homes; the role's own if None.
        mall_steps: training samples of the mall.
        resume: take finished policies and checkpoints from the folder.
        progress: called with samples done and samples in all, training by training.
    """

    def train(world: Scenario, role: Role, seed: int, part: str, steps: int | None) -> Training:
        task = make_task(world, design, year, role, seed=seed, steps=steps)
        title = f"{ROLE_TITLES[role]}, wear {wear_of(world):g}, seed {seed}"
        place = folder / part / f"seed-{seed}"
        done = train_role(task, place, curve=False, resume=resume, progress=progress)
        print(f"trained {title}: {done.steps:,} samples in {done.seconds:.0f} s", flush=True)
        return done

    results: list[TrainedResult] = []
    parties: list[PartyMoney] = []
    judge = Judge(scenario, design, year)
    homes = [train(scenario, Role.HOME, seed, "homes", home_steps).policy.policy for seed in range(seeds)]
    malls = [train(scenario, Role.SOLAR, seed, "mall", mall_steps).policy.policy for seed in range(seeds)]
    for role, policies in ((Role.HOME, homes), (Role.SOLAR, malls)):
        results.append(result_of(judge, find_bar(judge, role), policies, TRUTHFUL_OTHERS))
        print(f"judged {ROLE_TITLES[role]}: ratio {results[-1].ratio or 0:.2f}", flush=True)
    before = judge.play()
    alone = [judge.play({Role.HOME: policy}) for policy in homes]
    parties += party_money(f"homes trained, wear {wear_of(scenario):g}", before, alone)
    both = [judge.play({Role.HOME: home, Role.SOLAR: mall}) for home, mall in zip(homes, malls, strict=True)]
    parties += party_money(f"homes and mall trained, wear {wear_of(scenario):g}", before, both)
    if wear_jpy_kwh != wear_of(scenario):
        worn = with_wear(scenario, wear_jpy_kwh)
        hard = Judge(worn, design, year)
        careful = [
            train(worn, Role.HOME, seed, f"homes-wear-{wear_jpy_kwh:g}", home_steps).policy.policy
            for seed in range(seeds)
        ]
        bar = find_bar(hard, Role.HOME)
        results.append(result_of(hard, bar, careful, TRUTHFUL_OTHERS))
        results.append(result_of(hard, bar, homes, "trained without wear"))
        after = [hard.play({Role.HOME: policy}) for policy in careful]
        parties += party_money(f"homes trained, wear {wear_jpy_kwh:g}", hard.play(), after)
    return Study(tuple(results), tuple(parties))


def judge_policies(order: Order) -> Study:
    """Judge the policies of an order, role by role, each against truthful others."""
    judge = Judge(order.scenario, order.design, order.year)
    results = tuple(
        result_of(judge, find_bar(judge, role), [policy], TRUTHFUL_OTHERS) for role, policy in order.policies.items()
    )
    after = judge.play(order.policies)
    return Study(results, party_money("all policies given", judge.play(), [after]))


def run_study(
    order: Order,
    out: Path | None,
    seeds: int,
    *,
    wear_jpy_kwh: float,
    steps: int | None,
    resume: bool,
    progress: Progress | None = None,
) -> Study:
    """`study_seeds` in a run folder, its findings left there as `report.json`."""
    folder = choose_path(out, f"{order.scenario.name}-{seeds}-seeds", resume)
    study = study_seeds(
        order.scenario,
        order.design,
        order.year,
        folder,
        seeds,
        wear_jpy_kwh=wear_jpy_kwh,
        home_steps=steps,
        mall_steps=steps,
        resume=resume,
        progress=progress,
    )
    findings = Findings(
        title=f"{order.scenario.title}: {seeds} training seeds",
        headline="Trained bidders against truthful bidding and the best fixed mark-up on held-out days.",
        facts=(Fact("data", order.year.source), Fact("code", code_version()), Fact("market design", order.design.name)),
        trained=study.results,
        parties=study.parties,
        commands=(f"digitalgrid evaluate {order.scenario.name} --seeds {seeds}",),
    )
    write_findings(findings, folder)
    return study
