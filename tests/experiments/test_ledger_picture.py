"""The picture of a chain shows the ledger's own hashes."""

from pathlib import Path

import pytest
from matplotlib.text import Text

from experiments.ledger_picture import draw_ledger, main
from ledger.journal import read_blocks
from ledger.merkle import leaf_hash
from ledger.proofs import find_record
from tests.ledger.small_world import SmallRun


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a small ledger."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.journal.BLOCK_BYTES", 1)
        SmallRun([5], "full", folder / "ledger").run()
    return folder


def test_the_proof_leads_to_the_log_root_of_its_block(run: Path) -> None:
    """The record's leaf, the root of the header, and each shown block with the hash that the next one names."""
    world = run / "ledger" / "world-0000"
    place = find_record(world, "20")
    blocks = {block.header.height: block.header for block in read_blocks(world)}
    texts = [text.get_text() for text in draw_ledger(world, "20").findobj(Text)]
    for data in (leaf_hash(place.record), blocks[place.height].log_root, blocks[place.height].previous):
        assert data.hex()[:8] in texts
    assert texts.count(blocks[place.height].log_root.hex()[:8]) == 2, "at the top of the proof and in the header"
    assert f"block {place.height - 1}: {blocks[place.height].previous.hex()[:8]}" in texts


def test_the_picture_is_written_and_mistakes_are_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit codes 0, 1 and 2."""
    out = tmp_path / "chain.png"
    assert main([str(run), "3", str(out)]) == 0
    assert out.stat().st_size > 10_000
    assert main([str(run), "99999", str(out)]) == 1
    assert main([str(run), "3", str(tmp_path / "no" / "chain.png")]) == 1
    assert main([str(run)]) == 2
    assert "usage" in capsys.readouterr().err
