"""digitalgrid scenarios: lists, shows, checks, makes a folder that runs, and every figure has its source."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from envs.scenario import known_scenarios, load_scenario
from experiments.cli import app
from experiments.scenario_figures import read_figures, scenario_path
from experiments.scenario_pages import kept_of, page_text
from experiments.scenario_table import show_scenario
from market.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "scenarios").glob("*.md"))


def run(*words: str) -> Result:
    """Run a verb in this process."""
    return CliRunner().invoke(app, ["scenarios", *words])


def refusal(*words: str) -> str:
    """The one line on standard error with which a verb ends."""
    ended = run(*words)
    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `scenarios new` makes it."""
    path = tmp_path_factory.mktemp("own") / "My Town 2"
    ended = run("new", str(path))
    assert ended.exit_code == 0
    assert len(ended.stdout.splitlines()) == 5
    return path


@pytest.mark.parametrize("name", known_scenarios())
def test_every_figure_of_a_scenario_has_a_source(name: str) -> None:
    """A number says where it comes from, or that it is an assumption; the entries are those that TOML reads."""
    entries = read_figures(scenario_path(name))
    assert sum(entry.is_figure for entry in entries) > 10
    assert {"name", "title", "areas"} <= {entry.key for entry in entries}


def test_the_keys_of_figures_are_those_of_settings(tmp_path: Path) -> None:
    """Lists of tables are counted, nested tables follow them, arrays and comments may go on below."""
    path = tmp_path / "s.toml"
    path.write_text(
        '# head\nname = "a#b"\n[[homes]]\nkw = 1 # paper 3.3\n[homes.battery]\nkwh = [\n  1, # from the\n  2] # maker\n'
        "[[homes]]\nkw = 0\n[terms]\nfee = 2 # assumption: so\n   # and so on\n# not this\n"
    )
    found = {entry.key: (entry.value, entry.source) for entry in read_figures(path)}
    assert found == {
        "name": ('"a#b"', ""),
        "homes.0.kw": ("1", "paper 3.3"),
        "homes.0.battery.kwh": ("[ 1, 2]", "from the maker"),
        "homes.1.kw": ("0", ""),
        "terms.fee": ("2", "assumption: so and so on"),
    }


@pytest.mark.parametrize("comment", ["", "# kW"])
def test_a_figure_without_a_source_is_refused(tmp_path: Path, comment: str) -> None:
    """File, line and key; a unit is no source."""
    path = tmp_path / "s.toml"
    path.write_text(f"[mall]\npv_kw = 60.0 {comment}\n")
    with pytest.raises(ConfigError, match=r"line 2: mall\.pv_kw: a figure without a source: 60\.0"):
        read_figures(path)


def test_the_list_says_parties_areas_and_data() -> None:
    """As a table and as JSON."""
    rows = json.loads(run("--json").stdout)
    assert set(rows) == set(known_scenarios())
    assert rows["urawa-misono"]["parties"] == 15
    assert rows["urawa-misono"]["areas"] == ["tokyo", "tohoku"]
    assert "JMA weather of Tokyo" in rows["urawa-misono"]["data"]
    assert "urawa-misono" in run().stdout


def test_a_scenario_is_shown_with_its_sources() -> None:
    """Counts by area and role; each figure beside its source."""
    shown = json.loads(run("show", "urawa-misono", "--json").stdout)
    assert {"area": "tokyo", "role": "home", "count": 5} in shown["party_counts"]
    load = next(row for row in shown["figures"] if row["key"] == "homes.load_kwh_year")
    assert load["value"] == "4047.0"
    assert "Ministry of the Environment" in load["source"]
    assert "homes.load_kwh_year" in run("show", "urawa-misono").stdout
    assert "unknown scenario 'urawa'" in refusal("show", "urawa")


def test_a_new_folder_is_a_scenario_that_checks(folder: Path) -> None:
    """Named after the folder; ten loads, two prices, no gaps."""
    assert load_scenario(folder / "scenario.toml").name == "my-town-2"
    checked = run("check", str(folder))
    assert checked.exit_code == 0
    assert "loads.csv: 10 columns, 2018-04-01 00:00 to 2019-04-01 00:00, no gaps" in checked.stdout
    assert checked.stdout.endswith("all is well\n")
    assert "no files of its own" in run("check", "urawa-misono").stdout


def test_a_folder_that_holds_something_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """Nothing is written over; nothing is left of a folder that could not be made."""
    assert "not an empty folder" in refusal("new", str(folder))
    (tmp_path / "file").write_text("x")
    assert "not an empty folder" in refusal("new", str(tmp_path / "file"))
    assert "unknown scenario" in refusal("new", str(tmp_path / "other"), "--from", "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_wrong_folder_is_told_up_to_its_first_error_and_can_be_filled(folder: Path, tmp_path: Path) -> None:
    """What was found is printed, then one line and exit code 1; `fill` mends gaps and says how many."""
    for path in folder.iterdir():
        if path.name != "README.md":
            lines = path.read_text("utf-8").splitlines()
            cut = [*lines[:100], *lines[150:]] if path.name == "prices.csv" else lines
            (tmp_path / path.name).write_text("\n".join(cut) + "\n", encoding="utf-8")
    ended = run("check", str(tmp_path))
    assert ended.exit_code == 1
    assert "100 half-hour values are missing in 2 gaps" in ended.stdout
    assert "loads.csv: 10 columns" in ended.stdout
    assert "all is well" not in ended.stdout
    assert ended.stderr.count("\n") == 1
    assert "scenarios fill" in ended.stderr
    whole = tmp_path / "whole.csv"
    filled = run("fill", str(tmp_path / "prices.csv"), "--out", str(whole))
    assert "100 values filled" in filled.stdout
    assert "a file is there already" in refusal("fill", str(tmp_path / "prices.csv"), "--out", str(whole))
    whole.replace(tmp_path / "prices.csv")
    assert run("check", str(tmp_path)).exit_code == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_of_a_scenario_is_that_of_its_file(page: Path) -> None:
    """Written by `digitalgrid scenarios page NAME --out docs`, with its two pictures."""
    shown = show_scenario(page.stem)
    text = page.read_text("utf-8")
    assert text == page_text(shown, kept_of(text)), f"run digitalgrid scenarios page {page.stem} --out docs"
    stem = page.stem.replace("-", "_")
    assert (DOCS / "figures" / f"scenario_{stem}_map.png").exists()
    assert (DOCS / "figures" / f"scenario_{stem}_days.png").exists()
    assert (DOCS / "figures" / f"scenario_{stem}_week.png").exists() == (len(shown.summary.areas) > 2)


@pytest.mark.slow
def test_a_page_is_written_with_two_pictures(tmp_path: Path) -> None:
    """The page and both pictures below the folder given."""
    written = run("page", "urawa-misono", "--out", str(tmp_path)).stdout.split()
    assert [Path(path).relative_to(tmp_path).as_posix() for path in written] == [
        "scenarios/urawa-misono.md",
        "figures/scenario_urawa_misono_map.png",
        "figures/scenario_urawa_misono_days.png",
    ]
    assert all(Path(path).stat().st_size > 1_000 for path in written)
