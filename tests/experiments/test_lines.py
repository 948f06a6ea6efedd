"""lines: committed flow of a run, as of any time, from the signed record and from the table."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.lines import read_lines
from experiments.simulate import Simulation, make_order, simulate
from market.errors import ConfigError, DataError
from market.slots import HALF_HOURS


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A day under dgp with a horizon of a day and a full ledger."""
    order = make_order("urawa-misono", days=1, seed=4, ledger="full", horizon=48)
    return simulate(order, tmp_path_factory.mktemp("run") / "full")


@pytest.fixture
def unsigned(signed: Simulation, tmp_path: Path) -> Path:
    """The same run without its ledger."""
    folder = tmp_path / "unsigned"
    shutil.copytree(signed.folder, folder, ignore=shutil.ignore_patterns("ledger"))
    return folder


def test_the_contracts_of_the_record_give_the_flow_the_market_kept(signed: Simulation, unsigned: Path) -> None:
    """Net flow of every slot, from the ledger and from the table, is the trace's."""
    for run in (signed.folder, unsigned):
        ahead = read_lines(run).ahead
        for row, line in enumerate(ahead.grid.lines):
            assert (ahead.net_wh[:, row] == signed.trace.slots[f"flow_wh:{line.name}"]).all()
    assert read_lines(signed.folder).ahead.full.any()


def test_what_was_known_grows_to_what_flows(signed: Simulation) -> None:
    """Only contracts formed by then count, for slots that are still open; the last slot of the day only fills up."""
    first, counts = signed.first_slot, []
    for hour in (0, 6, 12):
        lines = read_lines(signed.folder, at=HALF_HOURS.label(first + 2 * hour))
        assert lines.ahead.slot[0] == first + 2 * hour + HALF_HOURS.gate + 1
        known = signed.contracts[
            (signed.contracts["formed"] <= first + 2 * hour)
            & (signed.contracts["slot"] >= lines.ahead.slot[0])
            & (signed.contracts["path"] > 0)
        ]
        assert lines.contracts == len(known)
        assert lines.ahead.use_wh.sum() == known["energy"].sum()
        counts.append(np.abs(lines.ahead.net_wh[-1]).sum())
    assert counts == sorted(counts)


def test_the_verb_writes_json_csv_and_a_picture(unsigned: Path, tmp_path: Path) -> None:
    """JSON has a row per line, the CSV one per slot and line, the picture is a PNG file."""
    files = ["--out", str(tmp_path / "a.csv"), "--picture", str(tmp_path / "a.png")]
    told = json.loads(CliRunner().invoke(app, ["lines", str(unsigned), *files, "--json"]).stdout)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == told["slots"] * len(told["lines"]) == 48
    line = told["lines"][0]
    assert line["committed"] == sum(row["flow_wh"] != "0" for row in rows)
    assert line["full_forward"] == sum(row["full"] in "13" for row in rows)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert line["name"] in CliRunner().invoke(app, ["lines", str(unsigned)]).stdout


MISTAKES = {
    "no time": (["--at", "noon"], "yyyy-mm-dd hh:mm"),
    "after the run": (["--at", "2031-01-01 00:00"], "no slot of the run is open"),
    "no folder for the file": (["--out", "no/such/file.csv"], "no/such/file.csv"),
    "no folder for the picture": (["--picture", "no/such/file.png"], "no/such/file.png"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(unsigned: Path, mistake: str) -> None:
    """Exit code 1, one line that helps, nothing on standard output."""
    arguments, told = MISTAKES[mistake]
    result = CliRunner().invoke(app, ["lines", str(unsigned), *arguments])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert told in result.stderr


def test_a_folder_that_is_damaged_is_named(unsigned: Path) -> None:
    """A path no line of the scenario makes, slots that are none, settings that are none: each with its place."""
    table = unsigned / "tables" / "contracts.csv"
    text = table.read_text()
    table.write_text(text.replace(",tohoku-tokyo,", ",nowhere,"))
    with pytest.raises(DataError, match="nowhere"):
        read_lines(unsigned)
    table.write_text(text)
    (unsigned / "tables" / "slots.csv").write_text("time,slot\n")
    with pytest.raises(DataError, match=r"slots\.csv"):
        read_lines(unsigned)
    config = json.loads((unsigned / "config.json").read_text())
    (unsigned / "config.json").write_text(json.dumps(config | {"scenario": {"lines": 3}}))
    with pytest.raises(DataError, match=r"config\.json"):
        read_lines(unsigned)
    (unsigned / "config.json").write_text(json.dumps(config | {"design": "mystery"}))
    with pytest.raises(ConfigError, match="mystery"):
        read_lines(unsigned)
