"""A flood: bad signatures under one claimed key id, and what they cost with and without the cap on checks."""

import time
from collections import Counter
from dataclasses import dataclass

from ledger.admission import CHECKS, admit_envelopes
from ledger.encoding import SIGNATURE_BYTES
from ledger.forgeries import CHAIN, write_envelope
from ledger.keys import SoftwareSigner
from ledger.registry import Registry
from market.errors import Refusal

ROWS, NOW = 48, 100


@dataclass(frozen=True)
class Flood:
    """Codes the envelopes got, and processor seconds with the cap and with every signature checked."""

    codes: dict[str, int]
    capped_s: float
    unbounded_s: float

    def line(self) -> str:
        """In one line."""
        codes = ", ".join(f"{count} {name}" for name, count in self.codes.items())
        return (
            f"{sum(self.codes.values())} bad envelopes of {ROWS} orders under one key id: {codes}; "
            f"{self.capped_s:.2f} s of processor time, {self.unbounded_s:.2f} s were each signature checked"
        )


def flood(count: int) -> Flood:
    """Send `count` envelopes of one step whose signatures are not their key's."""
    signer, registry = SoftwareSigner.generate(), Registry()
    registry.register(0, signer.public_key)
    bad = [
        write_envelope(signer, number, NOW, 1, rows=ROWS)[:-SIGNATURE_BYTES] + bytes(SIGNATURE_BYTES)
        for number in range(1, count + 1)
    ]
    spent, codes = list[float](), Counter[str]()
    for checks in (CHECKS, count):
        began = time.process_time()
        heard = admit_envelopes(registry, CHAIN, {}, bad, NOW, checks=checks)
        spent.append(time.process_time() - began)
        codes = codes or Counter(Refusal(code).name for code in heard.codes.tolist())
    return Flood(dict(sorted(codes.items())), *spent)
