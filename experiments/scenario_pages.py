"""The page of a scenario: who is there, two pictures, and every figure with its source, all from its file."""

from pathlib import Path

from envs.scenario import load_scenario
from experiments.drawing import save_pngs
from experiments.scenario_figures import FigureLine, scenario_path
from experiments.scenario_table import ScenarioFigures, show_scenario
from market.errors import ConfigError

PAGES, FIGURES = "scenarios", "figures"
FEW_AREAS = 2
"""Areas up to which a page shows no week in the day-ahead auction."""
LONG = 200
"""Figures from which those with one source stand in one row."""
VALUES_SHOWN = 3
KEPT = "<!-- What stands below is written by hand and kept. -->"


def write_page(name_or_path: str, out: Path) -> list[Path]:
    """Write `scenarios/NAME.md` and its pictures in `figures` below `out`; raises ConfigError.

    A figure without a source is refused before anything is written.
    """
    from experiments.scenario_picture import draw_days, draw_map
    from experiments.spot_week_picture import draw_spot_week

    shown = show_scenario(name_or_path)
    scenario = load_scenario(scenario_path(name_or_path))
    stem = scenario.name.replace("-", "_")
    pictures = {f"scenario_{stem}_map": draw_map(scenario), f"scenario_{stem}_days": draw_days(scenario)}
    if len(scenario.areas) > FEW_AREAS:
        pictures[f"scenario_{stem}_week"] = draw_spot_week(scenario)
    paths = save_pngs(pictures, out / FIGURES)
    page = out / PAGES / f"{scenario.name}.md"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        kept = kept_of(page.read_text(encoding="utf-8")) if page.exists() else ""
        page.write_text(page_text(shown, kept), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(page), do="give another --out") from error
    return [page, *paths]


def kept_of(page: str) -> str:
    """What a page has below the mark that it is kept."""
    return page.partition(KEPT)[2].strip()


def page_text(shown: ScenarioFigures, kept: str = "") -> str:
    """The page in Markdown, with what was written by hand at its end."""
    summary, stem = shown.summary, shown.summary.name.replace("-", "_")
    parties = [f"| {area} | {role} | {count:,} |" for area, role, count in shown.parties]
    rows = [row for row in shown.figures if row.is_figure or row.source]
    figures = [_row(row) for row in (rows if len(rows) <= LONG else _joined(rows))]
    options = "--design spot --days 7" if len(summary.areas) > FEW_AREAS else "--days 2"
    week = _WEEK.format(figures=FIGURES, stem=stem) if len(summary.areas) > FEW_AREAS else ""
    by_hand = f"\n{KEPT}\n\n{kept}\n" if kept else ""
    return f"""# {summary.name}

{summary.title}. What any scenario can say stands in [Scenarios](../scenarios.md).

```sh
digitalgrid simulate {summary.name} {options}
digitalgrid scenarios page {summary.name} --out docs
```

The second command writes this page and its pictures from the scenario's file. Data it can run on: {summary.data}.

![Areas, lines and parties](../{FIGURES}/scenario_{stem}_map.png)

| area | role | parties |
|---|---|---|
{chr(10).join(parties)}

## Two days

The first two held-out days of the synthetic year, world 0, seed 0.

![Load and solar, prices outside the market, room of the lines](../{FIGURES}/scenario_{stem}_days.png)
{week}
## Figures and their sources

What the file does not say has the default of the schema (`envs/scenario_schema.py`), documented there.

| key | value | source |
|---|---|---|
{chr(10).join(figures)}
{by_hand}"""


_WEEK = """
## Six days in the day-ahead auction

Design `spot`, everybody truthful, the first held-out week of the synthetic year; its first day is not traded.

![Price of each area, use of each line](../{figures}/scenario_{stem}_week.png)
"""


def _joined(rows: list[FigureLine]) -> list[FigureLine]:
    """Rows of groups of one kind with one source as one, in the place of the first: how many, from which to which."""
    found: dict[tuple[str, str], list[FigureLine]] = {}
    for row in rows:
        key = ".".join(part for part in row.key.split(".") if not part.isdigit())
        found.setdefault((row.key if row.key.startswith("lines") else key, row.source), []).append(row)
    return [_one_of(key, same) for (key, _), same in found.items()]


def _one_of(key: str, same: list[FigureLine]) -> FigureLine:
    if len(same) == 1:
        return same[0]
    values = list(dict.fromkeys(row.value for row in same))
    some = values if len(values) <= VALUES_SHOWN else [*values[: VALUES_SHOWN - 1], "...", values[-1]]
    return FigureLine(f"{key} ({len(same)} times)", ", ".join(some), same[0].source, same[0].line)


def _row(row: FigureLine) -> str:
    return f"| `{row.key}` | `{row.value}` | {row.source.replace('|', '/')} |"
