"""The documents: links lead somewhere, code runs and prints what stands beside it, tables are those of the code.

`python -m tests.house.test_docs` writes docs/layouts.md anew after a layout has changed.
"""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.observing import LAYOUT, OBSERVATION
from agents.quoting import ACTION, ACTION_LAYOUT, TRUTHFUL
from experiments.cli import app
from experiments.glossary import GLOSSARY
from market.blocks import BLOCK_FIELDS
from market.certificates import CERTIFICATE_FIELDS
from market.contracts import CONTRACT_FIELDS
from market.design import DESIGNS
from market.orders import ORDER_FIELDS
from market.planning import PLAN_FIELDS
from market.rules import RULES
from market.settlement import PostingKind
from market.tables import describe

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CHANGELOG.md") if (ROOT / name).exists())]
)
NOTES = sorted((DOCS / "decisions").glob("*.md"))
NOTE_LINES, NOTE_PARTS = 14, ("**Context.**", "**Decision.**", "**Consequence.**")
ENDS_WITH_1 = ("NOT VERIFIED", "they fork")
"""Words in what a command prints that ends with exit code 1."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
POSTINGS = {
    PostingKind.PURCHASE: ("buyer", "collection", "free contracts at the buyer's price"),
    PostingKind.SALE: ("collection", "seller", "free contracts at the seller's price"),
    PostingKind.RENT: ("collection", "lines of the path", "the difference of the two prices (congestion rent)"),
    PostingKind.LAST_RESORT_SUPPLY: ("buyer", "retailer, by collection", "planned and not contracted consumption"),
    PostingKind.LAST_RESORT_SURPLUS: ("retailer", "seller, by collection", "planned and not contracted surplus"),
    PostingKind.FEE: ("buyer", "platform", "platform fee of a free contract"),
    PostingKind.IMBALANCE: (
        "party when short",
        "area operator, which pays when long",
        "reading less plan, at the prices of the scenario's rule",
    ),
    PostingKind.WHEELING: ("party", "wheeling", "metered import (託送)"),
    PostingKind.SURCHARGE: ("party", "surcharge", "metered import (再エネ賦課金)"),
    PostingKind.PROCUREMENT: ("retailer", "jepx", "the retailer's net last resort at the outside price"),
    PostingKind.FUEL: ("thermal unit", "fuel", "metered export at fuel cost"),
    PostingKind.TRADE_REDUCTION: ("collection", "exchange", "the difference of the two prices within one area"),
    PostingKind.OUTAGE: ("line_outage", "party", "contracts curtailed because a line's capacity fell"),
}
"""Who pays whom, and for what."""


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Language and text of every fenced block."""
    return [(match[1], match[2]) for match in BLOCK.finditer(page.read_text("utf-8"))]


def table_of(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) or "-" for cell in line) + " |" for line in lines)


