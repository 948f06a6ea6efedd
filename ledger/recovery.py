"""Recovery: what one surviving administrator holds, what was only on the lost ones, and a ledger to go on from.

Everything in the survivor's diary is derived again. What it holds above the newest certificate it has seen may have
been certified without it, or never. Certificates kept by others (receipts hold them, and so does the file beside the
ledger) tell what was lost: a good certificate of a height the survivor does not reach names a block that is gone until
somebody brings its bytes; one of a height where the survivor holds another block shows that its end was replaced.

A certified block is on q diaries. It is on *this* one for certain only where it was replicated n of n. Nothing is
signed by `recover`. To continue, the operators name administrators anew, who begin with the restored ledger; or the
survivor goes on by disaster (`ledger.epochs`), for whose start the operator answers, and gateways bring what they have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.administrators import write_log
from ledger.blocks import Block
from ledger.diary import recall
from ledger.epochs import Entry, EpochStart, Promise, disaster_message, promise_message, tip_of
from ledger.host import DIARY, read_diary
from ledger.judging import LedgerJudge, verify_signature
from ledger.keys import Signer
from ledger.quorum import Administrators, Certificate, check_certificate, read_certificate
from market.errors import LedgerError


@dataclass(frozen=True)
class Recovery:
    """What one survivor tells.

    - log: blocks that continue each other and were derived again; torn: bytes of an unfinished write left out;
    - certified: how many of them are certified, by the survivor's own certificate or by those given;
    - lost: heights certified elsewhere that the survivor does not hold; their bytes must be brought again;
    - replaced: from which height on the survivor's blocks are not the certified ones, None if nowhere;
    - doubtful: heights held above all certificates.
    """

    log: tuple[Entry, ...]
    torn: int
    certified: int
    lost: tuple[int, ...]
    replaced: int | None

    @property
    def doubtful(self) -> range:
        """Heights held above all certificates, which may have been certified or not."""
        return range(self.certified, len(self.log) if self.replaced is None else self.replaced)

    def describe(self) -> list[str]:
        """The list in words."""
        lines = [f"{len(self.log)} blocks held, all derived again; {self.certified} of them certified"]
        if self.torn:
            lines.append(f"{self.torn} bytes of an unfinished write left out: nothing was signed for them")
        if len(self.doubtful):
            lines.append(f"{_span(self.doubtful)}: held, but no certificate was seen; participants may resubmit")
        if self.replaced is not None:
            lines.append(f"blocks from {self.replaced} on: replaced by certified ones that are not here")
        for height in self.lost:
            lines.append(f"block {height}: certified, and lost with the others; its records must be brought again")
        return lines


def recover(folder: Path, administrators: Administrators, known: Iterable[Certificate] = ()) -> Recovery:
    """Read a survivor's diary; `known` are certificates kept elsewhere, each of which is checked.

    Raises:
        LedgerError: the diary is damaged, a block does not follow from those below, or a certificate is not good.
    """
    data = read_diary(folder / DIARY)
    recalled = recall(data)
    judge, log = LedgerJudge(administrators), list[Entry]()
    for block in recalled.blocks:
        entry = judge.read(block)
        why = judge.judge(log, entry)
        if why:
            raise LedgerError(why, where=str(folder))
        log.append(entry)
    own = [read_certificate(recalled.certificate)] if recalled.certificate else []
    certified, lost, replaced = 0, list[int](), None
    for certificate in sorted([*own, *known]):
        check_certificate(administrators, certificate, verify_signature)
        height = certificate.height
        if height >= len(log):
            lost.append(height)
        elif log[height].digest == certificate.digest:
            certified = max(certified, height + 1)
        else:
            lost.append(height)
            replaced = height if replaced is None else min(replaced, height)
    torn = len(data) - recalled.whole
    return Recovery(tuple(log), torn, certified, tuple(sorted(set(lost))), replaced)


def restore(recovery: Recovery, folder: Path, doubtful: bool = False) -> int:
    """Write the survivor's certified blocks, and on request the doubtful ones, as one world's ledger; how many.

    Raises:
        LedgerError: the folder is not empty or cannot be written.
    """
    log = kept_log(recovery, doubtful)
    write_log(log, folder)
    return len(log)


def kept_log(recovery: Recovery, doubtful: bool = False) -> tuple[Entry, ...]:
    """The survivor's certified blocks, and on request the doubtful ones."""
    return recovery.log[: recovery.doubtful.stop if doubtful else recovery.certified]


def go_on_by_disaster(
    log: Sequence[Entry], administrators: Administrators, survivor: Signer, operator: Signer, rest: Iterable[Block]
) -> tuple[Entry, ...]:
    """The survivor's log with an epoch of its own behind it, and the records of `rest` sealed again in that epoch.

    Args:
        log: what the survivor holds.
        administrators: of the chain, the survivor among them.
        survivor: orders the blocks from here on.
        operator: answers for the start.
        rest: blocks of the run; those beyond the log are brought, in order.

    Raises:
        LedgerError: the survivor is no administrator, or a block does not derive behind the log.
    """
    if survivor.public_key not in administrators.keys:
        raise LedgerError("the survivor is not one of the administrators", do="give the keys of this ledger")
    who, tip = administrators.keys.index(survivor.public_key), tip_of(log)
    epoch = next(number for number in range(tip.epoch + 1, 1 << 32) if administrators.sequencer(number) == who)
    said = survivor.sign(promise_message(administrators.chain_id, epoch, who, tip))
    start = EpochStart(epoch, tip, (Promise(epoch, who, tip, said),))
    start = start._replace(operator=operator.sign(disaster_message(administrators.chain_id, start)))
    judge, entries = LedgerJudge(administrators, survivor.sign), list(log)
    _append(judge, entries, judge.seal(entries, epoch, start.to_record()))
    covered = sum(entry.start is None for entry in log)
    for block in rest:
        if block.header.height >= covered:
            _append(judge, entries, judge.seal_again(entries, epoch, block))
    return tuple(entries)


def _append(judge: LedgerJudge, entries: list[Entry], data: bytes) -> None:
    entry = judge.read(data)
    why = judge.judge(entries, entry)
    if why:
        raise LedgerError(why, where=f"block {entry.height}")
    entries.append(entry)


def _span(heights: range) -> str:
    if len(heights) == 1:
        return f"block {heights[0]}"
    return f"blocks {heights[0]} to {heights[-1]}"
