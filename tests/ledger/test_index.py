"""The index: finds what a walk through the segments finds, and is never believed."""

import random
from pathlib import Path

import pytest

from ledger.index import Index, build_index
from ledger.proofs import find_envelope, find_record, places, prove
from ledger.records import RecordType
from ledger.segments import segment_name
from market.errors import ConfigError, LedgerError
from market.slots import HALF_HOURS
from tests.ledger.small_world import START, SmallRun


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ledger of one small world."""
    folder = tmp_path_factory.mktemp("index") / "ledger"
    SmallRun([5], "full", folder).run()
    return folder / "world-0000"


def test_the_index_finds_and_proves_what_the_segments_hold(world: Path, tmp_path: Path) -> None:
    """By leaf, by block and record, by id, by party and slot; each proof is the one a walk gives."""
    index = Index(world, tmp_path / "index")
    assert index.built
    everything = [place for place, _, _ in places(world)]
    assert index.count() == (everything[-1].height + 1, len(everything))
    for place in everything:
        assert index.find(str(place.index)) == place
        assert index.prove(place) == prove(world, place)
    assert index.find("0/2") == find_record(world, "0/2")
    sent = index.find_envelope("shop", str(START + 2))
    assert sent == find_envelope(world, "shop", str(START + 2))
    assert index.find_envelope("shop", HALF_HOURS.label(START + 2)) == sent
    identity = next(name for (name,) in index._db.execute("SELECT id FROM record WHERE leaf = ?", (sent.index,)))
    assert index.find(identity[:8].upper()) == sent == find_record(world, identity[:8])
    index.close()


def test_an_index_that_fits_is_used_again_and_one_that_does_not_is_built_anew(world: Path, tmp_path: Path) -> None:
    """It is the last block that tells, read from the segments."""
    file = tmp_path / "index"
    build_index(world, file)
    again = Index(world, file)
    assert not again.built
    again.close()
    SmallRun([6], "full", tmp_path / "other").run()
    other = tmp_path / "other" / "world-0000"
    anew = Index(other, file)
    assert anew.built
    anew.close()
    back = Index(world, file)
    assert back.built
    back.close()


def test_what_has_no_name_in_the_ledger_is_one_clear_line(world: Path, tmp_path: Path) -> None:
    """As without an index."""
    index = Index(world, tmp_path / "index")
    for name, said in (("999", "no record"), ("0/99", "no record"), ("ab", "not the name"), ("0" * 12, "no record")):
        with pytest.raises(ConfigError, match=said):
            index.find(name)
    with pytest.raises(ConfigError, match="nobody sent nothing"):
        index.find_envelope("nobody", str(START))
    index.close()


def test_a_file_that_is_no_index_is_left_alone(world: Path, tmp_path: Path) -> None:
    """A slip of the hand must not overwrite a file."""
    file = tmp_path / "letter"
    file.write_text("dear friend")
    with pytest.raises(ConfigError, match="not the index of a ledger"):
        Index(world, file)
    assert file.read_text() == "dear friend"
    with pytest.raises(ConfigError, match="index cannot be written"):
        Index(world, tmp_path / "nowhere" / "index")


def test_a_lying_index_is_found_out(world: Path, tmp_path: Path) -> None:
    """Wherever a bit of it is flipped, what it gives is right or it gives nothing."""
    file, dice = tmp_path / "index", random.Random(21)
    build_index(world, file)
    data = file.read_bytes()
    places_of = {place.index: place for place, kind, _ in places(world) if kind == RecordType.ENVELOPE}
    proofs = {leaf: prove(world, place) for leaf, place in places_of.items()}
    refused = 0
    for _ in range(150):
        spoiled = bytearray(data)
        for _ in range(20):
            spoiled[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        file.write_bytes(spoiled)
        leaf = dice.choice(list(places_of))
        try:
            index = Index(world, file)
            found = index.find(str(leaf))
            assert found == places_of[leaf]
            assert index.prove(found) == proofs[leaf]
            index.close()
        except (LedgerError, ConfigError):
            refused += 1
    assert refused > 10


def test_an_index_says_nothing_about_a_damaged_ledger(world: Path, tmp_path: Path) -> None:
    """The segment is read, and its checksum speaks."""
    copy = tmp_path / "copy"
    copy.mkdir()
    data = bytearray((world / segment_name(0)).read_bytes())
    index_file = tmp_path / "index"
    (copy / segment_name(0)).write_bytes(data)
    build_index(copy, index_file)
    data[200] ^= 1
    (copy / segment_name(0)).write_bytes(data)
    index = Index(copy, index_file)
    with pytest.raises(LedgerError, match="frame is damaged"):
        index.find("0")
    index.close()
