"""The page on keys says what the code does."""

import contextlib
import io
import re
from pathlib import Path

from market.errors import Refusal

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text("utf-8")


def test_the_example_prints_what_stands_beside_it() -> None:
    """The code block, run, gives the text block."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (text,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/keys.md", "exec"), {})
    assert out.getvalue() == text


def test_every_code_of_an_envelope_is_explained() -> None:
    """The table has one line for each."""
    rows = re.findall(r"^\| ([A-Z_]+) \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(code.name for code in Refusal if code >= Refusal.MALFORMED)
