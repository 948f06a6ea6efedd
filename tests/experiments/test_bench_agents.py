"""The bench of agents compares equal work: objects and columns show the same integers, both worlds end alike."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from experiments.agents_picture import PANELS, draw_sizes
from experiments.bench_agents import HomeColumns, HomeObjects, StepTimes, bench_agents, random_day, same_day
from experiments.cli import app


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that take a moment."""
    monkeypatch.setattr("experiments.bench_rows.ROUND_S", 1e-4)
    monkeypatch.setattr("experiments.bench_agents.ROUNDS", 1)


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_objects_and_columns_show_the_same_integers(homes: int, seed: int) -> None:
    """Stored energy, reading and wear of every home are equal after every slot of a day."""
    day = random_day(homes, seed)
    assert same_day(HomeColumns(day), HomeObjects(day))


def test_the_comparison_sees_a_single_wh() -> None:
    """One home that begins with 1 Wh more is told apart."""
    day = random_day(10, 0)
    other = day._replace(stored_wh=day.stored_wh.copy())
    other.stored_wh[3] += 1
    assert not same_day(HomeColumns(day), HomeObjects(other))


def test_every_row_is_measured_and_right() -> None:
    """Devices, and two societies: times above zero, equal results, rates from the number of agents."""
    result = bench_agents(agents=20, seed=3)
    assert [row.same for row in result.speed] == [True, True, True]
    assert [row.target for row in result.speed] == [100, 0.2, 0.2]
    for row, shown in zip(result.speed, result.rows(), strict=True):
        assert row.ours_s > 0
        assert shown["agents_s"] == 20 / row.ours_s
        assert shown["reference_agents_s"] / shown["agents_s"] == pytest.approx(1 / row.ratio)


def test_the_command_prints_json_or_draws(tmp_path: Path) -> None:
    """`--json` is a list of rows; `--picture` writes a PNG and says where, or ends with one line."""
    runner = CliRunner()
    printed = runner.invoke(app, ["bench", "agents", "--agents", "3", "--json"])
    assert [row["same"] for row in json.loads(printed.stdout)] == [True, True, True]
    path = tmp_path / "agents.png"
    drawn = runner.invoke(app, ["bench", "agents", "--agents", "3", "--picture", str(path)])
    assert drawn.stdout == f"{path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_picture_shows_what_was_measured() -> None:
    """Each line has a point per size, in milliseconds."""
    times = [StepTimes(10, 1e-3, 2e-3, 3e-3, 4e-3), StepTimes(100, 5e-3, 6e-3, 7e-3, 8e-3)]
    lines = [line for axis in draw_sizes(times).axes for line in axis.get_lines()]
    assert [list(line.get_ydata()) for line in lines] == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert [line.get_label() for line in lines] == [label for _, pairs in PANELS for _, label, _ in pairs]
