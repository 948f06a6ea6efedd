"""The report: one HTML file with everything in it, made from findings and from the trace of a run.

It needs no script, no font and no other file, and prints on A4. Sections without content are left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.findings import Check, DesignResult, Estimate, Fact, Findings, read_findings
from experiments.glossary import GLOSSARY
from experiments.runs import COMPLETE, RunFolder, open_run
from experiments.trace import Trace, read_trace
from market.design import DESIGNS
from market.errors import ConfigError

if TYPE_CHECKING:
    from ledger.audit import KeysOf

TEMPLATES = Path(__file__).parent / "templates"
PICTURES = ("day", "trades", "batteries", "learning", "designs", "bills", "congestion")
NONE = "–"
ROLE_COLUMNS = (
    ("bought kWh", "bought_kwh", 1),
    ("mean JPY/kWh", "bought_mean_jpy_kwh", 2),
    ("sold kWh", "sold_kwh", 1),
    ("mean JPY/kWh", "sold_mean_jpy_kwh", 2),
    ("short kWh", "short_kwh", 1),
    ("long kWh", "long_kwh", 1),
    ("last resort, bought kWh", "last_resort_supply_kwh", 1),
    ("last resort, sold kWh", "last_resort_surplus_kwh", 1),
    ("cost JPY", "cost_jpy", 0),
)


def report_run(folder: Path, out: Path | None = None, keys_of: "KeysOf | None" = None) -> Path:
    """Write the report of a run folder; returns where. Uses the run's `report.json` when there is one.

    `keys_of`: the administrators whose epochs of the ledger are followed.

    Raises:
        ConfigError: not a run folder, or not a complete one.
    """
    run = open_run(folder)
    metrics = run.read_json("metrics")
    findings = read_findings(folder) or findings_of_run(run, keys_of)
    path = out or folder / "report.html"
    others = {name: _read_trace(run.tables / name) for name in DESIGNS if (run.tables / name / "slots.csv").exists()}
    trace = _read_trace(run.tables) if (run.tables / "slots.csv").exists() else None
    area = str(run.read_json("config")["scenario"]["site_area"])
    write_report(findings, trace, path, site_area=area, designs=others, metrics=metrics, figures=folder / "figures")
    return path


def write_report(
    findings: Findings,
    trace: Trace | None,
    path: Path,
    *,
    site_area: str = "tokyo",
    designs: Mapping[str, Trace] | None = None,
    metrics: Mapping[str, Any] | None = None,
    figures: Path | None = None,
) -> None:
    """Write one self-contained HTML file, and the pictures as PNG into `figures` when given.

    Args:
        findings: what it says.
        trace: series of one world for the pictures; those are left out if None.
        path: the HTML file, overwritten.
        site_area: area whose prices are shown against batteries.
        designs: traces of the same days under several designs, by design.
        metrics: `metrics.json` of a run, for the table by role.
        figures: folder for PNG files, made when missing.
    """
    pictures = draw_pictures(findings, trace, site_area, designs or {}, figures)
    text = render(findings, pictures, metrics or {})
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "not writable"
        raise ConfigError(f"cannot write the report: {reason}", where=str(path), do="give another --out") from error


def draw_pictures(
    findings: Findings, trace: Trace | None, site_area: str, designs: Mapping[str, Trace], figures: Path | None
) -> dict[str, str]:
    """Every picture there is content for, as SVG text by name."""
    from experiments import charts
    from experiments import figures as draw
    from experiments.drawing import save_png, svg_text

    drawn = {}
    if trace is not None and trace.days:
        area = site_area if f"price:{site_area}" in trace.slots else next(iter(trace.named("price")))
        drawn["day"] = draw.draw_day(trace, draw.pick_day(trace), area)
        drawn["trades"] = draw.draw_trades(trace)
        if trace.of_devices("stored_wh"):
            drawn["batteries"] = draw.draw_batteries(trace, area)
    if designs:
        # the day is picked by an auction's own prices, so that splitting is seen where there is any
        picked = designs.get("spot", next(iter(designs.values())))
        drawn["designs"] = draw.draw_designs(designs, draw.pick_day(picked), site_area)
    if findings.curves:
        drawn["learning"] = charts.draw_learning(findings.curves)
    if findings.designs:
        drawn["bills"] = charts.draw_bills(findings.designs)
        drawn["congestion"] = charts.draw_congestion(findings.designs)
    if figures is not None and drawn:
        figures.mkdir(exist_ok=True)
        for name, figure in drawn.items():
            save_png(figure, figures / f"{name}.png")
    return {name: svg_text(figure, name) for name, figure in drawn.items()}


def render(findings: Findings, pictures: Mapping[str, str], metrics: Mapping[str, Any]) -> str:
    """The HTML text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters.update(
        money=_money, energy=_energy, percent=_percent, plain=_plain, ratio=_ratio, estimate=_estimate,
        prices=_prices, change=_change,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        findings=findings,
        pictures={name: Markup(pictures.get(name, "")) for name in PICTURES},
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        bill_roles=_bill_roles(findings.designs),
        role_headings=[heading for heading, _, _ in ROLE_COLUMNS],
        role_rows=_role_rows(metrics),
        glossary=GLOSSARY,
    )


