"""statement: what is read from a run, and what is said about mistakes."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.runs import RunFolder
from experiments.simulate import Simulation, make_order, simulate
from experiments.statement import make_statement, newest_run
from experiments.statement_picture import save_statement
from ledger.segments import segment_name
from market.errors import ConfigError, DataError, LedgerError


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A day under dgp with a full ledger."""
    return simulate(make_order("urawa-misono", days=1, seed=4, ledger="full"), tmp_path_factory.mktemp("run") / "full")


@pytest.fixture
def unsigned(signed: Simulation, tmp_path: Path) -> Path:
    """The same run without its ledger."""
    folder = tmp_path / "unsigned"
    shutil.copytree(signed.folder, folder, ignore=shutil.ignore_patterns("ledger"))
    return folder


def test_the_signed_record_and_the_table_give_the_same_statement(signed: Simulation, unsigned: Path) -> None:
    """Every party's statement is the same from the ledger as from the table of contracts; only the origin differs."""
    for party in signed.parties:
        ours, theirs = (make_statement(party.name, run).rows() for run in (signed.folder, unsigned))
        assert "signed ledger, verified" in ours.pop("origin")
        assert "contracts.csv" in theirs.pop("origin")
        assert ours == theirs


def test_statements_agree_with_the_measured_totals(signed: Simulation) -> None:
    """Bought and sold outside the last resort, and the last resort, are those of the run's table of parties."""
    for party in signed.parties:
        statement = make_statement(party.name, signed.folder)
        if party.role != "retailers":
            assert statement.bought.energy_wh - statement.bought.last_resort_wh == party.bought_wh
            assert statement.bought.last_resort_wh == party.last_resort_supply_wh
            assert statement.sold.energy_wh - statement.sold.last_resort_wh == party.sold_wh
            assert statement.sold.last_resort_wh == party.last_resort_surplus_wh


def test_an_altered_ledger_gives_no_statement(signed: Simulation, tmp_path: Path) -> None:
    """One byte changed, and the verb says that the ledger does not verify."""
    folder = tmp_path / "altered"
    shutil.copytree(signed.folder, folder)
    file = folder / "ledger" / "world-0000" / segment_name(0)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(LedgerError, match="does not verify"):
        make_statement("store-1", folder)


def test_the_newest_run_that_kept_contracts_is_taken(unsigned: Path, tmp_path: Path) -> None:
    """Without --run the run written last counts; folders without contracts are passed over."""
    other = RunFolder(tmp_path / "runs" / "later")
    other.tables.mkdir(parents=True)
    other.write_json("config", {"format": "digitalgrid-run/1"})
    other.complete()
    shutil.copytree(unsigned, tmp_path / "runs" / "kept")
    assert newest_run(tmp_path / "runs").name == "kept"
    with pytest.raises(ConfigError, match="no run with contracts"):
        newest_run(tmp_path / "nothing")


def test_a_damaged_table_is_one_line(unsigned: Path) -> None:
    """A table that is not ours is named."""
    (unsigned / "tables" / "contracts.csv").write_text("slot,seller\n1,nobody\n")
    with pytest.raises(DataError, match=r"contracts\.csv"):
        make_statement("store-1", unsigned)


MISTAKES = {
    "unknown party": (["stoer-1"], "try store-1"),
    "not a day": (["store-1", "--day", "April"], "yyyy-mm-dd"),
    "a day outside": (["store-1", "--day", "1999-01-01"], "give days 2018"),
    "wrong way round": (["store-1", "--from", "2019-01-02", "--to", "2019-01-01"], "not in the run"),
    "day and range": (["store-1", "--day", "2018-04-22", "--from", "2018-04-22"], "--day"),
    "no folder for the file": (["store-1", "--out", "no/such/file.csv"], "no/such/file.csv"),
    "no folder for the picture": (["store-1", "--picture", "no/such/file.png"], "no/such/file.png"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(unsigned: Path, mistake: str) -> None:
    """Exit code 1, one line that helps, nothing on standard output."""
    arguments, told = MISTAKES[mistake]
    result = CliRunner().invoke(app, ["statement", *arguments, "--run", str(unsigned)])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert told in result.stderr


def test_the_verb_writes_json_csv_and_a_picture(unsigned: Path, tmp_path: Path) -> None:
    """JSON holds the sums and as many contracts as the CSV has rows; the picture is a PNG file."""
    files = ["--out", str(tmp_path / "a.csv"), "--picture", str(tmp_path / "a.png")]
    result = CliRunner().invoke(app, ["statement", "store-1", "--run", str(unsigned), *files, "--json"])
    told = json.loads(result.stdout)
    assert sum(told["bought"]["share_by_partner"].values()) == pytest.approx(1)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(told["contracts"]) > 0
    assert sum(float(row["kwh"]) for row in rows) == pytest.approx(told["bought"]["kwh"] + told["sold"]["kwh"])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    shown = CliRunner().invoke(app, ["statement", "home-1", "--run", str(unsigned)])
    assert "bought" in shown.stdout
    assert "from" in shown.stdout


def test_a_seller_of_a_run_of_days_is_drawn(unsigned: Path, tmp_path: Path) -> None:
    """A party that only sells has a picture as well."""
    save_statement(make_statement("thermal-1", unsigned), tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 10_000
