"""digitalgrid bill: from the verified ledger of a run, the same money as the run's own tables."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.bill import make_bill
from experiments.cli import app
from experiments.simulate import make_order, simulate
from experiments.statement import make_statement
from market.errors import ConfigError, LedgerError
from market.settlement import PostingKind
from market.units import UJPY_PER_JPY


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day with a full ledger."""
    return simulate(
        make_order("urawa-misono", days=1, seed=3, ledger="full"), tmp_path_factory.mktemp("bill") / "run"
    ).folder


def test_every_bill_and_its_rounding_are_the_postings_of_the_run(run: Path) -> None:
    """Line by line, for every party; together parties and lines sum to what the tables say."""
    with (run / "tables" / "postings.csv").open(newline="") as file:
        posted = {row["account"]: row for row in csv.DictReader(file)}
    with (run / "tables" / "parties.csv").open(newline="") as file:
        parties = [row["name"] for row in csv.DictReader(file)]
    for party in parties:
        lines = {line.kind: line for line in make_bill(party, run).bill.lines}
        for kind in PostingKind:
            wanted = int(posted[party][f"{kind.name.lower()}_ujpy"])
            line = lines.get(kind)
            assert (line.yen * UJPY_PER_JPY + line.rest_ujpy if line else 0) == wanted


def test_energies_of_a_bill_are_those_of_the_partys_row(run: Path) -> None:
    """Bought, sold, last resort and imbalance are what the run's own table of parties says [Wh]."""
    with (run / "tables" / "parties.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["name"] == "store-1")
    energy = {line.kind: line.energy_wh for line in make_bill("store-1", run).bill.lines}
    assert energy[PostingKind.PURCHASE] == int(row["bought_wh"])
    assert energy[PostingKind.LAST_RESORT_SUPPLY] == int(row["last_resort_supply_wh"])
    assert energy[PostingKind.IMBALANCE] == int(row["short_wh"]) + int(row["long_wh"])


def test_a_bill_is_printed_and_is_also_json(run: Path) -> None:
    """Both names of each line, the total, the head it rests on."""
    shown = CliRunner().invoke(app, ["bill", "store-1", "--run", str(run)])
    assert shown.exit_code == 0
    for text in ("請求書", "wheeling", "託送料金", "Total to pay", "chain head"):
        assert text in shown.output
    record = json.loads(CliRunner().invoke(app, ["bill", "store-1", "--run", str(run), "--json"]).output)
    assert record["total_jpy"] == sum(line["jpy"] for line in record["lines"]) < 0


def test_no_bill_is_made_from_nothing(run: Path, tmp_path: Path) -> None:
    """An unknown party, a run without a ledger, a damaged ledger: one line each."""
    with pytest.raises(ConfigError, match="try store-1"):
        make_bill("store-11", run)
    plain = simulate(make_order("urawa-misono", days=1, seed=3), tmp_path / "plain").folder
    with pytest.raises(ConfigError, match="--ledger full"):
        make_bill("store-1", plain)
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    block = max((broken / "ledger").rglob("*.*"), key=lambda path: path.stat().st_size)
    data = bytearray(block.read_bytes())
    data[len(data) // 2] ^= 1
    block.write_bytes(data)
    with pytest.raises(LedgerError, match="no bill is made"):
        make_bill("store-1", broken)


def test_bill_and_statement_name_the_service_provider(tmp_path: Path) -> None:
    """A bill says who represents its party and how imbalance is shared; the provider is billed the netting gain."""
    group = {"name": "misono", "area": "tokyo", "members": ["homes", "stores"], "allocation": "own"}
    order = make_order("urawa-misono", days=1, seed=3, ledger="full", settings={"service_providers": [group]})
    folder = simulate(order, tmp_path / "run").folder
    said = make_bill("home-1", folder)
    assert (said.rows()["service_provider"], said.rows()["allocation"]) == ("misono", "own")
    assert make_bill("mall", folder).provider is None
    with (folder / "tables" / "postings.csv").open(newline="") as file:
        (gain,) = [int(row["imbalance_ujpy"]) for row in csv.DictReader(file) if row["account"] == "provider:misono"]
    bill = make_bill("misono", folder).bill
    assert bill.total_yen * UJPY_PER_JPY + bill.rest_ujpy == gain > 0
    assert make_statement("store-2", folder).rows()["service_provider"] == "misono"
    shutil.rmtree(folder / "ledger")
    assert make_statement("store-2", folder).rows()["service_provider"] == "misono"
    assert make_statement("mall", folder).rows()["service_provider"] is None
