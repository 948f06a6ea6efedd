"""Administrators on disk: real keys, real blocks, each with its own copy; and what one survivor can tell."""

import json
from pathlib import Path

import pytest

from ledger import administrators as at_work
from ledger.administrators import (
    CERTIFICATES,
    KEYS,
    check_cosigned,
    cosign,
    read_certificates,
    simulation_administrators,
)
from ledger.audit import verify
from ledger.host import DIARY, FolderDisk, Host
from ledger.journal import read_blocks
from ledger.judging import LedgerJudge, verify_signature
from ledger.keys import SoftwareSigner
from ledger.messages import Append, Prepare, TakeOver
from ledger.panel import seat_name
from ledger.quorum import Administrators
from ledger.receipts import read_keys
from ledger.recovery import recover, restore
from ledger.replica import Replica
from ledger.sim_parts import CHAIN, Memo, SimulatedJudge
from market.errors import ConfigError, LedgerError
from tests.ledger.small_world import SmallRun

LATE = 3
"""The administrator that cannot be reached from block 1 on."""


@pytest.fixture(scope="module")
def cosigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger of one small world and what four administrators wrote beside it."""
    folder = tmp_path_factory.mktemp("run")
    SmallRun([5], "full", folder / "ledger").run()
    list(cosign(folder / "ledger", folder / "signed", 4, 3, lambda who, height: who == LATE and height >= 1))
    return folder


def keys_of(folder: Path) -> Administrators:
    """The administrators' public keys, as a participant has them."""
    return read_keys((folder / "signed" / "world-0000" / KEYS).read_bytes())


def test_every_block_is_certified_and_checked_offline(cosigned: Path) -> None:
    """With nothing but the public keys; and how many copies there are is told."""
    covered = check_cosigned(cosigned / "ledger" / "world-0000", cosigned / "signed" / "world-0000", keys_of(cosigned))
    assert covered.blocks == covered.certified > 1
    assert covered.copies == {3: covered.blocks - 1, 4: 1}


def test_each_administrator_keeps_the_blocks_verbatim(cosigned: Path) -> None:
    """A survivor's certified blocks written again are the ledger, byte for byte."""
    known = [row.certificate for row in read_certificates(cosigned / "signed" / "world-0000" / CERTIFICATES)]
    for survivor in range(3):
        recovery = recover(cosigned / "signed" / "world-0000" / seat_name(survivor), keys_of(cosigned), known)
        assert recovery.lost == ()
        target = cosigned / f"again-{survivor}" / "world-0000"
        assert restore(recovery, target) == len(known)
        assert verify(target.parent).head == verify(cosigned / "ledger").head


def test_a_survivor_that_lagged_says_what_was_only_on_the_lost_ones(cosigned: Path) -> None:
    """It holds block 0; the certificates kept by others name the rest, which had three copies of four."""
    rows = read_certificates(cosigned / "signed" / "world-0000" / CERTIFICATES)
    folder = cosigned / "signed" / "world-0000" / seat_name(LATE)
    alone = recover(folder, keys_of(cosigned))
    assert (len(alone.log), alone.lost) == (1, ())
    told = recover(folder, keys_of(cosigned), [row.certificate for row in rows])
    assert told.lost == tuple(row.certificate.height for row in rows if row.replicated < 4)
    assert all("lost with the others" in line for line in told.describe()[1:])


def test_a_block_seen_without_its_certificate_is_doubtful(cosigned: Path, tmp_path: Path) -> None:
    """A diary cut before the last certificate still holds the block; it is restored on request only."""
    folder = cosigned / "signed" / "world-0000" / seat_name(1)
    data = (folder / DIARY).read_bytes()
    (tmp_path / DIARY).write_bytes(data[:-20])
    recovery = recover(tmp_path, keys_of(cosigned))
    assert list(recovery.doubtful) == [len(recovery.log) - 1]
    assert recovery.torn > 0
    assert restore(recovery, tmp_path / "a") == len(recovery.log) - 1
    assert restore(recovery, tmp_path / "b", doubtful=True) == len(recovery.log)


