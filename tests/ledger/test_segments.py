"""Segment files: what is appended is read, in order, over any number of files."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.segments import SegmentWriter, find_segments, read_frames
from market.errors import LedgerError


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8), st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_frames_come_back_from_any_number_of_segments(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], limit: int
) -> None:
    """A new file begins when the last has reached its size."""
    folder = tmp_path_factory.mktemp("store")
    writer = SegmentWriter(folder, limit)
    for payload in payloads:
        writer.append(payload)
    writer.close()
    assert [payload for payload, _ in read_frames(folder)] == payloads


def test_a_missing_segment_is_damage(tmp_path: Path) -> None:
    """Files are numbered without gaps, and each holds its own number."""
    writer = SegmentWriter(tmp_path, 1)
    for payload in (b"one", b"two", b"three"):
        writer.append(payload)
    writer.close()
    names = [path.name for path in find_segments(tmp_path)]
    assert names == ["segment-000000.dgl", "segment-000001.dgl", "segment-000002.dgl"]
    (tmp_path / names[1]).unlink()
    with pytest.raises(LedgerError, match="missing segment"):
        list(read_frames(tmp_path))
    (tmp_path / names[2]).rename(tmp_path / names[1])
    with pytest.raises(LedgerError, match="number"):
        list(read_frames(tmp_path))


def test_a_disk_that_fails_ends_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed fdatasync is reported at the latest by the next append, and never tried again."""

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    writer = SegmentWriter(tmp_path)
    monkeypatch.setattr(os, "fdatasync", fail)
    writer.append(b"one")
    for _ in range(2):
        with pytest.raises(LedgerError, match="cannot write: Input/output error"):
            writer.append(b"two")


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(LedgerError, match="cannot write"):
        SegmentWriter(tmp_path / "taken")
