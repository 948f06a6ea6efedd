"""Keys change in a running market: what the ledger records of it, what the market does, what the audit derives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ledger.admission import withdraw_silent
from ledger.audit import verify
from ledger.encoding import ABSENT, encode_bodies, signed_message
from ledger.evidence import read_equivocation
from ledger.fsck import fsck
from ledger.journal import read
from ledger.keeper import FullKeeper, Keeper, open_keeper
from ledger.keys import OPERATOR, SoftwareSigner, simulation_signer
from ledger.limits import Limits, Role
from ledger.quorum import Administrators
from ledger.records import BETWEEN, FRONT, RecordType
from ledger.registrations import By, Enrolment, Reason, Revocation, Rotation
from ledger.replay import Replay
from ledger.showing import show
from market.errors import LedgerError, Refusal
from market.orders import ORDER, ORDER_WIRE, Kind, Side, no_orders
from market.tables import Table
from tests.ledger.small_world import ACCOUNTS, SLOTS, START, SmallRun

Change = Callable[[FullKeeper], None]
PARTY, SEED = 1, 8
"""Whose key changes; a world in which that party has open orders after the second step."""
NEW = SoftwareSigner.generate("p256")


def signers(keeper: Keeper) -> tuple[bytes, SoftwareSigner, SoftwareSigner]:
    """Chain id, the operator and party 1's first key."""
    assert isinstance(keeper, FullKeeper)
    chain = keeper.chain_ids[0]
    return chain, simulation_signer(chain, SEED, OPERATOR), simulation_signer(chain, SEED, "shop")


def rotate(keeper: FullKeeper) -> None:
    """Party 1 goes on with a P-256 key."""
    chain, _, old = signers(keeper)
    said = Rotation(chain, old.key_id, 0, NEW.public_key).signed(old, NEW)
    keeper.register(0, RecordType.ROTATE, said.to_bytes(), NEW)


def revoke(keeper: FullKeeper, height: int = 0) -> None:
    """The operator revokes party 1's key."""
    chain, operator, old = signers(keeper)
    said = Revocation(chain, old.key_id, height, Reason.COMPROMISED, By.OPERATOR).signed(operator)
    keeper.register(0, RecordType.REVOKE, said.to_bytes())


def enrol(keeper: FullKeeper) -> None:
    """Party 1 comes back with another key."""
    chain, operator, _ = signers(keeper)
    said = Enrolment(chain, PARTY, 0, 0xFFFF, NEW.public_key).signed(NEW, operator)
    keeper.register(0, RecordType.ENROL, said.to_bytes(), NEW)


def run_with(folder: Path, changes: dict[int, Change]) -> SmallRun:
    """A run in which keys change before some steps."""
    run = SmallRun([SEED], "full", folder)
    assert isinstance(run.keeper, FullKeeper)
    for t in range(SLOTS):
        if t in changes:
            changes[t](run.keeper)
        run.step(t)
    run.keeper.close()
    return run


def heard_parties(run: SmallRun) -> list[bool]:
    """Whether party 1's plan was heard, step by step."""
    return [bool(step.plan[0, PARTY] != ABSENT) for step in run.steps]


def test_a_rotated_key_goes_on_speaking_for_its_party(tmp_path: Path) -> None:
    """The market is the same as without the rotation, and the audit derives it."""
    run = run_with(tmp_path, {3: rotate})
    assert all(heard_parties(run))
    assert run.keeper.content_heads == SmallRun([SEED], "digest").run().keeper.content_heads
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["registrations"] == 1
    assert fsck(tmp_path, signatures=True).ok
    last = [one for one in show(tmp_path / "world-0000") if one["type"] in ("rotate", "envelope")][-5:]
    assert {one["party"] for one in last} == set(ACCOUNTS.party_names)


def test_a_revoked_party_is_unheard_and_its_open_orders_are_cancelled_by_rule(tmp_path: Path) -> None:
    """From the next step on; until it is enrolled again with another key. The audit derives all of it."""
    run = run_with(tmp_path, {2: revoke, 4: enrol})
    assert heard_parties(run) == [True, True, False, False, True, True]
    for t in (2, 3):
        assert PARTY not in run.steps[t].orders["party"]
        formed = run.steps[t].contracts
        assert PARTY not in formed[formed["last_resort"] == 0]["seller"]
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["registrations"] == 2
    assert verdict.counts["refused envelopes"] == 2
    assert verdict.counts["orders cancelled with their keys"] > 0
    revoked, enrolled = [one for one in show(tmp_path / "world-0000") if one["type"] in ("revoke", "enrol")]
    assert (revoked["party"], revoked["reason"], revoked["by"]) == ("shop", "compromised", "operator")
    assert (enrolled["party"], enrolled["key"], enrolled["most_orders"]) == ("shop", NEW.public_key.hex(), 0xFFFF)


