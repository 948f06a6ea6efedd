"""The command line: each verb reads its options, calls one function and prints what that returns.

Exit codes: 0 done, 1 a mistake in what was given (one line on standard error) or a ledger that does not verify,
2 wrong usage, 130 stopped by Ctrl-C. Anything heavy is imported inside the verbs, so that `--help` answers at once.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from experiments import cli_backtest, cli_bench, cli_clear, cli_ledger, cli_scenarios
from experiments.cli_results import show_result
from experiments.cli_studies import add_verbs
from market.errors import DigitalGridError

INTERRUPTED = 130


class Verbs(TyperGroup):
    """Turns what a user can mend into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; mistakes end with 1, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except DigitalGridError as error:
            typer.echo(f"digitalgrid: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            takers = "train, evaluate and simulate --ledger full take --resume"
            typer.echo(f"\ndigitalgrid: stopped; finished parts are kept, {takers}", err=True)
            raise typer.Exit(INTERRUPTED) from error


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        cls=Verbs, help=help_text, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False
    )


app = _group("Agent-based simulation of the Digital Grid electricity market with bidders that learn.")
ledger_app = _group("Check and read signed ledgers.")
bench_app = _group("Measure speed on this machine.")
app.add_typer(ledger_app, name="ledger")
app.add_typer(bench_app, name="bench")
add_verbs(app)
cli_clear.add_verbs(app, bench_app)
cli_bench.add_verbs(bench_app)
cli_ledger.add_verbs(ledger_app)
app.add_typer(cli_backtest.backtest_app, name="backtest")
app.add_typer(cli_scenarios.scenarios_app, name="scenarios")