def test_a_damaged_diary_is_not_believed(cosigned: Path, tmp_path: Path) -> None:
    """A flipped byte in the middle raises."""
    data = bytearray((cosigned / "signed" / "world-0000" / seat_name(1) / DIARY).read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / DIARY).write_bytes(data)
    with pytest.raises(LedgerError, match="damaged"):
        recover(tmp_path, keys_of(cosigned))


def test_a_ledger_of_another_history_does_not_fit_the_certificates(cosigned: Path, tmp_path: Path) -> None:
    """Nor does a shorter one, or one with other administrators' keys."""
    beside = cosigned / "signed" / "world-0000"
    SmallRun([6], "full", tmp_path / "other").run()
    with pytest.raises(LedgerError, match="another block than the one certified"):
        check_cosigned(tmp_path / "other" / "world-0000", beside)
    recovery = recover(beside / seat_name(0), keys_of(cosigned))
    last = len(recovery.log) - 1
    short = type(recovery)(recovery.log[:last], 0, last, (), None)
    restore(short, tmp_path / "short")
    with pytest.raises(LedgerError, match=f"certified block {last} is missing"):
        check_cosigned(tmp_path / "short", beside)
    strangers = tuple(SoftwareSigner.generate().public_key for _ in range(4))
    mine = keys_of(cosigned)
    with pytest.raises(LedgerError, match="not good"):
        check_cosigned(
            cosigned / "ledger" / "world-0000", beside, Administrators(mine.chain_id, strangers, 3, mine.operator)
        )


def test_certificates_have_one_spelling(cosigned: Path, tmp_path: Path) -> None:
    """The same content written otherwise is refused, as is anything else."""
    content = json.loads((cosigned / "signed" / "world-0000" / CERTIFICATES).read_bytes())
    path = tmp_path / CERTIFICATES
    for data in (json.dumps(content, indent=1), "{}", "[", '{"certificates":[{"certificate":"00","height":0}]}'):
        path.write_text(data)
        with pytest.raises(LedgerError):
            read_certificates(path)


