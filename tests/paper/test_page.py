"""The table of the paper's items cannot rot: items, modules and tests are those of the code."""

from pathlib import Path

import pytest

from tests.paper.items import BACKGROUND, ITEMS, OUT, Item
from tests.paper.page import PAGE, modules_of, named_items, page, paper_tests

IDS = [str(number) for number in range(1, len(ITEMS) + 1)]


def test_the_page_is_what_the_code_says() -> None:
    """If not: python -m tests.paper.page."""
    assert PAGE.read_text("utf-8") == page()


def test_the_inventory_has_73_items_in_the_order_of_the_sections() -> None:
    """1.1 to 5."""
    assert len(ITEMS) == 73
    sections = [item.section for item in ITEMS]
    assert sections == sorted(sections)


@pytest.mark.parametrize("item", ITEMS, ids=IDS)
def test_modules_that_a_place_names_exist(item: Item) -> None:
    """No file has moved since."""
    assert [str(path) for path in modules_of(item.where) if not path.exists()] == []


@pytest.mark.parametrize(("number", "item"), list(enumerate(ITEMS, 1)), ids=IDS)
def test_an_item_has_a_test_or_says_why_not(number: int, item: Item) -> None:
    """What is neither background nor out of scope is held by a test here."""
    assert number in named_items() or item.where.startswith((BACKGROUND, OUT))


def test_every_test_of_the_paper_names_its_items() -> None:
    """In brackets behind the section; none beyond the inventory."""
    for name, numbers in paper_tests(Path(__file__).parent):
        assert numbers, name
        assert all(1 <= number <= len(ITEMS) for number in numbers), name
