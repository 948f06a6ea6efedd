"""simulate --resume: a run that was stopped anywhere becomes the run that was not stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.draw import Purpose, draw
from experiments.cli import app
from experiments.runs import COMPLETE, open_run
from experiments.simulate import Order, make_order, simulate
from ledger.audit import verify
from market.errors import ConfigError, LedgerError
from tests.experiments.test_cli import assert_one_line

STEPS = 48
WORDS = ["simulate", "urawa-misono", "--days", "1", "--seed", "4", "--ledger", "full", "--set", "homes.count=2"]
KILLED = """
import os
from pathlib import Path
from experiments.simulate import simulate
from tests.experiments.test_resuming import order_of

def kill(done, steps):
    if done == {step}:
        os.kill(os.getpid(), 9)

simulate(order_of(), Path({out!r}), kill)
"""


def order_of(design: str = "dgp", seed: int = 4, private: str | None = None, worlds: int = 1) -> Order:
    """A signed day of a small reference scenario."""
    settings = {"homes.count": 2}
    return make_order(
        "urawa-misono", design, days=1, seed=seed, ledger="full", settings=settings, private=private, worlds=worlds
    )


def stop(order: Order, out: Path, step: int, resume: bool = False) -> None:
    """Run an order until Ctrl-C comes behind a step."""

    def interrupt(done: int, steps: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(order, out, interrupt, resume)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that was not stopped."""
    return simulate(order_of(), tmp_path_factory.mktemp("whole") / "run").folder


@pytest.mark.parametrize("stops", [(1,), (13, 30, 29), (STEPS,)])
def test_a_stopped_run_becomes_the_one_not_stopped(whole: Path, tmp_path: Path, stops: tuple[int, ...]) -> None:
    """Stopped early, several times, or behind the last step: heads, tables, blocks and observations are the same."""
    out = tmp_path / "run"
    for number, step in enumerate(stops):
        stop(order_of(), out, step, resume=number > 0)
        assert open_run(out).state != COMPLETE
    again = simulate(order_of(), out, resume=True)
    assert files_of(out) == files_of(whole)
    assert verify(out / "ledger", bytes.fromhex(str(again.chain_head))).ok


def test_sealed_orders_and_several_worlds_go_on_too(tmp_path: Path) -> None:
    """Seals and shares follow from each world's key, so they are the same bytes again."""
    order = order_of("call", private="2/3", worlds=2)
    simulate(order, tmp_path / "whole")
    stop(order, tmp_path / "run", 30)
    simulate(order, tmp_path / "run", resume=True)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


def test_an_unfinished_block_and_observation_are_cut(whole: Path, tmp_path: Path) -> None:
    """What a crash tore is taken off and made again; the ledger's torn bytes are kept beside it."""
    out = tmp_path / "run"
    stop(order_of(), out, 30)
    (segment,) = out.rglob("segment-*.dgl")
    for path in (segment, out / "observations.dgo"):
        path.write_bytes(path.read_bytes()[:-7])
    simulate(order_of(), out, resume=True)
    again, first = files_of(out), files_of(whole)
    assert {name: again[name] for name in first} == first


def test_another_order_is_not_gone_on_with(whole: Path, tmp_path: Path) -> None:
    """Each in one line that names what differs; the folder is as it was."""
    out = tmp_path / "run"
    stop(order_of(), out, 20)
    before = files_of(out)
    for order, what in ((order_of(seed=5), "another seed "), (order_of("call"), "another design, horizon ")):
        with pytest.raises(ConfigError, match=what):
            simulate(order, out, resume=True)
    with pytest.raises(ConfigError, match="has ended"):
        simulate(order_of(), whole, resume=True)
    for folder in (tmp_path / "nowhere", None):
        with pytest.raises(ConfigError, match="no run to resume"):
            simulate(order_of(), folder, resume=True)
    assert files_of(out) == before


def test_a_block_that_this_run_does_not_make_is_refused(tmp_path: Path) -> None:
    """The config may say the same and the world be another: the first block tells."""
    out = tmp_path / "run"
    stop(order_of(seed=5), out, 20)
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config | {"seed": 4}))
    with pytest.raises(LedgerError, match="block 0 is not the one this run makes"):
        simulate(order_of(), out, resume=True)


def test_the_verb_goes_on_and_needs_a_signed_ledger(whole: Path, tmp_path: Path) -> None:
    """As a user types it."""
    out = str(tmp_path / "run")
    stop(order_of(), Path(out), 5)
    assert_one_line(CliRunner().invoke(app, [*WORDS, "--out", out]), "exists already")
    loose = ["digest" if word == "full" else word for word in WORDS]
    assert_one_line(CliRunner().invoke(app, [*loose, "--out", out, "--resume"]), "only a signed ledger")
    done = CliRunner().invoke(app, [*WORDS, "--out", out, "--resume"])
    assert done.exit_code == 0, done.output
    assert files_of(Path(out)) == files_of(whole)
    assert_one_line(CliRunner().invoke(app, [*WORDS, "--out", out, "--resume"]), "has ended")


RANDOM_STEPS = [1 + int(draw(7, number, 0, 0, Purpose.ARRIVAL)) % STEPS for number in range(4)]
"""Steps behind which a process is killed."""


@pytest.mark.slow
@pytest.mark.parametrize("step", RANDOM_STEPS)
def test_a_killed_process_leaves_a_run_that_goes_on(whole: Path, tmp_path: Path, step: int) -> None:
    """SIGKILL behind a random step: nothing was closed, and the run becomes the same."""
    out = tmp_path / "run"
    code = KILLED.format(step=step, out=str(out))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    simulate(order_of(), out, resume=True)
    again, first = files_of(out), files_of(whole)
    assert {name: again[name] for name in first} == first
    assert all(".cut-" in name for name in set(again) - set(first))