def test_a_revocation_may_be_for_a_later_block(tmp_path: Path) -> None:
    """The run's second block ends at midnight, after four steps; the key is void from the third on."""
    run = run_with(tmp_path, {0: lambda keeper: revoke(keeper, 2)})
    assert heard_parties(run) == [True] * 4 + [False] * 2
    assert verify(tmp_path, run.keeper.chain_head).ok


@pytest.mark.parametrize("step", [0, 4, SLOTS])
def test_a_registration_may_stand_anywhere_between_steps(tmp_path: Path, step: int) -> None:
    """Before the first step, first in a block, and behind the last step."""
    run = SmallRun([SEED], "full", tmp_path)
    assert isinstance(run.keeper, FullKeeper)
    for t in range(SLOTS):
        if t == step:
            rotate(run.keeper)
        run.step(t)
    if step == SLOTS:
        rotate(run.keeper)
    run.keeper.close()
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines


def test_a_registration_that_does_not_hold_is_not_written(tmp_path: Path) -> None:
    """A second rotation of the same key is refused; so is one in the middle of a step."""
    run = SmallRun([SEED], "full", tmp_path)
    assert isinstance(run.keeper, FullKeeper)
    rotate(run.keeper)
    with pytest.raises(LedgerError, match="may not speak"):
        rotate(run.keeper)
    run.keeper.admit(run.start, no_orders(), run.draw(0, 9), run.reading, np.arange(5)[None])
    with pytest.raises(LedgerError, match="between two steps"):
        revoke(run.keeper)


def write(keeper: Keeper, sequence: int, plan: int) -> bytes:
    """An envelope of party 1's key for the first step."""
    chain, _, signer = signers(keeper)
    number = np.array([sequence]), np.array([plan]), np.array([ABSENT]), np.array([0])
    body = encode_bodies(
        chain, [signer.key_id], number[0], START, number[1], number[2], number[3], np.zeros(0, ORDER_WIRE)
    )
    return body[0] + signer.sign(signed_message(body[0]))


def test_a_second_statement_is_refused_and_kept_as_evidence_once(tmp_path: Path) -> None:
    """The device's own envelope of step 0 has sequence 1; two others under it make one record that convicts offline."""
    run = SmallRun([SEED], "full", tmp_path)
    assert isinstance(run.keeper, FullKeeper)
    run.step(0)
    for t, plan in ((1, 123), (2, 124)):
        run.noise = {(0, 0): write(run.keeper, 1, plan)}
        run.step(t)
    run.noise = None
    for t in range(3, SLOTS):
        run.step(t)
    run.keeper.close()
    between = [(kind, body) for _, _, kind, body in read(tmp_path / "world-0000") if kind in BETWEEN]
    assert [kind for kind, _ in between] == [RecordType.EVIDENCE]
    said = read_equivocation(between[0][1])
    (shown,) = (one for one in show(tmp_path / "world-0000") if one["type"] == "evidence")
    assert (shown["party"], shown["sequence"], len(set(shown["envelopes"]))) == ("shop", 1, 2)
    assert (said.key_id, said.sequence) == (signers(run.keeper)[2].key_id, 1)
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts["devices that spoke twice"] == 1
    assert verdict.counts["refused envelopes"] == 2


def test_a_resend_gets_the_first_answer_again(tmp_path: Path) -> None:
    """The same bytes are admitted once; what was made of them can be asked for."""
    run = SmallRun([SEED], "full", tmp_path)
    assert isinstance(run.keeper, FullKeeper)
    run.step(0)
    first = next(body for _, _, kind, body in run_records(run, tmp_path) if kind == RecordType.ENVELOPE)
    envelope, codes = first[:-2], first[-2:]
    heard = run.keeper.recall(0, envelope)
    assert heard is not None
    assert (heard.envelope, heard.height, heard.codes) == (envelope, 1, codes)
    assert run.keeper.recall(0, write(run.keeper, 1, 5)) is None
    assert run.keeper.recall(0, write(run.keeper, 99, 5)) is None


def run_records(run: SmallRun, folder: Path) -> list[tuple[int, int, RecordType, bytes]]:
    """Records of a run, closed for the purpose."""
    run.keeper.close()
    return list(read(folder / "world-0000"))


def test_only_rows_of_silent_parties_are_withdrawn() -> None:
    """By world and party."""
    resting = np.zeros(4, ORDER)
    resting["world"], resting["party"], resting["reference"] = [0, 0, 1, 1], [0, 1, 0, 1], range(4)
    kept, gone = withdraw_silent(resting, np.array([[True, False], [False, True]]))
    assert (kept["reference"].tolist(), gone["reference"].tolist()) == ([1, 2], [0, 3])


