"""A folder of one's own: its files take the place of the synthetic year, and are refused in one line when wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from envs.opening import open_world
from envs.own_folder import folder_of, read_own
from envs.public_year import EXTRA_DAYS, public_year
from envs.scenario import load_scenario
from envs.scenario_schema import Scenario
from experiments.scenario_template import new_scenario
from market.errors import DataError

YEAR_SLOTS = 365 * 48


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `scenarios new` makes it."""
    folder = tmp_path_factory.mktemp("own") / "my-town"
    new_scenario(folder)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A copy whose files may be changed."""
    for path in template.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def own(folder: Path) -> Scenario:
    """The folder's scenario."""
    return load_scenario(folder / "scenario.toml")


def refusal(folder: Path) -> str:
    """The one line with which the folder is refused."""
    with pytest.raises(DataError) as caught:
        read_own(own(folder), folder)
    line = str(caught.value)
    assert "\n" not in line
    return line


def change(folder: Path, name: str, edit: Callable[[list[str]], object]) -> None:
    """Edit the lines of a file in place."""
    lines = (folder / name).read_text("utf-8").splitlines()
    edit(lines)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_scenario_that_comes_with_the_package_has_no_folder(template: Path) -> None:
    """Names, scenarios in memory and the package's own files keep the synthetic year."""
    assert folder_of("urawa-misono") is None
    assert folder_of(load_scenario("urawa-misono")) is None
    assert folder_of(template / "scenario.toml") == template


def test_the_files_of_the_folder_are_the_year(folder: Path) -> None:
    """Prices, sun and loads as written, the days after the year those of a week earlier."""
    change(folder, "prices.csv", lambda lines: lines.__setitem__(1, "2018-04-01T00:00,33.3,11.125"))
    change(folder, "solar.csv", lambda lines: lines.__setitem__(25, "2018-04-01T12:00,0.4"))
    change(folder, "loads.csv", lambda lines: lines.__setitem__(1, "2018-04-01T00:00,1,2,3,4,5,10,11,12,13,14"))
    year = public_year(own(folder), folder=folder)
    assert year.outside_mjpy_kwh[0].tolist() == [33_300, 11_125]
    assert year.solar_wh_per_kw[24] == 400
    assert year.load_wh["home"][0].tolist() == [1_000, 2_000, 3_000, 4_000, 5_000]
    assert year.load_wh["store"][0].tolist() == [10_000, 11_000, 12_000, 13_000, 14_000]
    assert year.load_wh["home"].shape == (YEAR_SLOTS + EXTRA_DAYS * 48, 5)
    week = slice(YEAR_SLOTS - 7 * 48, YEAR_SLOTS - 4 * 48)
    assert np.array_equal(year.load_wh["home"][YEAR_SLOTS:], year.load_wh["home"][week])
    assert year.source == "prices.csv, solar.csv, loads.csv"


def test_a_world_runs_on_them(folder: Path) -> None:
    """The loads of an episode are those of the file, in every world of a batch."""
    change(folder, "loads.csv", lambda lines: lines.__setitem__(0, lines[0].replace("home-1,home-2", "home-2,home-1")))
    world = open_world(folder / "scenario.toml", "retail", 2, days=1, ledger="off")
    world.reset()
    year = world.year
    for row in range(2):
        first = int(world.episode.first_slot[row]) - year.first_slot
        assert np.array_equal(world.episode.load_wh[row, :5, :48].T, year.load_wh["home"][first : first + 48])
        assert np.array_equal(world.episode.load_wh[row, 5:10, :48].T, year.load_wh["store"][first : first + 48])


def test_what_the_folder_lacks_is_drawn(folder: Path) -> None:
    """Without prices the synthetic ones; another seed of theirs shows in the digest, as every own value does."""
    whole = public_year(own(folder), folder=folder)
    (folder / "prices.csv").unlink()
    year = public_year(own(folder), folder=folder)
    assert year.source == "solar.csv, loads.csv; synthetic, seed 2018"
    assert np.array_equal(year.outside_mjpy_kwh, public_year(load_scenario("urawa-misono")).outside_mjpy_kwh)
    change(
        folder,
        "loads.csv",
        lambda lines: lines.__setitem__(1, lines[1].replace("2018-04-01T00:00,0", "2018-04-01T00:00,1")),
    )
    other = public_year(own(folder), folder=folder)
    assert len({whole.content_digest, year.content_digest, other.content_digest}) == 3