def findings_of_run(run: RunFolder, keys_of: "KeysOf | None" = None) -> Findings:
    """What can be said of a simulation from its folder alone."""
    config, metrics = run.read_json("config"), run.read_json("metrics")
    if run.state != COMPLETE or not metrics:
        raise ConfigError("the run was cut short", where=str(run.path), do="make it again, then ask for its report")
    scenario = config["scenario"]
    return Findings(
        title=f"{scenario['title']}: market design {config['design']}",
        headline=_headline(config, metrics),
        facts=facts_of(config, metrics),
        checks=_ledger_checks(run, keys_of),
        limits=_limits(config, metrics),
        commands=(f"{command_of(config)} --out {run.path.name}", f"digitalgrid report {run.path.name}"),
    )


def facts_of(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What was run, from `config.json` and `metrics.json`."""
    bidders = ", ".join(f"{role} {policy}" for role, policy in config["policies"].items())
    heads = metrics.get("content_heads") or [NONE]
    more = f" and {len(heads) - 1} more" if len(heads) > 1 else ""
    days = f"{config['days']} from {metrics['first_day']}, {metrics['held_out_days']} of them held out from training"
    first = "; pictures show the first" if config["worlds"] > 1 else ""
    return (
        Fact("scenario", config["scenario"]["name"]),
        Fact("market design", f"{config['design']}, {config['horizon']} open slots"),
        Fact("bidders", f"{bidders}, all others truthful" if bidders else "all truthful"),
        Fact("data", config["data_source"]),
        Fact("days", days),
        Fact("worlds and seed", f"{config['worlds']}, seed {config['seed']}{first}"),
        Fact("ledger", f"mode {config['ledger']}; content head {heads[0]}{more}"),
        Fact("code", config["code_version"]),
    )


def command_of(config: Mapping[str, Any]) -> str:
    """The command that makes the same run again."""
    words = [
        f"digitalgrid simulate {config['scenario']['name']} --design {config['design']} --days {config['days']}",
        f"--seed {config['seed']} --worlds {config['worlds']} --horizon {config['horizon']}",
        f"--ledger {config['ledger']}",
    ]
    words += [f"--private {config['private']}"] if config.get("private") else []
    words += [f"--policy {role}={policy}" for role, policy in config["policies"].items()]
    words += [f"--set {key}={value}" for key, value in config["settings"].items()]
    words += [] if config["data_source"].startswith("synthetic") else ["--data DIR"]
    return " ".join(words)


def _headline(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    traded = metrics["traded_kwh"]
    resort = sum(row["last_resort_supply_kwh"] for row in metrics["roles"] if row["name"] != "retailers")
    share = traded / max(traded + resort, 1e-9)
    mean = metrics["traded_mean_jpy_kwh"]
    if mean is None:
        return f"Without a market the retailers supply all {resort:,.0f} kWh that members draw."
    return (
        f"Members buy {share:.0%} of their energy from each other, at {mean:.1f} JPY/kWh on average; "
        f"the line between the areas is full in {metrics['split_share']:.0%} of the half hours."
    )


def _ledger_checks(run: RunFolder, keys_of: "KeysOf | None") -> tuple[Check, ...]:
    if not run.ledger.is_dir():
        return ()
    from experiments.run_ledger import nobody, verify_run

    verdict = verify_run(run, keys_of or nobody)
    return (Check("ledger verified", verdict.ok, " ".join(verdict.lines)),)


def _limits(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[str, ...]:
    limits = ["Figures marked as assumptions in the scenario file have no published source."]
    if config["worlds"] == 1:
        limits.append("One world and one seed: one draw of loads, weather and capacity, so there is no interval.")
    if config["data_source"].startswith("synthetic"):
        limits.append("Prices and weather are synthetic; give --data for published ones.")
    if metrics["held_out_days"] < config["days"] and config["policies"]:
        limits.append("Some days lie in weeks that training may have used.")
    return tuple(limits)


def _read_trace(tables: Path) -> Trace:
    try:
        return read_trace(tables)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError("tables are damaged", where=str(tables), do="make the run again") from error


def _bill_roles(designs: tuple[DesignResult, ...]) -> list[str]:
    return list(dict.fromkeys(role for result in designs for role in result.cost_jpy_day))


def _role_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    return [
        [row["name"], *(_fixed(row[key], digits) for _, key, digits in ROLE_COLUMNS)]
        for row in metrics.get("roles", [])
    ]


def _fixed(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}".replace("-", "−")


def _money(value: float | None) -> str:
    """JPY, with a decimal where it is small."""
    return _fixed(value, 1 if value is not None and 0 < abs(value) < 10 else 0)


def _energy(value: float | None) -> str:
    return _fixed(value, 1 if value is not None and 0 < abs(value) < 10 else 0)


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0%}"


def _plain(value: float) -> str:
    return f"{value:g}"


def _ratio(value: float | None) -> str:
    return _fixed(value, 2)


def _estimate(value: Estimate) -> str:
    if value.low is None or value.high is None:
        return _money(value.mean)
    return f"{_money(value.mean)} [{_money(value.low)}, {_money(value.high)}]"


def _prices(value: Mapping[str, float | None]) -> str:
    return ", ".join(f"{area.title()} {_fixed(price, 2)}" for area, price in value.items())


def _change(value: float) -> str:
    return ("+" if value > 0 else "") + _money(value)