def layouts_page() -> str:
    """docs/layouts.md as the code has it."""
    seen = [
        (i, f.name, f.unit, f"{f.offset:+,.0f}", f"{f.scale:,.0f}", f"{f.low:g} .. {f.high:g}", f.meaning)
        for i, f in enumerate(OBSERVATION)
    ]
    done = [(i, f.name, truth, f.meaning) for i, (f, truth) in enumerate(zip(ACTION, TRUTHFUL, strict=True))]
    paid = [(kind.value, kind.name.lower(), *POSTINGS[kind]) for kind in PostingKind]
    return (
        "\n\n".join(
            (
                "# Layouts",
                "Written from the code by `python -m tests.house.test_docs`; a test holds that they are equal.\n"
                "For the terms see the [glossary](glossary.md).",
                f"## Observation, `{LAYOUT}`",
                "What a DGC sees at the start of a step, one float32 per row: (integer + offset) / scale, clipped\n"
                "to the bounds. The band runs from feed-in price to value of consumption.",
                table_of(("column", "name", "unit", "offset", "scale", "bounds", "meaning"), seen),
                f"## Action, `{ACTION_LAYOUT}`",
                "Four float32 in -1 .. 1. A limit cannot leave the band; `truthful` is the action\n"
                "that bids what energy is worth.",
                table_of(("number", "name", "truthful", "meaning"), done),
                "## Orders",
                "Columns without a wire type are not in the signed bytes: the envelope says who sent a row.",
                describe(ORDER_FIELDS),
                "## Blocks",
                "Orders over several slots; the energy of each slot of the run [Wh] stands beside the table.",
                describe(BLOCK_FIELDS),
                "## Contracts",
                describe(CONTRACT_FIELDS),
                "## Plans",
                "What a party files for a slot in each stage; not part of the ledger's records.",
                describe(PLAN_FIELDS),
                "## Certificates",
                "Ranges of serial numbers, sorted and without gaps; not part of the ledger's records.",
                describe(CERTIFICATE_FIELDS),
                "## Postings",
                "Money of a world and slot is a table (accounts, kinds) in uJPY, + receives; each kind sums to zero\n"
                "over the accounts. Accounts: parties, lines, area operators, collection, platform, wheeling,\n"
                "surcharge, jepx, fuel, rounding, exchange, line_outage.",
                table_of(("column", "kind", "who pays", "who receives", "for"), paid),
            )
        )
        + "\n"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_to_a_file(page: Path) -> None:
    """Every relative link names a file that exists."""
    targets = [target.split("#")[0] for target in LINK.findall(page.read_text("utf-8"))]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_machine(page: Path) -> None:
    """No absolute path of somebody's machine stands in a document."""
    assert re.findall(r"(?<![\w./:])/(?:home|work|tmp|root|Users|var|opt)/\S*", page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_documents_compiles(page: Path) -> None:
    """A block marked python is Python."""
    for language, text in blocks_of(page):
        if language == "python":
            compile(text, page.name, "exec")


def test_every_import_in_documents_exists() -> None:
    """Names that a document imports from this project are there."""
    pattern = re.compile(r"^from ((?:market|ledger|agents|envs|experiments)[\w.]*) import ([\w, ]+)$", re.MULTILINE)
    for page in PAGES:
        for language, text in blocks_of(page):
            for module, names in pattern.findall(text) if language == "python" else ():
                exec(f"from {module} import {names}", {})


def test_the_examples_of_the_designs_print_what_stands_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of designs.md run one after another, and each output is the block that follows."""
    known = dict(DESIGNS)
    monkeypatch.setattr("market.design.DESIGNS", known)
    monkeypatch.setattr("market.rules.RULES", dict(RULES))
    space: dict[str, object] = {}
    blocks = blocks_of(DOCS / "designs.md")
    shown = 0
    for (language, text), (after, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language != "python":
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, "designs.md", "exec"), space)
        printed = [line.rstrip() for line in out.getvalue().splitlines()]
        assert printed == ([line.rstrip() for line in expected.splitlines()] if after == "text" else [])
        shown += after == "text"
    assert shown >= 5
    assert set(known) - set(DESIGNS) == {"dgp-per-direction", "pay-the-bid"}


def run_page(name: str, folder: Path) -> list[str]:
    """Run the sh and python blocks of a page in an empty folder; what each printed, after checking how it ended.

    Commands run in this process: a program of its own for each would take most of its time to begin.
    """
    blocks, printed = blocks_of(DOCS / name), []
    path = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder)}
    for (language, text), (_, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "python":
            ended = subprocess.run(
                [sys.executable, "-c", text], cwd=folder, env=path, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, ended.stderr
            printed.append(ended.stdout)
        elif language == "sh":
            for line in text.splitlines():
                with contextlib.chdir(folder):
                    result = CliRunner().invoke(app, shlex.split(line)[1:])
                assert result.exit_code == any(word in expected for word in ENDS_WITH_1), result.output
                printed.append(result.stdout)
    return printed


def test_the_ledger_tutorial_runs_as_written(tmp_path: Path) -> None:
    """Written, verified, proved; damage and forgery are caught, and the forger convicted; then exported."""
    written, verified, _, _, shown, _, refused, drill, _, whole, caught, fork, exported = run_page(
        "tutorial-ledger.md", tmp_path
    )
    assert "chain head" in written
    assert verified.endswith("verified\n")
    assert shown.endswith("in the ledger\n")
    assert "frame is damaged" in refused
    assert "100 of 100 flipped bits found" in drill
    assert whole.endswith("structure is whole\nwhole\n")
    assert "posting (0, 0) is recorded as 1000000, derived as 0" in caught
    assert "they fork at block 3; one key signed both" in fork
    assert "orders.csv: 1279 rows" in exported


@pytest.mark.slow
def test_the_training_tutorial_runs_as_written(tmp_path: Path) -> None:
    """SB3, Gymnasium, training, evaluation, export and the device's day, in a folder of their own."""
    printed = run_page("tutorial-train.md", tmp_path)
    assert "40 learners, 5760 samples" in printed[0]
    assert printed[-1].startswith("True")


def test_the_layouts_page_equals_the_tables_of_the_code() -> None:
    """Observation, action, orders, contracts and postings stand in the document as in the code."""
    assert (DOCS / "layouts.md").read_text("utf-8") == layouts_page(), "run python -m tests.house.test_docs"


@pytest.mark.parametrize("note", NOTES, ids=lambda note: note.name[:3])
def test_a_decision_note_is_short_and_says_context_decision_and_consequence(note: Path) -> None:
    """At most 14 lines, the three parts in order, and a title with the number of the file."""
    text = note.read_text("utf-8")
    places = [text.find(part) for part in NOTE_PARTS]
    assert len(text.splitlines()) <= NOTE_LINES
    assert -1 not in places
    assert places == sorted(places)
    assert text.startswith(f"# {note.name[:3]} ")


def test_decision_notes_are_numbered_without_gaps() -> None:
    """001, 002, ... each once."""
    assert [note.name[:3] for note in NOTES] == [f"{number:03d}" for number in range(1, len(NOTES) + 1)]


def test_the_glossaries_agree() -> None:
    """Each term of the report's glossary stands in the document's, with the same Japanese word."""
    rows = re.findall(r"^\| ([^|]+) \|([^|]*)\|", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)
    known = {term.strip(): japanese.strip() for names, japanese in rows for term in re.split(r", | \(", names)}
    report = {term: japanese for term, japanese, _ in GLOSSARY}
    alias = {"held-out days": "held-out week"}
    assert {t: j for t, j in report.items() if known.get(alias.get(t, t)) != j} == {}


def test_every_design_is_explained() -> None:
    """designs.md names each registered design in a heading or in the table."""
    text = (DOCS / "designs.md").read_text("utf-8")
    assert [name for name in DESIGNS if f"`{name}`" not in text] == []


if __name__ == "__main__":
    (DOCS / "layouts.md").write_text(layouts_page(), "utf-8")
