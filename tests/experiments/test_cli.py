"""The command line: what it refuses, how it says so, and that it leaves nothing behind."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from experiments.cli import app

VERBS = (
    "simulate",
    "train",
    "evaluate",
    "compare",
    "export",
    "report",
    "scenarios",
    "designs",
    "demo",
    "statement",
    "lines",
    "bill",
    "clear",
)
BENCHES = ("envs", "curves", "market", "ledger", "peers")
NESTED = (
    ("ledger", "verify"),
    ("ledger", "show"),
    ("study", "lead-time"),
    ("backtest", "japan-nine"),
    ("backtest", "calibrate"),
    *(("bench", name) for name in BENCHES),
)
MISTAKES = {
    "unknown scenario": (["nowhere"], "urawa-misono"),
    "missing scenario file": (["nowhere.toml"], "nowhere.toml"),
    "unknown key": (["urawa-misono", "--set", "homes.cuont=3"], "did you mean 'count'"),
    "not a key and value": (["urawa-misono", "--set", "homes.count"], "key=value"),
    "negative count": (["urawa-misono", "--set", "homes.count=-3"], "homes.count"),
    "negative capacity": (["urawa-misono", "--set", "lines.0.forward_kw=-1"], "lines.0.forward_kw"),
    "area without a line": (["urawa-misono", "--set", 'areas=["tokyo","tohoku","chubu"]'], "no line reaches"),
    "unknown design": (["urawa-misono", "--design", "lottery"], "dgp"),
    "unknown policy": (["urawa-misono", "--policy", "home=clever"], "truthful"),
    "impossible mark-up": (["urawa-misono", "--policy", "home=markup:7"], "0 .. 1"),
    "unknown role": (["urawa-misono", "--policy", "baker=truthful"], "home"),
    "retailer as bidder": (["urawa-misono", "--policy", "retailer=truthful"], "home"),
    "missing policy file": (["urawa-misono", "--policy", "home=nothing.onnx"], "NAME.onnx"),
    "unknown ledger mode": (["urawa-misono", "--ledger", "paper"], "digest"),
    "no days": (["urawa-misono", "--days", "0"], "--days"),
    "too many days": (["urawa-misono", "--days", "400"], "--days"),
    "no worlds": (["urawa-misono", "--worlds", "0"], "--worlds"),
    "negative seed": (["urawa-misono", "--seed", "-1"], "--seed"),
    "no horizon": (["urawa-misono", "--horizon", "0"], "--horizon"),
    "no data": (["urawa-misono", "--data", "no-such-folder"], "no-such-folder"),
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command line inside an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_one_line(result: Result, told: str) -> None:
    """A mistake ends with 1, one line on standard error that helps, and nothing on standard output."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("digitalgrid: ")
    assert told in result.stderr


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(run, tmp_path: Path, mistake: str) -> None:
    """Bad input exits with 1 and leaves the folder empty, the run folder asked for included."""
    arguments, told = MISTAKES[mistake]
    assert_one_line(run("simulate", *arguments, "--out", "made/run"), told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [("simulate", "urawa-misono"), ("train",), ("demo",)])
def test_an_existing_run_folder_is_left_alone(run, tmp_path: Path, verb: tuple[str, ...]) -> None:
    """No verb writes into a folder that exists, even an empty one."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "note").write_text("mine")
    assert_one_line(run(*verb, "--out", "old"), "exists already")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["note"]


def test_a_malformed_data_folder_is_named(run, tmp_path: Path) -> None:
    """A price file with a wrong header is refused with its name, and no run is begun."""
    prices = tmp_path / "data" / "jepx_spot"
    prices.mkdir(parents=True)
    for name in ("spot_summary_2018.csv", "spot_2018.csv"):
        (prices / name).write_text("date,slot,price\n2018-04-01,1,7.0\n")
    result = run("simulate", "urawa-misono", "--data", "data", "--out", "run")
    assert_one_line(result, "jepx_spot")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_wrong_usage_exits_with_2(run) -> None:
    """What typer refuses keeps its exit code."""
    assert run("simulate").exit_code == 2
    assert run("simulate", "urawa-misono", "--days", "two").exit_code == 2
    assert run("simulat", "urawa-misono").exit_code == 2


def test_ctrl_c_is_one_line_and_exits_with_130(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is stopped keeps its folder and says that it is not complete."""
    from envs.world import World

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(World, "step", stop)
    result = run("simulate", "urawa-misono", "--out", "run")
    assert result.exit_code == 130
    assert result.stderr.strip().count("\n") == 0
    assert "Traceback" not in result.output
    assert (tmp_path / "run" / "state").read_text() == "running\n"
    assert_one_line(run("report", "run"), "cut short")


