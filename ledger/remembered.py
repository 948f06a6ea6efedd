"""What was lately heard from each key: so that a resend gets the first answer again and a double statement is seen.

Networks lose answers, so devices send again (design.md 5): the same bytes are the same statement. Envelopes of each
key's newest sequences are kept in memory; older ones are in the chain, where their record ids find them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from market.units import Int
from market.validation import Codes

KEPT = 4
"""Newest envelopes kept of each key."""


@dataclass
class Heard:
    """One admitted envelope, the block it stands in, and its row codes once the market has answered."""

    envelope: bytes
    height: int
    codes: bytes | None = None
    accused: bool = False


@dataclass
class Remembered:
    """Newest envelopes by key id and sequence."""

    _by_key: dict[bytes, dict[int, Heard]] = field(default_factory=dict)

    def find(self, key_id: bytes, sequence: int) -> Heard | None:
        """What was heard under a sequence, if it is among the newest."""
        heard = self._by_key.get(key_id)
        return heard.get(sequence) if heard else None

    def keep(self, key_id: bytes, sequence: int, envelope: bytes, height: int) -> None:
        """Remember an admitted envelope and forget the oldest of its key."""
        heard = self._by_key.setdefault(key_id, {})
        heard[sequence] = Heard(envelope, height)
        if len(heard) > KEPT:
            # sequences only grow, so the first that was put in is the oldest
            del heard[next(iter(heard))]

    def answer(self, kept: Sequence[bytes], counts: Int, codes: Codes) -> None:
        """Enter the row codes of a step's admitted envelopes: `counts` (kept,) rows of each, `codes` (rows,)."""
        at, data = 0, codes.tobytes()
        for envelope, rows in zip(kept, counts.tolist(), strict=True):
            heard = self.find(envelope[21:37], int.from_bytes(envelope[37:45], "big"))
            if heard is not None:
                heard.codes = data[at : at + rows]
            at += rows
