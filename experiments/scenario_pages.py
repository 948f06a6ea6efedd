"""The page of a scenario: who is there, two pictures, and every figure with its source, all from its file."""

from pathlib import Path

from envs.scenario import load_scenario
from experiments.drawing import save_pngs
from experiments.scenario_figures import FigureLine, scenario_path
from experiments.scenario_table import ScenarioFigures, show_scenario
from market.errors import ConfigError

PAGES, FIGURES = "scenarios", "figures"


def write_page(name_or_path: str, out: Path) -> list[Path]:
    """Write `scenarios/NAME.md` and its pictures in `figures` below `out`; raises ConfigError.

    A figure without a source is refused before anything is written.
    """
    from experiments.scenario_picture import draw_days, draw_map

    shown = show_scenario(name_or_path)
    scenario = load_scenario(scenario_path(name_or_path))
    stem = scenario.name.replace("-", "_")
    pictures = {f"scenario_{stem}_map": draw_map(scenario), f"scenario_{stem}_days": draw_days(scenario)}
    paths = save_pngs(pictures, out / FIGURES)
    page = out / PAGES / f"{scenario.name}.md"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(page_text(shown), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", where=str(page), do="give another --out") from error
    return [page, *paths]


def page_text(shown: ScenarioFigures) -> str:
    """The page in Markdown."""
    summary, stem = shown.summary, shown.summary.name.replace("-", "_")
    parties = [f"| {area} | {role} | {count:,} |" for area, role, count in shown.parties]
    figures = [_row(row) for row in shown.figures if row.is_figure or row.source]
    return f"""# {summary.name}

{summary.title}. What any scenario can say stands in [Scenarios](../scenarios.md).

```sh
digitalgrid simulate {summary.name} --days 2
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

## Figures and their sources

What the file does not say has the default of the schema (`envs/scenario_schema.py`), documented there.

| key | value | source |
|---|---|---|
{chr(10).join(figures)}
"""


def _row(row: FigureLine) -> str:
    return f"| `{row.key}` | `{row.value}` | {row.source.replace('|', '/')} |"
