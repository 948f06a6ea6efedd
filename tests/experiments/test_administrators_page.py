"""The page on administrators: its commands run as written and print what stands below them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "administrators.md").read_text("utf-8")


@pytest.mark.slow
def test_the_commands_of_the_page_print_what_stands_below_them(tmp_path: Path) -> None:
    """From the run to the ledger that one survivor gives back; `...` stands for lines left out."""
    commands, expected = re.findall(r"^```(?:sh|text)\n(.*?)^```$", PAGE, re.M | re.S)[:2]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)}
    printed = []
    for number, line in enumerate(commands.splitlines()):
        call = [sys.executable, "-m", "experiments", *shlex.split(line)[1:]]
        ended = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == (1 if "administrator-3" in line else 0), ended.stderr
        printed += ended.stdout.splitlines() if number else []
    pattern = r"(?:[^\n]*\n)*?".join(re.escape(part.lstrip("\n")) for part in expected.split("..."))
    assert re.fullmatch(pattern, "\n".join(printed) + "\n"), printed
