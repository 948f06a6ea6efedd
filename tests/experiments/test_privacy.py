"""A run may ask for sealed orders: what it says of them, and what it refuses."""

from pathlib import Path

import pytest
from rich.console import Console

from experiments.privacy import parse_private, say_privacy
from experiments.report import command_of
from experiments.simulate import Simulation, make_order, simulate
from ledger.audit import verify
from ledger.sealed_desk import Tally
from market.errors import ConfigError, Refusal


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Simulation]:
    """A day of the call auction: signed and sealed, signed, and with a content head only."""
    folder, asked = tmp_path_factory.mktemp("private"), {"sealed": "3/4", "open": None, "digest": "3/4"}
    return {
        name: simulate(
            make_order(
                "urawa-misono", "call", days=1, ledger="digest" if name == "digest" else "full", private=private
            ),
            folder / name,
        )
        for name, private in asked.items()
    }


def test_a_private_run_has_the_same_result(runs: dict[str, Simulation]) -> None:
    """Content heads, tables and the verdict of the audit; chain heads differ."""
    assert len({run.content_heads for run in runs.values()}) == 1
    assert runs["sealed"].chain_head != runs["open"].chain_head
    for table in ("parties", "contracts", "postings", "refusals"):
        texts = {(run.folder / "tables" / f"{table}.csv").read_bytes() for run in runs.values()}
        assert len(texts) == 1, table
    verdict = verify(runs["sealed"].folder / "ledger")
    assert verdict.ok, verdict.lines
    assert verdict.counts["sealed orders"] == verdict.counts["envelopes"]


def test_a_run_says_whether_orders_were_sealed(runs: dict[str, Simulation]) -> None:
    """One line and one figure each; nothing where it was not asked for."""

    def said(run: Simulation) -> str:
        console = Console(width=200)
        with console.capture() as capture:
            run.print(console)
        return next((line for line in capture.get().splitlines() if line.startswith("privacy ")), "")

    assert said(runs["sealed"]).endswith("orders sealed until 3 of 4 administrators opened them, none void")
    assert "not applied: the ledger is digest" in said(runs["digest"])
    assert said(runs["open"]) == ""
    privacy = {name: run.metrics()["privacy"] for name, run in runs.items()}
    assert privacy["open"] is None
    assert privacy["digest"] == {"needed": 3, "administrators": 4, "applied": False}
    assert privacy["sealed"]["applied"]
    assert privacy["sealed"]["void"] == []
    tally = Tally(orders=2)
    tally.void[1, Refusal.UNREADABLE] += 1
    assert say_privacy((3, 4), tally, "full", ["a", "b"]).endswith("1 void (b UNREADABLE 1)")


def test_the_command_that_makes_the_run_again_seals_too(runs: dict[str, Simulation]) -> None:
    """The option is in the configuration and in the command of the report."""
    assert "--private 3/4" in command_of(runs["sealed"].order.config())
    assert "--private" not in command_of(runs["open"].order.config())


@pytest.mark.parametrize("text", ["34", "3/", "/4", "a/b", "-1/4", "5/4", "0/4", "1/256"])
def test_impossible_numbers_are_one_line(text: str) -> None:
    """What is wrong, and what to write."""
    with pytest.raises(ConfigError, match=r"is not K/N|not possible"):
        make_order("urawa-misono", "call", days=1, private=text)


def test_an_open_book_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """Continuous trade shows its orders; the command ends with one line."""
    from typer.testing import CliRunner

    from experiments.cli import app

    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["simulate", "urawa-misono", "--private", "3/4", "--out", str(out)])
    assert done.exit_code == 1
    assert "open book" in done.output
    assert not out.exists()
    assert parse_private("3/4") == (3, 4)


def test_the_picture_is_drawn_from_the_ledger(runs: dict[str, Simulation], tmp_path: Path) -> None:
    """Counts and bytes are those of the records; of a run with open orders there is none."""
    from experiments.privacy_picture import count_records, main, save_picture

    world = runs["sealed"].folder / "ledger" / "world-0000"
    auctions, tally = count_records(world), runs["sealed"].sealed
    assert tally is not None
    assert auctions.counts.sum(axis=0).tolist()[1:3] == [48, tally.orders]
    assert auctions.sizes.sum(axis=0).tolist()[2:] == [tally.order_bytes, tally.share_bytes]
    save_picture(runs["sealed"].folder, tmp_path / "way.png")
    assert (tmp_path / "way.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ConfigError, match="not sealed"):
        save_picture(runs["open"].folder, tmp_path / "none.png")
    assert main([str(runs["sealed"].folder)]) == 2
    assert main([str(runs["open"].folder), str(tmp_path / "none.png")]) == 1
