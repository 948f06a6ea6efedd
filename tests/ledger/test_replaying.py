"""The same records give the same roots everywhere, and a changed rule gives others."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import verify
from ledger.journal import read, read_blocks
from ledger.records import RecordType
from market.settlement import PostingKind, post_delivery
from market.units import Int
from tests.ledger.small_world import START, SmallRun

WRITE = """
import sys
from pathlib import Path
from ledger.journal import read_blocks
from tests.ledger.small_world import SmallRun
SmallRun([5], "full", Path(sys.argv[1])).run()
for block in read_blocks(Path(sys.argv[1]) / "world-0000"):
    print(block.header_bytes.hex())
"""
VERIFY = """
import sys
from pathlib import Path
from ledger.audit import verify
print(verify(Path(sys.argv[1])).head.hex())
"""


def in_another_process(code: str, folder: Path, hash_seed: int) -> str:
    """What a fresh interpreter with another hash seed prints."""
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout


def test_another_process_with_another_hash_seed_derives_the_same_roots(tmp_path: Path) -> None:
    """Headers (records, log, state and content roots) when written, and the chain head when derived again."""
    run = SmallRun([5], "full", tmp_path / "here").run()
    headers = [block.header_bytes.hex() for block in read_blocks(tmp_path / "here" / "world-0000")]
    assert run.keeper.chain_head is not None
    assert in_another_process(VERIFY, tmp_path / "here", 1).strip() == run.keeper.chain_head.hex()
    assert in_another_process(WRITE, tmp_path / "there", 2).split() == headers


def test_one_changed_line_of_settlement_is_named_at_the_first_record_it_touches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imbalance posted one uJPY higher for one party, from the third slot on: the record of that slot is named."""
    SmallRun([5], "full", tmp_path).run()
    assert verify(tmp_path).ok

    def changed(money: Int, *given: Any, slot: Int, **named: Any) -> Int:
        received = post_delivery(money, *given, slot=slot, **named)
        if slot[0] >= START + 2:
            money[0, 0, PostingKind.IMBALANCE] += 1
            money[0, -1, PostingKind.IMBALANCE] -= 1
        return received

    monkeypatch.setattr("ledger.replay.post_delivery", changed)
    verdict = verify(tmp_path)
    steps = [(block, record) for block, record, kind, _ in read(tmp_path / "world-0000") if kind == RecordType.STEP]
    block, record = steps[2]
    assert not verdict.ok
    assert f"block {block}, record {record}" in verdict.lines[0]
    assert f"posting (0, {int(PostingKind.IMBALANCE)})" in verdict.lines[0]
    assert f"slot {START + 2}" in verdict.lines[0]
