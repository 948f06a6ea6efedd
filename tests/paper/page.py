"""docs/paper.md: the paper item by item, and the tests whose docstrings name each item.

`python -m tests.paper.page` writes it anew; a test holds that it is what the code says.
"""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tests.paper.items import BACKGROUND, ITEMS, OUT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "paper.md"
HEAD = """# The paper, item by item

R. Abe, "ブロックチェーンを使った電力取引の研究と実践", Denki Hyoron, summer 2018, in the order of its text:
what it says, where the product carries it out, and which tests hold it there. Written by `python -m tests.paper.page`;
a test holds that items, modules and tests are those of the code. *Background* makes no claim that a simulation could
carry out; *out of scope* is not built. For the terms see the [glossary](glossary.md).
"""


@lru_cache(maxsize=1)
def named_items() -> dict[int, list[str]]:
    """Names of the tests in this folder by the items that their docstrings name in brackets."""
    found: dict[int, list[str]] = {}
    for test, numbers in paper_tests(Path(__file__).parent):
        for number in numbers:
            found.setdefault(number, []).append(test)
    return found


def paper_tests(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Every test in the files of a folder, and the items that it names."""
    for path in sorted(folder.glob("test_paper*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                first = (ast.get_docstring(node) or "").split("]:")[0]
                listed = re.findall(r"\[([\d, ]+)$", first)
                yield node.name, [int(number) for text in listed for number in text.split(",")]


def modules_of(where: str) -> list[Path]:
    """Files of the modules that a place names."""
    rooms = "market|ledger|agents|envs|experiments"
    return [ROOT / (name.replace(".", "/") + ".py") for name in re.findall(rf"`((?:{rooms})\.\w+)`", where)]


def page() -> str:
    """The page as the code has it."""
    tests, rows = named_items(), []
    for number, item in enumerate(ITEMS, 1):
        names = ", ".join(f"`{name.removeprefix('test_')}`" for name in tests.get(number, [])) or "-"
        rows.append(f"| {number} | {item.section} | {item.says} | {item.where} | {names} |")
    counts = [sum(item.where.startswith(kind) for item in ITEMS) for kind in (BACKGROUND, OUT)]
    tested = sum(number in tests for number in range(1, len(ITEMS) + 1))
    kinds = f"{counts[0]} background, {counts[1]} out of scope"
    total = f"{len(ITEMS)} items: {tested} held by tests of `tests/paper`, {kinds}."
    table = ["| item | section | it says | where | tests |", "|---|---|---|---|---|", *rows]
    return "\n".join([HEAD, total, "", *table]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