@pytest.mark.parametrize("verb", [(verb,) for verb in VERBS] + list(NESTED))
def test_every_verb_has_help_with_an_example(run, verb: tuple[str, ...]) -> None:
    """Help says what to type."""
    result = run(*verb, "--help")
    assert result.exit_code == 0
    assert f"Example: digitalgrid {' '.join(verb)}" in " ".join(result.output.split())


def test_help_imports_nothing_heavy() -> None:
    """`--help` answers in half a second because no array, table or learning library is loaded for it."""
    heavy = {"numpy", "pandas", "numba", "torch", "scipy", "matplotlib", "mesa", "pydantic", "cryptography"}
    code = f"import sys, experiments.cli; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_help_answers_within_half_a_second() -> None:
    """Best of five, so that a busy machine does not decide."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "experiments", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


def test_lists_are_also_json(run) -> None:
    """Scenarios and designs can be read by programs."""
    assert "urawa-misono" in json.loads(run("scenarios", "--json").stdout)
    listed = {record["name"]: record for record in json.loads(run("designs", "--json").stdout)}
    assert {"dgp", "spot+intraday", "mcafee", "bill-sharing", "retail"} <= set(listed)
    assert listed["mcafee"]["capacity"] == "local"
    assert "truthful" in listed["mcafee"]["claims"]
    assert "supply-demand-ratio" in run("designs").stdout


def test_one_design_is_shown_and_checked(run) -> None:
    """Every choice, what is proved at both slot lengths, and a counterexample to what is not claimed."""
    shown = run("designs", "call", "--check")
    assert shown.exit_code == 0
    assert "slots of 15 minutes, call: 200 random markets" in shown.stdout
    assert "not claimed, and not so: truthful" in shown.stdout
    (record,) = json.loads(run("designs", "call", "--check", "--json").stdout)
    assert [found["minutes"] for found in record["check"]] == [30, 15]
    assert "gains" in record["check"][0]["not_claimed"]["truthful"]


@pytest.mark.parametrize(("typed", "said"), [(["lottery"], "choose one of"), (["--check"], "name it")])
def test_a_mistake_in_designs_is_one_line(run, typed: list[str], said: str) -> None:
    """Unknown name, nothing to check."""
    result = run("designs", *typed)
    assert result.exit_code == 1
    assert said in result.output


def test_ledger_verify_passes_a_good_ledger_and_fails_a_changed_one(run, tmp_path: Path) -> None:
    """Exit code 0 and `verified`, or 1 and the place of the change."""
    made = run("simulate", "urawa-misono", "--days", 1, "--ledger", "full", "--out", "run", "--json")
    head = json.loads(made.stdout)["chain_head"]
    assert run("ledger", "verify", "run", "--head", head).exit_code == 0
    assert run("ledger", "verify", "run", "--head", "00" * 32).exit_code == 1
    assert_one_line(run("ledger", "verify", "run", "--head", "xyz"), "hexadecimal")
    assert json.loads(run("ledger", "show", "run", "--json").stdout)["steps"] == 48
    segment = max(
        (path for path in (tmp_path / "run" / "ledger").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    result = run("ledger", "verify", "run")
    assert result.exit_code == 1
    assert "NOT VERIFIED" in result.stdout


def test_a_folder_that_is_no_run_has_no_report(run, tmp_path: Path) -> None:
    """`report` says so and writes nothing."""
    (tmp_path / "empty").mkdir()
    assert_one_line(run("report", "empty"), "not a run folder")
    assert list((tmp_path / "empty").iterdir()) == []