def test_a_party_may_have_a_p256_key_from_the_genesis_on(tmp_path: Path) -> None:
    """The members record writes the kind of each key; the audit checks the signatures of both."""
    small = SmallRun([SEED], "off")
    worlds = small.keeper.worlds
    keeper = open_keeper("full", worlds, tmp_path, {(0, PARTY): NEW.public_key})
    assert isinstance(keeper, FullKeeper)
    run = SmallRun([SEED], "off")
    run.keeper = keeper
    for t in range(SLOTS):
        number = np.array([t + 1]), np.array([70]), np.array([ABSENT]), np.array([0])
        rows = np.zeros(0, ORDER_WIRE)
        (body,) = encode_bodies(keeper.chain_ids[0], [NEW.key_id], number[0], START + t, *number[1:], rows)
        run.noise = {(0, PARTY): body + NEW.sign(signed_message(body))}
        run.step(t)
    keeper.close()
    assert all(step.plan[0, PARTY] == 70 for step in run.steps)
    verdict = verify(tmp_path, keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert fsck(tmp_path, signatures=True).ok


def test_no_altered_registration_is_derived(tmp_path: Path) -> None:
    """Whoever orders blocks can write any bytes, but not a statement of the keys in it."""
    run_with(tmp_path, {2: revoke, 4: enrol})
    records = [(kind, body) for _, _, kind, body in read(tmp_path / "world-0000")]
    front = {kind: body for kind, body in records if kind in FRONT}
    between = [(kind, body) for kind, body in records if kind in BETWEEN]
    assert [kind for kind, _ in between] == [RecordType.REVOKE, RecordType.ENROL]
    for place, (kind, body) in enumerate(between):
        for byte in range(0, len(body), 7):
            replay = Replay(*(front[RecordType(number)] for number in range(1, 5)))
            for before in between[:place]:
                replay.take_between(*before)
            with pytest.raises(LedgerError):
                replay.take_between(kind, body[:byte] + bytes([body[byte] ^ 1]) + body[byte + 1 :])


class Trader(SmallRun):
    """Party 1 sends two good orders a step: a bid and an offer in area 1, then a bid in each area, and so on."""

    def write_orders(self, t: int) -> Table:
        """The orders of everyone, party 1's made good."""
        rows = super().write_orders(t)
        mine = rows["party"] == PARTY
        rows["kind"][mine], rows["time_in_force"][mine], rows["slot"][mine] = Kind.NEW, 1, START + t + 3
        rows["side"][mine] = (Side.BUY, Side.BUY if t % 2 else Side.SELL)
        rows["area"][mine] = (0 if t % 2 else 1, 1)
        rows["energy"][mine], rows["price"][mine], rows["reference"][mine] = 100, 8_000, (20 + t, 40 + t)
        return rows


def test_a_key_with_limits_trades_within_them_and_the_audit_derives_the_refusals(tmp_path: Path) -> None:
    """A consumer of area 1: its offers and its orders in area 0 are refused row by row, and stand so on record."""

    def enrol_limited(keeper: FullKeeper) -> None:
        revoke(keeper)
        chain, operator, _ = signers(keeper)
        said = Enrolment(chain, PARTY, 0, 0xFFFF, NEW.public_key, limits=Limits(Role.CONSUMER, 0b10))
        keeper.register(0, RecordType.ENROL, said.signed(NEW, operator).to_bytes(), NEW)

    run, seen = Trader([SEED], "full", tmp_path), list[int]()
    assert isinstance(run.keeper, FullKeeper)
    enrol_limited(run.keeper)
    run.run()
    for step in run.steps[:3]:
        seen += step.codes[step.orders["party"] == PARTY].tolist()
    side, area = Refusal.OTHER_SIDE, Refusal.OTHER_AREA
    assert seen == [0, side, area, 0, 0, side]
    verdict = verify(tmp_path, run.keeper.chain_head)
    assert verdict.ok, verdict.lines
    (enrolled,) = [one for one in show(tmp_path / "world-0000") if one["type"] == "enrol"]
    assert (enrolled["role"], enrolled["areas"]) == ("consumer", [1])


def test_a_revocation_by_administrators_is_verified_with_their_keys_only(tmp_path: Path) -> None:
    """Three of four revoke from the third block on; who does not know them cannot follow the ledger."""
    made = {who: SoftwareSigner.generate() for who in range(4)}

    def revoke_by_quorum(keeper: FullKeeper) -> None:
        chain, operator, old = signers(keeper)
        keys = tuple(signer.public_key for signer in made.values())
        keeper.administrators[0] = Administrators(chain, keys, 3, operator.public_key)
        said = Revocation(chain, old.key_id, 2, Reason.LOST, By.ADMINISTRATORS)
        with pytest.raises(LedgerError, match="2 administrators revoke, 3 are needed"):
            keeper.register(0, RecordType.REVOKE, said.cosigned_by({who: made[who] for who in (0, 1)}).to_bytes())
        keeper.register(0, RecordType.REVOKE, said.cosigned_by({who: made[who] for who in (0, 1, 2)}).to_bytes())

    run = run_with(tmp_path, {0: revoke_by_quorum})
    assert isinstance(run.keeper, FullKeeper)
    assert heard_parties(run) == [True] * 4 + [False] * 2
    known = run.keeper.administrators[0]
    verdict = verify(tmp_path, run.keeper.chain_head, keys_of=lambda world: known)
    assert verdict.ok, verdict.lines
    assert "revoked by administrators who are not known (give their public keys" in verify(tmp_path).lines[0]
