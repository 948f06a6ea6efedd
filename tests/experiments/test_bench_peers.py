"""The bench of other libraries, with small programs in the place of theirs: what is equal, what differs, what fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments import bench_peers
from experiments.bench_auctions import japan
from experiments.bench_continuous import ONE_AREA
from experiments.bench_peers import METHODS, Method, Peer, install
from experiments.bench_peers import bench_peers as run_bench
from experiments.cli import app
from market.errors import ConfigError

MERIT_ORDER = """
import json, sys
task = json.load(sys.stdin)
orders = task["orders"]
sells = sorted((price, n) for n, (buys, _, price, _) in enumerate(orders) if not buys)
buys = sorted((-price, n) for n, (buys, _, price, _) in enumerate(orders) if buys)
left, filled = [lots for *_, lots in orders], [0] * len(orders)
while sells and buys and sells[0][0] <= -buys[0][0]:
    sell, buy = sells[0][1], buys[0][1]
    price = sells[0][0] if left[sell] > left[buy] else -buys[0][0]
    part = min(left[sell], left[buy])
    for n in (sell, buy):
        left[n] -= part
        filled[n] += part
    sells, buys = sells[left[sell] == 0:], buys[left[buy] == 0:]
"""
SAYS = 'print(json.dumps({"seconds": 0.25, "filled": filled, "prices": [price]}))'
LOSES = "filled = [0 if order[0] else lots for order, lots in zip(orders, filled)]\nprice += 1\n"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    """Runs the bench with one program, in this Python, on a book of 60 orders."""
    monkeypatch.setattr(bench_peers, "SIZES", (60,))
    monkeypatch.setattr(bench_peers, "ROUNDS", 1)
    monkeypatch.setattr(bench_peers, "install", lambda _peer, _folder: Path(sys.executable))

    def run(program: str, limit_s: float = 60, grid=ONE_AREA, scarce: bool = False):
        method = Method(Peer("plain 1", ("plain==1",), program), "merit order", grid, scarce)
        monkeypatch.setattr(bench_peers, "METHODS", (method,))
        return run_bench(Path("nowhere"), limit_s)

    return run


@pytest.mark.parametrize("scarce", [False, True])
def test_a_library_with_the_same_result_is_said_to_have_it(bench, scarce: bool) -> None:
    """Volume, welfare and price of a plain merit order are those of the engine; its own clock counts."""
    (row,) = bench(MERIT_ORDER + SAYS, scarce=scarce).measured
    assert row.differs == []
    assert row.theirs_s == 0.25
    assert row.ratio == row.theirs_s / row.ours_s > 1


def test_what_a_library_loses_is_printed(bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Purchases that are forgotten, a welfare that is not reached, another price."""
    result = bench(MERIT_ORDER + LOSES + SAYS)
    energy, welfare, price = result.measured[0].differs
    assert energy.startswith("sells")
    assert energy.endswith("buys 0 lots")
    assert welfare.startswith("welfare -")
    assert price.startswith("price ")
    result.print()
    assert "buys 0 lots" in " ".join(capsys.readouterr().out.split())


def test_lines_and_areas_reach_the_program(bench) -> None:
    """Nine areas with names and ten lines with lots, on which the program may answer with a price for each area."""
    check = "assert len(task['areas']) == 9 and len(task['lines']) == 10 and task['lines'][0][2] > 0\n"
    price = "price = 1.0\nfilled = [0] * len(task['orders'])\n"
    (row,) = bench("import json, sys\ntask = json.load(sys.stdin)\n" + check + price + SAYS, grid=japan()).measured
    assert row.areas == 9
    assert any(line.startswith("volume -100") for line in row.differs)


@pytest.mark.parametrize("program", [MERIT_ORDER + SAYS, "import time; time.sleep(5)"], ids=["own clock", "stopped"])
def test_a_slow_library_is_said_to_take_longer_than_the_limit(bench, monkeypatch, capsys, program: str) -> None:
    """By its own clock, or stopped from outside; the ratio is then at least that of the limit."""
    monkeypatch.setattr(bench_peers, "START_S", 0.1 if "sleep" in program else 60)
    result = bench(program, limit_s=0.2)
    (row,) = result.measured
    assert row.theirs_s is None
    assert row.theirs is None
    assert row.ratio == 0.2 / row.ours_s
    result.print()
    assert "over 0.2 s" in capsys.readouterr().out


def test_a_library_that_fails_is_one_line(bench) -> None:
    """Alone it ends the bench; the last line of what it said is given."""
    with pytest.raises(ConfigError, match="plain 1: merit order with 60 orders: no such thing"):
        bench("raise SystemExit('no such thing')")


def test_the_verb_prints_json_with_what_is_missing(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row a library and size, then a line for each that could not be installed."""
    bench(MERIT_ORDER + SAYS)
    (method,) = bench_peers.METHODS
    lost = Method(Peer("lost 1", ("lost==1",), ""), "none", ONE_AREA)
    monkeypatch.setattr(bench_peers, "METHODS", (method, lost))

    def try_install(peer: Peer, _folder: Path) -> Path:
        if peer.name == "lost 1":
            raise ConfigError("no index", where=peer.name)
        return Path(sys.executable)

    monkeypatch.setattr(bench_peers, "install", try_install)
    row, missing = json.loads(CliRunner().invoke(app, ["bench", "peers", "--json"]).stdout)
    assert (row["peer"], row["orders"], row["differs"]) == ("plain 1", 60, [])
    assert missing == {"missing": "lost 1: no index"}


def test_what_pip_says_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without network or package the line names library and folder and says what to do; nothing counts as installed."""
    said = "WARNING: retrying\nERROR: No matching distribution found for lost==1\n"
    ended = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(bench_peers.venv, "create", lambda home, **_: Path(home).mkdir(parents=True))
    monkeypatch.setattr(bench_peers.subprocess, "run", lambda *_, **__: ended)
    peer = Peer("lost 1", ("lost==1",), "")
    with pytest.raises(ConfigError, match=r"lost 1 in .*No matching distribution found for lost==1 \(see that pip"):
        install(peer, tmp_path)
    assert not list(tmp_path.rglob(".installed"))


def test_a_library_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call finds it; other packages get another environment."""
    calls: list[object] = []
    monkeypatch.setattr(bench_peers.venv, "create", lambda home, **_: Path(home).mkdir(parents=True))
    monkeypatch.setattr(
        bench_peers.subprocess, "run", lambda *a, **_: calls.append(a) or subprocess.CompletedProcess([], 0, "", "")
    )
    first, again = (install(Peer("one 1", ("one==1",), ""), tmp_path) for _ in range(2))
    other = install(Peer("one 1", ("one==1", "two<3"), ""), tmp_path)
    assert first == again != other
    assert len(calls) == 2


@pytest.mark.slow
def test_the_real_libraries_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs the network: every library and mechanism clears a book of 1,000 orders."""
    monkeypatch.setattr(bench_peers, "SIZES", (1_000,))
    monkeypatch.setattr(bench_peers, "ROUNDS", 1)
    result = run_bench(tmp_path)
    assert result.missing == []
    assert len(result.measured) == len(METHODS)
