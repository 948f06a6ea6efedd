"""Admission in plain words: every envelope ever heard is kept, and each rule is one line."""

from dataclasses import dataclass, field

from market.errors import Refusal


@dataclass(frozen=True)
class Said:
    """An envelope as its sender meant it; `text` stands for all else that is signed."""

    key: int
    sequence: int
    slot: int
    text: int
    rows: int
    is_signed: bool


@dataclass
class Ear:
    """What one market heard so far."""

    known: dict[int, int]
    """Most rows by key."""
    revoked: set[int]
    newest: int
    """How many envelopes of a key are remembered."""
    not_after: int
    heard: dict[int, list[Said]] = field(default_factory=dict)

    def hear(self, given: list[Said], now: int) -> list[Refusal]:
        """Codes of the envelopes of one step; signatures are judged last, sequences as they stood before the step."""
        before = {key: [said.sequence for said in heard] for key, heard in self.heard.items()}
        turn: set[int] = set()
        return [self._judge(said, now, max(before.get(said.key, []), default=0), turn) for said in given]

    def _judge(self, said: Said, now: int, last: int, turn: set[int]) -> Refusal:
        heard = self.heard.setdefault(said.key, [])
        same_sequence = [one for one in heard[-self.newest :] if one.sequence == said.sequence]
        if said.key not in self.known:
            return Refusal.UNKNOWN_KEY
        if said.key in self.revoked:
            return Refusal.REVOKED_KEY
        if said.sequence <= last and not same_sequence:
            return Refusal.OLD_SEQUENCE
        if said.sequence > last and said.slot + self.not_after < now:
            return Refusal.EXPIRED
        if said.sequence > last and said.rows > self.known[said.key]:
            return Refusal.TOO_MANY
        if not said.is_signed:
            return Refusal.BAD_SIGNATURE
        if same_sequence:
            meant = [(one.slot, one.text, one.rows) for one in same_sequence]
            return Refusal.RESENT if meant == [(said.slot, said.text, said.rows)] else Refusal.EQUIVOCATION
        if heard and said.sequence < heard[-1].sequence:
            return Refusal.OLD_SEQUENCE
        if said.key in turn:
            return Refusal.TOO_MANY
        turn.add(said.key)
        heard.append(said)
        return Refusal.ADMITTED