Edit = Callable[[list[str]], object]


def scaled(times: float) -> Edit:
    """An edit that multiplies every value of a file."""

    def edit(lines: list[str]) -> None:
        for row, line in enumerate(lines[1:], 1):
            start, *cells = line.split(",")
            lines[row] = ",".join([start, *(f"{float(cell) * times:.6f}" for cell in cells)])

    return edit


def shifted(lines: list[str]) -> None:
    """An edit that turns Japanese time into UTC: every value nine hours earlier."""
    cells = [line.split(",", 1)[1] for line in lines[1:]]
    lines[1:] = [
        f"{line.split(',', 1)[0]},{cell}" for line, cell in zip(lines[1:], cells[18:] + cells[:18], strict=True)
    ]


def header(old: str, new: str) -> Edit:
    """An edit of the names of columns."""
    return lambda lines: lines.__setitem__(0, lines[0].replace(old, new))


def put(number: int, line: str) -> Edit:
    """An edit that puts another line in place of one."""
    return lambda lines: lines.__setitem__(number, line)


def cut(first: int, stop: int | None) -> Edit:
    """An edit that takes lines out."""
    return lambda lines: lines.__delitem__(slice(first, stop))


def narrow(lines: list[str]) -> None:
    """An edit that takes the last column out."""
    lines[:] = [line.rsplit(",", 1)[0] for line in lines]


@pytest.mark.parametrize(
    ("name", "edit", "parts"),
    [
        ("prices.csv", header("tohoku", "chubu"), ("no column for area 'tohoku'",)),
        ("prices.csv", cut(49, None), ("2018-04-01 00:00 to 2018-04-02", "whole fiscal year", "2019-03-31")),
        ("prices.csv", put(9, "2018-04-01T04:00,0,8"), ("below 0.01", "2018-04-01 04:00: tokyo")),
        ("prices.csv", put(9, "2018-04-01T04:00,1e4,8"), ("line 10: tokyo", "not possible", "hundredths of a yen")),
        ("solar.csv", header("kwh_per_kw", "yield"), ("start,kwh_per_kw",)),
        ("solar.csv", scaled(60), ("not possible", "at most 0.5 kWh")),
        ("solar.csv", scaled(0.01), ("not MWh",)),
        ("solar.csv", shifted, ("sun at", "not UTC")),
        ("loads.csv", header("home-3", "hoem-3"), ("'hoem-3'", "did you mean 'home-3'?")),
        ("loads.csv", narrow, ("no column for party 'store-5'",)),
        ("loads.csv", scaled(1000), ("home-1", "a home uses", "not Wh")),
        ("loads.csv", cut(100, 110), ("100 half-hour values are missing in 10 gaps", "scenarios fill")),
    ],
)
def test_a_wrong_file_is_refused(folder: Path, name: str, edit: Edit, parts: tuple[str, ...]) -> None:
    """One line: the file, what is wrong, what to do."""
    for other in {"prices.csv", "solar.csv"} - {name}:
        (folder / other).unlink()
    change(folder, name, edit)
    line = refusal(folder)
    assert name in line
    for part in parts:
        assert part in line


def test_files_that_nobody_reads_or_that_contradict_are_refused(folder: Path) -> None:
    """Sun given twice; loads that no group names; a load file that is not there."""
    (folder / "weather.csv").write_text("date,hour,ghi_mj_m2,temp_c\n", encoding="utf-8")
    assert "both solar.csv and weather.csv" in refusal(folder)
    (folder / "weather.csv").unlink()
    change(
        folder,
        "scenario.toml",
        lambda lines: lines.__setitem__(slice(None), [x for x in lines if "load_file" not in x]),
    )
    assert "no group of the scenario names this file" in refusal(folder)
    change(folder, "scenario.toml", lambda lines: lines.insert(lines.index("[homes]") + 1, 'load_file = "homes.csv"'))
    (folder / "loads.csv").unlink()
    assert "load file of group 'home' is not there" in refusal(folder)