def test_a_ledger_that_does_not_derive_is_not_cosigned(
    cosigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Administrators whose settlement gives another result refuse the first block with a posting, and say so."""
    monkeypatch.setattr("ledger.replay.post_delivery", lambda *args, **kwargs: None)
    with pytest.raises(LedgerError, match=r"block 1: not certified.*posting"):
        list(cosign(cosigned / "ledger", tmp_path / "out", 4, 3))


def test_too_few_administrators_within_reach_certify_nothing(cosigned: Path, tmp_path: Path) -> None:
    """Two of four where three must sign."""
    with pytest.raises(LedgerError, match="block 0: not certified: too few signed"):
        list(cosign(cosigned / "ledger", tmp_path / "out", 4, 3, lambda who, height: who > 1))
    with pytest.raises(ConfigError, match="not empty"):
        list(cosign(cosigned / "ledger", tmp_path / "out", 4, 3))


def test_a_judge_that_refused_goes_on_from_the_beginning(cosigned: Path) -> None:
    """What it derived up to a refused block is derived anew, so a later good block is judged rightly."""
    blocks = [
        block.header_bytes + block.signature + block.records
        for block in read_blocks(cosigned / "ledger" / "world-0000")
    ]
    judge = LedgerJudge()
    entries = [judge.read(data) for data in blocks]
    assert judge.judge([], entries[0]) == ""
    assert judge.judge(entries[:1], entries[2]) != ""
    assert judge.judge(entries[:1], entries[1]) == ""
    assert judge.judge(entries[:2], entries[2]) == ""
    with pytest.raises(LedgerError, match="no key to seal"):
        judge.seal(entries, 1, b"")
    with pytest.raises(LedgerError, match="begins no epoch"):
        LedgerJudge(sign=lambda message: b"").seal(entries, 1, b"")


def test_an_administrator_without_memory_may_not_start(tmp_path: Path) -> None:
    """A missing diary is an error, a second start of a new one too, and so is a second process on the same one."""
    with pytest.raises(LedgerError, match="without memory"):
        FolderDisk(tmp_path / "a")
    disk = FolderDisk(tmp_path / "a", create=True)
    with pytest.raises(LedgerError, match="already"):
        FolderDisk(tmp_path / "a", create=True)
    with pytest.raises(LedgerError, match="cannot open"):
        FolderDisk(tmp_path / "a")
    disk.close()
    FolderDisk(tmp_path / "a").close()
    (tmp_path / "a" / DIARY).write_bytes(b"something else")
    with pytest.raises(LedgerError, match="not a diary"):
        FolderDisk(tmp_path / "a").read()


def test_a_disk_that_failed_once_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said after a failed sync, also when the next one would succeed; a restart finds what is there."""
    signers = [SoftwareSigner.generate() for _ in range(3)]
    administrators = Administrators(CHAIN, tuple(signer.public_key for signer in signers), 2)
    judge = SimulatedJudge(signers[0].sign, Memo())
    replica = Replica(0, administrators, signers[0].sign, verify_signature, judge, 2)
    disk = FolderDisk(tmp_path, create=True)
    host, block = Host(replica, disk), judge.propose((), 0, b"11111111")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("ledger.host.os.fdatasync", fail)
        with pytest.raises(LedgerError, match="Input/output error"):
            host.hear(0, Append(block), 1)
    with pytest.raises(LedgerError, match="Input/output error"):
        host.hear(0, Append(block), 1)
    assert host.state.log == ()
    disk.close()
    assert len(Host(replica, FolderDisk(tmp_path)).state.log) == 1


def test_an_epoch_changes_on_real_disks_with_real_keys(tmp_path: Path) -> None:
    """Administrator 0 is gone behind a certified block; 1 restarts from a torn diary and takes over with 2."""
    signers = [SoftwareSigner.generate() for _ in range(3)]
    administrators = Administrators(CHAIN, tuple(signer.public_key for signer in signers), 2)
    memo = Memo()
    judges = [SimulatedJudge(signer.sign, memo) for signer in signers]

    def host(i: int, create: bool = False) -> Host:
        replica = Replica(i, administrators, signers[i].sign, verify_signature, judges[i], 2)
        return Host(replica, FolderDisk(tmp_path / str(i), create))

    hosts = [host(i, create=True) for i in range(3)]
    (said,) = [message for _, message in hosts[0].hear(0, Append(judges[0].propose((), 0, b"11111111")), 1)]
    for i in (1, 2):
        ((_, vote),) = hosts[i].hear(0, said, 1)
        hosts[0].hear(i, vote, 1)
    assert hosts[0].state.floor == 1
    del hosts[0], hosts[0]
    with (tmp_path / "1" / DIARY).open("ab") as file:
        file.write(b"\0\0\0\x40 the machine stopped here")
    one = host(1)
    assert one.torn > 0
    assert one.state.log == hosts[0].state.log
    ((_, prepare), *_) = one.hear(1, TakeOver(1), 2)
    assert isinstance(prepare, Prepare)
    ((_, promise),) = hosts[0].hear(1, prepare, 2)
    proposed = [message for _, message in one.hear(2, promise, 2)]
    ((_, vote),) = hosts[0].hear(1, proposed[0], 2)
    one.hear(2, vote, 2)
    assert [entry.epoch for entry in one.state.log] == [0, 1]
    assert one.state.floor == 2


def test_administrators_of_a_simulation_follow_from_its_key_only(
    cosigned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same keys each time; a real chain is refused."""
    world = cosigned / "ledger" / "world-0000"
    first, _ = simulation_administrators(world, 4, 3)
    assert first == keys_of(cosigned)
    monkeypatch.setattr(at_work, "is_simulation", lambda chain_id: False)
    with pytest.raises(LedgerError, match="keys of their own"):
        simulation_administrators(world, 4, 3)
