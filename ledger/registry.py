"""The registry: which keys may speak, for whom, from which block on; it follows from the chain alone.

Members of the genesis stand in it from block 0; enrolment, rotation and revocation (`ledger.registrations`) change it
where they stand in the chain. A party has at most one key at a time. The open orders of a party whose key is revoked
and that has no other are cancelled before the next matching: nobody could withdraw them any more.
"""

from dataclasses import dataclass, field

from ledger.encoding import MAX_ROWS
from ledger.keys import Verifier, key_id_of, read_verifier
from ledger.limits import Limits
from market.errors import LedgerError, Refusal

NEVER = 2**64 - 1
"""Height of a block that will not come."""


@dataclass
class Member:
    """One registered key: it may speak in blocks `first` <= height < `until`, at most `rows` orders in an envelope.

    `limits`: the role and areas it is enrolled for; None where it has none.
    """

    party: int
    public_key: bytes
    verifier: Verifier
    first: int = 0
    until: int = NEVER
    rows: int = MAX_ROWS
    limits: Limits | None = None


@dataclass
class Registry:
    """Keys that may speak, by key id; `height` is the block whose records are being written or read."""

    members: dict[bytes, Member] = field(default_factory=dict)
    height: int = 0
    _holder: dict[int, Member] = field(default_factory=dict)
    _silent: dict[int, frozenset[int]] = field(default_factory=dict)
    _bound: list[Member] = field(default_factory=list)

    def register(
        self, party: int, public_key: bytes, first: int = 0, rows: int = MAX_ROWS, limits: Limits | None = None
    ) -> bytes:
        """Admit a party's key from a height on and return its id.

        Raises:
            LedgerError: the key is weak or registered, or the party has another key at that height.
        """
        verifier, key_id = read_verifier(public_key), key_id_of(public_key)
        if key_id in self.members:
            raise LedgerError(
                "public key is registered already", where=public_key.hex(), do="give each party its own key"
            )
        first = max(first, self.height)
        before = self._holder.get(party)
        if before is not None and before.until > first:
            raise LedgerError(f"party {party} has a key", do="rotate or revoke it first")
        member = Member(party, public_key, verifier, first, NEVER, rows, limits)
        self.members[key_id] = self._holder[party] = member
        if limits is not None:
            self._bound.append(member)
        self._silent.clear()
        return key_id

    def revoke(self, key_id: bytes, height: int = 0) -> int:
        """Refuse what this key signs from a height on, at the earliest now; returns that height.

        Raises:
            LedgerError: the key is unknown, or revoked from that height on already.
        """
        member = self.find(key_id)
        until = max(height, self.height)
        if member.until <= until:
            raise LedgerError(f"key is revoked from block {member.until} on already", where=key_id.hex())
        member.until = until
        self._silent.clear()
        return until

    def find(self, key_id: bytes) -> Member:
        """The member of a key; raises LedgerError where it is unknown."""
        member = self.members.get(key_id)
        if member is None:
            raise LedgerError("key is not registered", where=key_id.hex(), do="enrol it first")
        return member

    def check(self, key_id: bytes) -> Refusal:
        """ADMITTED where the key may speak now, else UNKNOWN_KEY or REVOKED_KEY."""
        member = self.members.get(key_id)
        if member is None or self.height < member.first:
            return Refusal.UNKNOWN_KEY
        return Refusal.ADMITTED if self.height < member.until else Refusal.REVOKED_KEY

    def silent(self) -> frozenset[int]:
        """Parties whose keys are all revoked by now: their open orders are cancelled by rule."""
        height = self.height
        if height not in self._silent:
            gone = {member.party for member in self.members.values() if member.until <= height}
            live = {member.party for member in self.members.values() if height < member.until}
            self._silent = {height: frozenset(gone - live)}
        return self._silent[height]

    def limits(self) -> dict[int, Limits]:
        """Limits of the keys that may speak now, by party; parties without any are not in it."""
        now = self.height
        return {one.party: one.limits for one in self._bound if one.limits and one.first <= now < one.until}
