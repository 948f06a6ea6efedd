"""docs/market.md: its commands and examples print what stands beside them, its pictures are drawn and can be read."""

import contextlib
import io
import re
import shlex
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from typer.testing import CliRunner

from experiments.cases import read_case
from experiments.clear import clear_case
from experiments.cli import app
from experiments.market_diagrams import book_of, volume_at
from experiments.market_pictures import CASES, PICTURES, SLOT, arrive_one_by_one, draw_all, save_pictures
from market.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "market.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "..."


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    """Every picture, drawn once."""
    return draw_all()


def blocks() -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of the page."""
    return [(match[1], match[2]) for match in BLOCK.finditer(PAGE.read_text("utf-8"))]


def stands_in(excerpt: str, output: str) -> bool:
    """Whether the runs of lines between `...` stand in the output, in that order."""
    place = 0
    for part in re.split(rf"^ *{re.escape(LEFT_OUT)}\n", excerpt, flags=re.MULTILINE):
        found = output.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def test_an_excerpt_is_held_against_the_output_in_order() -> None:
    """The test of the page's excerpts is able to fail."""
    output = "a\n b\n c\n d\n"
    assert stands_in("a\n  ...\n c\n", output)
    assert not stands_in(" c\n...\na\n", output)
    assert not stands_in(" b\n d\n", output)


def test_the_commands_of_the_page_print_what_stands_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `digitalgrid clear` of a case of the documents, run from the root."""
    monkeypatch.chdir(ROOT)
    shown = set()
    for (language, text), (after, expected) in zip(blocks(), [*blocks()[1:], ("", "")], strict=True):
        if language != "sh" or "docs/cases" not in text:
            continue
        (command,) = text.splitlines()
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, result.output
        assert after in ("json", "text")
        assert stands_in(expected, result.stdout), command
        shown |= {word.split("/")[-1] for word in shlex.split(command) if "docs/cases" in word}
    assert shown == {path.name for path in CASES.iterdir()}


def test_the_python_of_the_page_prints_what_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks run one after another from the root; each prints the text block that follows it."""
    monkeypatch.chdir(ROOT)
    space: dict[str, object] = {}
    shown = 0
    for (language, text), (after, expected) in zip(blocks(), [*blocks()[1:], ("", "")], strict=True):
        if language != "python":
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, PAGE.name, "exec"), space)
        printed = [line.rstrip() for line in out.getvalue().splitlines()]
        assert after == "text"
        assert printed == [line.rstrip() for line in expected.splitlines()]
        shown += 1
    assert shown >= 5


def test_the_page_shows_every_picture_and_no_other() -> None:
    """Pictures of the module, in its order, and the files beside the page."""
    named = re.findall(r"\(figures/(market_\w+)\.png\)", PAGE.read_text("utf-8"))
    assert named == list(PICTURES)
    assert [name for name in named if not (PAGE.parent / "figures" / f"{name}.png").exists()] == []


def ticks_not_drawn(figure: Figure) -> set[Text]:
    """Labels of ticks outside their axis, or of an axis that is switched off."""
    hidden: set[Text] = set()
    for axes in figure.axes:
        for side, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
            for tick in side.get_major_ticks():
                if not axes.axison or not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    return hidden


def texts_of(figure: Figure) -> dict[str, tuple[float, float, float, float]]:
    """Where each text of a picture stands [pixels]: left, bottom, right, top."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found, hidden = {}, ticks_not_drawn(figure)
    for number, text in enumerate(figure.findobj(Text)):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            box = text.get_window_extent(canvas.get_renderer())
            if box.width:
                found[f"{number}: {text.get_text()}"] = (box.x0, box.y0, box.x1, box.y1)
    return found


@pytest.mark.parametrize("name", PICTURES)
def test_texts_of_a_picture_do_not_overlap_or_leave_it(name: str, figures: dict[str, Figure]) -> None:
    """No two texts touch, and none is cut off at an edge; ticks outside their axis are not drawn."""
    figure = figures[name]
    drawn = texts_of(figure)
    width, height = figure.get_size_inches() * figure.dpi
    cut = [text for text, (x0, y0, x1, y1) in drawn.items() if x1 > width + 1 or y1 > height + 1 or min(x0, y0) < -1]
    assert cut == []
    overlaps = [
        (one, other)
        for (one, a), (other, b) in combinations(drawn.items(), 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1
    ]
    assert overlaps == []


@pytest.mark.parametrize("name", PICTURES)
def test_axes_with_numbers_have_units(name: str, figures: dict[str, Figure]) -> None:
    """A label with a unit stands at each axis of numbers, or at the first panel where panels share it."""
    first, *_ = axes = figures[name].axes
    for axis in (axis for axis in axes if axis.axison):
        for side, shared in ((axis.xaxis, first.xaxis), (axis.yaxis, first.yaxis)):
            ticks = [tick.get_text() for tick in side.get_ticklabels() if tick.get_visible()]
            if any(re.fullmatch(r"[\d,.]+", tick) for tick in ticks):
                assert re.search(r"\[.+\]", side.get_label_text() or shared.get_label_text())


def test_a_merit_order_crosses_at_the_price_of_the_engine() -> None:
    """Price and volume of the picture are those of the case: 15 JPY/kWh, 900 kWh; the line's flow stands first."""
    supply, demand, price = book_of(clear_case(CASES / "one-price.json"), "tokyo", SLOT)
    assert price == 15
    assert volume_at(supply, demand, price) == 900
    supply, demand, price = book_of(clear_case(CASES / "split.json"), "tokyo", SLOT)
    assert (supply.fixed, demand.fixed, price) == (500, 0, 22)


def test_orders_that_arrive_one_by_one_end_like_the_whole_case() -> None:
    """The picture of continuous trade tells what `digitalgrid clear` does in one call."""
    case = read_case(CASES / "committed.json")
    done = arrive_one_by_one(case)
    assert [name for name, _ in done] == case.ids
    together = clear_case(CASES / "committed.json").outcome
    assert [row for _, outcome in done for row in outcome.contracts.tolist()] == together.contracts.tolist()
    assert done[-1][1].flow_wh.tolist() == together.flow_wh.tolist()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The file in the way is named."""
    (tmp_path / "taken").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="taken: cannot write"):
        save_pictures(tmp_path / "taken")
