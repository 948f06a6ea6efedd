"""The report: one file, complete, self-contained, and honest about what is missing."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.drawing import svg_text
from experiments.figures import draw_day
from experiments.findings import (
    Check,
    DesignResult,
    Estimate,
    Fact,
    Findings,
    LearningCurve,
    PartyMoney,
    TrainedResult,
    read_findings,
    write_findings,
)
from experiments.report import command_of, render, report_run, write_report
from experiments.simulate import Simulation, make_order, simulate
from experiments.trace import write_trace
from market.errors import ConfigError

VOID = {"meta", "br", "link", "img", "hr"}
CURVE = LearningCurve(
    "homes",
    "training time [s]",
    (0.0, 5.0, 9.0),
    (Estimate(-3), Estimate(5, 4, 6), Estimate(9, 8, 10)),
    {"best fixed mark-up": 6.0},
)
FULL = Findings(
    title="A title",
    headline="Trained <homes> & others",
    facts=(Fact("data", "synthetic"),),
    checks=(Check("ledger verified", True, "48 steps"), Check("device equals evaluation", False, "1 value differs")),
    designs=(
        DesignResult(
            "dgp", "truthful", {"tokyo": 13.1, "tohoku": None}, 1500.0, 0.34, None, 290.0, 0.0, {"homes": -553.0}
        ),
        DesignResult(
            "spot", "trained", {"tokyo": 15.0, "tohoku": 12.0}, 740.0, 0.25, 222.0, None, 1001.0, {"homes": -12.5}
        ),
    ),
    trained=(
        TrainedResult(
            "homes", "others truthful", 22.0, -553.0, "markup:0.6", Estimate(150.0, 140.0, 160.0), Estimate(300.0)
        ),
    ),
    curves=(CURVE,),
    parties=(PartyMoney("wear 0", "home-1", "home", -100.0, -150.0, 20.0, 3.0, 0.5, 0.2),),
    limits=("One seed.",),
    commands=("make demo",),
)


class Outline(HTMLParser):
    """Collects open tags, ids and addresses, and notes tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its addresses."""
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """The tag closed is the last one opened."""
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A day with a full ledger."""
    return simulate(make_order("urawa-misono", days=1, ledger="full"), tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def full_text(run: Simulation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report with every section."""
    path = tmp_path_factory.mktemp("full") / "report.html"
    designs = {"dgp": run.trace, "spot": run.trace, "call": run.trace}
    write_report(FULL, run.trace, path, designs=designs, metrics=run.metrics(), figures=path.parent / "figures")
    assert len(list((path.parent / "figures").glob("*.png"))) == 7
    return path.read_text(encoding="utf-8")


def test_a_report_needs_no_other_file_and_no_host(full_text: str) -> None:
    """No address, no script, no import: every link points inside the file, and it is below 2 MB."""
    outline = Outline()
    outline.feed(full_text)
    assert outline.open == []
    assert [address for address in outline.addresses if not (address or "").startswith("#")] == []
    assert not {"script", "link", "iframe", "img", "object"} & set(outline.tags)
    assert not re.search(r"https?:|//\w+\.|@import|url\((?!#)", full_text)
    assert len(full_text.encode()) < 2_000_000


def test_every_picture_is_inside_with_a_caption(full_text: str) -> None:
    """Seven pictures as inline SVG, each with its words as text."""
    for name in ("day", "trades", "batteries", "learning", "designs", "bills", "congestion"):
        picture = re.search(f'<figure id="{name}">(.*?)</figure>', full_text, re.DOTALL)
        assert picture, name
        assert "<svg" in picture[1]
        assert "<text" in picture[1]
        assert "<figcaption>" in picture[1]
    assert "JPY/kWh" in full_text


def test_a_failed_check_is_seen(full_text: str) -> None:
    """A check that failed says so in words, not by colour alone."""
    assert re.search(r"FAILED</span> 1 value differs", full_text)
    assert re.search(r"✓</span> 48 steps", full_text)


def test_text_is_escaped_and_figures_are_not_invented(full_text: str) -> None:
    """Names cannot break the page; what does not exist is a dash."""
    assert "Trained &lt;homes&gt; &amp; others" in full_text
    assert "Tokyo 13.10, Tohoku –" in full_text
    assert "150 [140, 160]" in full_text
    assert "<td>2.00</td>" in full_text
    assert "<td>300</td>" in full_text


def test_a_plain_run_has_a_report_with_its_verification(run: Simulation) -> None:
    """`report` on a folder of `simulate`: pictures of the run, ledger verified, no empty sections."""
    text = report_run(run.folder).read_text(encoding="utf-8")
    assert 'id="day"' in text
    assert 'id="role-table"' in text
    assert "all derived again, nothing differs" in text
    assert run.content_heads[0] in text
    for absent in ("design-table", "trained-table", "party-table", 'id="learning"'):
        assert absent not in text
    assert report_run(run.folder).read_text(encoding="utf-8") == text


def test_findings_left_in_the_folder_are_what_report_prints(run: Simulation) -> None:
    """The session that trained leaves report.json; `report` needs no other source."""
    write_findings(FULL, run.folder)
    assert read_findings(run.folder) == FULL
    text = report_run(run.folder).read_text(encoding="utf-8")
    assert 'id="design-table"' in text
    (run.folder / "report.json").write_text('{"title": 3}')
    with pytest.raises(ConfigError, match="not findings"):
        report_run(run.folder)
    (run.folder / "report.json").unlink()


def test_the_command_in_the_report_makes_the_same_run(run: Simulation, tmp_path: Path) -> None:
    """Every option that decides the result is in the command."""
    from typer.testing import CliRunner

    from experiments.cli import app

    order = make_order(
        "urawa-misono", "call", days=1, seed=4, worlds=2, policies={"home": "markup:0.5"}, settings={"homes.count": 2}
    )
    first = simulate(order, tmp_path / "first")
    command = command_of(order.config()).removeprefix("digitalgrid ").split()
    assert CliRunner().invoke(app, [*command, "--out", str(tmp_path / "second")]).exit_code == 0
    for name in ("config.json", "metrics.json", "tables/parties.csv"):
        assert (first.folder / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_traces_of_designs_in_the_tables_are_shown(run: Simulation) -> None:
    """`report` finds tables/DESIGN beside the run's own tables; a damaged table is named in one line."""
    folder = run.folder / "tables" / "spot"
    folder.mkdir()
    write_trace(run.trace, folder)
    assert '<figure id="designs">' in report_run(run.folder).read_text(encoding="utf-8")
    (folder / "slots.csv").write_text("time,slot\nx,y\n")
    with pytest.raises(ConfigError, match="spot: tables are damaged"):
        report_run(run.folder)
    shutil.rmtree(folder)


def test_a_picture_is_the_same_bytes_every_time(run: Simulation) -> None:
    """SVG without dates and random ids, so reports can be compared."""
    first, second = (svg_text(draw_day(run.trace, 0, "tokyo"), "day") for _ in range(2))
    assert first == second
    assert first.startswith("<svg")


@pytest.mark.parametrize("design", ["retail", "spot"])
def test_pictures_are_drawn_where_little_or_nothing_trades(design: str, tmp_path: Path) -> None:
    """A day without any market price still has its pictures."""
    made = simulate(make_order("urawa-misono", design, days=1), tmp_path / "run")
    text = report_run(made.folder).read_text(encoding="utf-8")
    assert "Nobody trades" in text
    assert 'id="batteries"' in text
    assert not re.search(r"<figure[^>]*>\s*<figcaption>", text)


def test_an_empty_report_has_no_empty_sections() -> None:
    """Only the title, what was run and the glossary remain."""
    text = render(Findings("T", "H"), {}, {})
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["What was run", "Words"]
