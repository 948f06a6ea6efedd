"""Certificates: one per metered kWh, one owner each, retired once; held against a list of single certificates."""

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from market.certificates import HELD, Denial, issue, open_register, retire, transfer

OWNERS = np.array([0, 0, 1])
"""Owner of each device."""
PARTIES = 4


@dataclass
class Single:
    """One certificate, for itself."""

    owner: int
    device: int
    retired: bool = False


class RegisterMachine(RuleBasedStateMachine):
    """Random requests, right ones and wrong ones, against single certificates in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.register = open_register(OWNERS)
        self.singles: list[Single] = []
        self.energy, self.reported = [0, 0, 0], [-1, -1, -1]

    @rule(
        slot=st.integers(0, 30),
        readings=st.lists(st.tuples(st.integers(-1, 3), st.integers(-10, 4_500)), max_size=4),
    )
    def report(self, slot: int, readings: list[tuple[int, int]]) -> None:
        """Readings of a slot: unknown devices, negative energy, slots closed before, a device twice."""
        device, energy = np.array(readings, np.int64).reshape(-1, 2).T
        self.register, codes = issue(self.register, slot, device, energy)
        seen: set[int] = set()
        for (name, amount), code in zip(readings, codes, strict=True):
            if amount < 0:
                expected = Denial.NOT_POSITIVE
            elif not 0 <= name < 3:
                expected = Denial.UNKNOWN_DEVICE
            elif self.reported[name] >= slot or name in seen:
                expected = Denial.SLOT_CLOSED
            else:
                expected = Denial.DONE
                full = (self.energy[name] + amount) // 1_000 - self.energy[name] // 1_000
                self.singles += [Single(int(OWNERS[name]), name) for _ in range(full)]
                self.energy[name] += amount
            seen.add(name)
            assert code == expected
        for (name, _), code in zip(readings, codes, strict=True):
            if code == Denial.DONE:
                self.reported[name] = slot

    @rule(
        first=st.integers(-1, 60),
        count=st.integers(-1, 8),
        owner=st.integers(0, PARTIES - 1),
        taker=st.integers(0, PARTIES - 1),
        gone=st.booleans(),
    )
    def move(self, first: int, count: int, owner: int, taker: int, gone: bool) -> None:
        """Transfer or retire any range: of others, retired, beyond the last, empty."""
        asked = self.singles[max(first, 0) : max(first + count, 0)]
        before = self.register
        if gone:
            self.register, denial = retire(self.register, first, count, owner, 99)
        else:
            self.register, denial = transfer(self.register, first, count, owner, taker)
        if count <= 0:
            assert denial == Denial.NOT_POSITIVE
        elif first < 0 or len(asked) < count:
            assert denial == Denial.UNKNOWN_SERIAL
        elif any(single.retired for single in asked):
            assert denial == Denial.RETIRED
        elif any(single.owner != owner for single in asked):
            assert denial == Denial.NOT_OWNER
        else:
            assert denial == Denial.DONE
            for single in asked:
                single.retired = gone
                single.owner = owner if gone else taker
        assert denial == Denial.DONE or self.register is before

    @invariant()
    def every_certificate_stands_in_one_row(self) -> None:
        """Rows cover the serial numbers without gap or overlap, and say what the list says."""
        ranges = self.register.ranges
        ends = ranges["first"] + ranges["count"]
        assert (ranges["count"] > 0).all()
        assert ranges["first"].tolist() == [0, *ends[:-1].tolist()][: len(ranges)]
        said = [
            (row["owner"], row["device"], row["retired"] != HELD) for row in ranges for _ in range(int(row["count"]))
        ]
        assert said == [(single.owner, single.device, single.retired) for single in self.singles]

    @invariant()
    def issued_is_held_and_retired_and_what_was_metered(self) -> None:
        """Conservation: certificates over owners, and energy of each device down to the carried rest."""
        register = self.register
        owned = [register.held_by(party) + register.retired_by(party) for party in range(PARTIES)]
        assert register.issued == len(self.singles) == sum(owned)
        for device, energy in enumerate(self.energy):
            issued = int(register.ranges["count"].sum(where=register.ranges["device"] == device))
            assert issued * 1_000 + register.rest_wh[device] == energy


RegisterMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRegister = RegisterMachine.TestCase


def test_the_rest_below_a_kilowatt_hour_is_carried() -> None:
    """600 Wh twice make one certificate in the second slot and leave 200 Wh."""
    register = open_register(OWNERS)
    for slot in (5, 6):
        register, _ = issue(register, slot, np.array([2]), np.array([600]))
    assert (register.issued, int(register.rest_wh[2]), int(register.ranges["slot"][0])) == (1, 200, 6)
    assert register.held_by(1) == 1


def test_a_reading_sent_again_issues_nothing() -> None:
    """One kWh is never certified twice: not in the same call, not later."""
    register, codes = issue(open_register(OWNERS), 5, np.array([0, 0]), np.array([1_000, 1_000]))
    assert codes.tolist() == [Denial.DONE, Denial.SLOT_CLOSED]
    register, codes = issue(register, 5, np.array([0]), np.array([1_000]))
    assert (codes.tolist(), register.issued) == ([Denial.SLOT_CLOSED], 1)


def test_a_retired_certificate_never_moves_again() -> None:
    """Retired once; neither transferred nor retired a second time, not even within a larger range."""
    register, _ = issue(open_register(OWNERS), 5, np.array([0]), np.array([3_000]))
    register, done = retire(register, 1, 1, 0, 7)
    assert done == Denial.DONE
    assert retire(register, 1, 1, 0, 8)[1] == Denial.RETIRED
    assert transfer(register, 0, 3, 0, 1)[1] == Denial.RETIRED
    assert (register.held_by(0), register.retired_by(0)) == (2, 1)