Scenario = Annotated[str, typer.Argument(help="A scenario by name, or the path of a TOML file.")]
Design = Annotated[str, typer.Option(help="Market design; `digitalgrid designs` lists them.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Data = Annotated[Path | None, typer.Option(help="Folder with JEPX and JMA files; without it a synthetic year.")]
Out = Annotated[Path | None, typer.Option(help="Run folder to make; `runs/<time>-<name>` if not given.")]
Days = Annotated[int | None, typer.Option(help="Days; the scenario's if not given.")]
Policies = Annotated[
    list[str] | None, typer.Option("--policy", help="ROLE=POLICY, again for each role: home=markup:0.5.")
]
Settings = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the scenario: homes.count=3.")]
Horizon = Annotated[int | None, typer.Option(help="Open slots after the gate in rolling designs.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from what is in the run folder.")]
Worlds = Annotated[int, typer.Option(help="Parallel worlds, each with a seed of its own.")]


@app.command()
def simulate(
    scenario: Scenario,
    design: Design = "dgp",
    days: Days = None,
    seed: Seed = 0,
    policy: Policies = None,
    ledger: Annotated[str, typer.Option(help="off, digest or full (signed, on disk).")] = "digest",
    data: Data = None,
    out: Out = None,
    settings: Settings = None,
    horizon: Horizon = None,
    worlds: Worlds = 1,
    private: Annotated[
        str | None, typer.Option(help="K/N: orders of an auction stay sealed until K of N administrators open them.")
    ] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run a market for some days and print every role's energy and money.

    With --ledger full a run that was stopped goes on with --resume and its --out, behind its last sealed block.
    Example: `digitalgrid simulate urawa-misono --design spot --days 2 --policy home=markup:0.5`
    """
    from envs.scenario import parse_override
    from experiments import simulate as verb
    from experiments.runs import check_free
    from experiments.screen import console

    if not resume:
        check_free(out)
    order = verb.make_order(
        scenario,
        design,
        days=days,
        seed=seed,
        policies=verb.parse_policies(policy or []),
        ledger=ledger,
        data_dir=data,
        settings=dict(parse_override(text) for text in settings or []),
        horizon=horizon,
        worlds=worlds,
        private=private,
    )
    result = _with_progress("simulating", lambda progress: verb.simulate(order, out, progress, resume))
    if as_json:
        _print_json(result.metrics() | {"folder": str(result.folder)})
    else:
        result.print(console())


@app.command()
def train(
    scenario: Scenario = "urawa-misono",
    design: Design = "dgp",
    role: Annotated[str, typer.Option(help="Who learns: home, mall, thermal or store.")] = "home",
    seed: Seed = 0,
    steps: Annotated[int | None, typer.Option(help="Training samples; the role's own number if not given.")] = None,
    opponent: Annotated[
        list[str] | None, typer.Option(help="ROLE=POLICY of the others; truthful if not given.")
    ] = None,
    data: Data = None,
    out: Out = None,
    resume: Resume = False,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Train one role's policy against the others and export it; Ctrl-C keeps a checkpoint for --resume.

    Example: `digitalgrid train urawa-misono --role home --seed 1 --out runs/home-1`
    """
    from experiments.runs import choose_path
    from experiments.simulate import named_role
    from experiments.train import make_task, train_role

    order = _order(scenario, design, opponent, data, settings)
    folder = choose_path(out, f"train-{role}", resume)
    task = make_task(
        order.scenario,
        order.design,
        order.year,
        named_role(role, "--role"),
        seed=seed,
        opponents=order.policies,
        steps=steps,
    )
    result = _with_progress("training", lambda bar: train_role(task, folder, resume=resume, progress=bar))
    show_result(result, as_json)


@app.command()
def evaluate(
    scenario: Scenario = "urawa-misono",
    design: Design = "dgp",
    policy: Policies = None,
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds, when no policy is given.")] = 5,
    wear: Annotated[float, typer.Option(min=0, help="Battery wear of the second part [JPY/kWh].")] = 22.0,
    steps: Annotated[int | None, typer.Option(help="Training samples; each role's own number if not given.")] = None,
    data: Data = None,
    out: Out = None,
    resume: Resume = False,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Judge policies on held-out days against truthful bidding and the best fixed mark-up.

    With --policy the given ones; without, train homes and the mall with several seeds first (long; --resume).
    Example: `digitalgrid evaluate urawa-misono --seeds 5 --out runs/five-seeds`
    """
    from experiments.study import judge_policies, run_study

    order = _order(scenario, design, policy, data, settings)
    if order.policies:
        result = judge_policies(order)
    else:
        result = _with_progress(
            "training",
            lambda bar: run_study(order, out, seeds, wear_jpy_kwh=wear, steps=steps, resume=resume, progress=bar),
        )
    show_result(result, as_json)


@app.command()
def compare(
    scenario: Scenario = "urawa-misono",
    policy: Policies = None,
    days: Annotated[int, typer.Option(min=2, max=7, help="Days; the first is not counted.")] = 7,
    worlds: Annotated[int, typer.Option(min=1, help="Held-out worlds.")] = 13,
    seed: Seed = 10_000,
    data: Data = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Run the same held-out days under every market design, truthful and with the policies given.

    Example: `digitalgrid compare urawa-misono --days 3 --policy home=markup:0.5`
    """
    from experiments.compare import compare_designs

    order = _order(scenario, "dgp", policy, data, settings)
    bidders = {"truthful": {}} | ({"as given": order.policies} if order.policies else {})
    result = compare_designs(order.scenario, order.year, bidders, worlds=worlds, days=days, seed=seed)
    show_result(result, as_json)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A trained model, the archive that `train` leaves.")],
    out: Annotated[Path, typer.Option(help="ONNX file to make.")] = Path("policy.onnx"),
    role: Annotated[str, typer.Option(help="Whose policy it is.")] = "home",
    scenario: Annotated[str, typer.Option(help="Where it was trained.")] = "urawa-misono",
    design: Design = "dgp",
) -> None:
    """Export a model trained with SB3 to ONNX with manifest and golden vectors; `train` does so by itself.

    Example: `digitalgrid export home.zip --out home.onnx --role home`
    """
    from agents.fleet import ROLE_NAMES
    from experiments.export import export_policy, load_model
    from experiments.runs import code_version
    from experiments.simulate import named_role

    provenance = {
        "role": ROLE_NAMES[named_role(role, "--role")],
        "scenario": scenario,
        "design": design,
        "model": model.name,
        "code_version": code_version(),
    }
    export_policy(load_model(model), out, provenance)
    typer.echo(str(out))


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def device(context: typer.Context) -> None:
    """Run an exported policy as a separate device that speaks frames on standard input and output.

    Example: `digitalgrid device home.onnx --key home-1.key`
    """
    from agents.device import main

    raise typer.Exit(main(context.args))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option(help="HTML file; `report.html` in the folder if not given.")] = None,
    keys: cli_ledger.Administrators = None,
) -> None:
    """Write the report of a run as one HTML file that needs nothing else.

    Example: `digitalgrid report runs/demo`
    """
    from experiments.report import report_run

    typer.echo(str(report_run(folder, out, cli_ledger.keys_of(keys))))


@app.command()
def demo(
    data: Data = None,
    out: Out = None,
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Train for a moment only, to see the whole chain.")] = False,
) -> None:
    """Do it all: simulate, train, evaluate, compare, export, run a device, verify the ledger, write the report.

    Example: `digitalgrid demo --out runs/demo`
    """
    from experiments.demo import run_demo
    from experiments.runs import check_free

    check_free(out)
    run_demo(data_dir=data, out=out, seed=seed, quick=quick)


def _order(
    scenario: str, design: str, policies: list[str] | None, data: Path | None, settings: list[str] | None
) -> Any:
    """Everything a verb is told, checked (`experiments.simulate.Order`)."""
    from envs.scenario import parse_override
    from experiments.simulate import make_order, parse_policies

    return make_order(
        scenario,
        design,
        policies=parse_policies(policies or []),
        data_dir=data,
        settings=dict(parse_override(text) for text in settings or []),
    )


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _with_progress(what: str, work: Callable[[Callable[[int, int], None]], Any]) -> Any:
    from experiments.screen import with_progress

    return with_progress(what, work)
