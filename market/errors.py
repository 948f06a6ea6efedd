"""The error tree and the refusal codes.

```
DigitalGridError            anything a user can cause and mend; the command line prints one line and exits with 1
├── ConfigError             a scenario, design, policy name or option is wrong
├── DataError               a data file is wrong: header, gap, value
├── LedgerError             a ledger folder is damaged, tampered with or not ours
└── PolicyError             a policy file does not fit or was altered
```

Refusals are values, not exceptions: a batch of orders never raises because one of its rows is bad.
"""

from enum import IntEnum


class DigitalGridError(Exception):
    """A mistake in what was given to us: says what is wrong, where, and what to do about it."""

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        super().__init__(": ".join(part for part in (where, what) if part) + (f" ({do})" if do else ""))


class ConfigError(DigitalGridError):
    """A scenario, design, strategy or option is wrong."""


class DataError(DigitalGridError):
    """A data file does not have the published form, or has a gap or an impossible value."""


class LedgerError(DigitalGridError):
    """A ledger folder is damaged, altered, or cannot be written."""


class PolicyError(DigitalGridError):
    """A policy file does not fit this market or is not what its manifest says."""


class Refusal(IntEnum):
    """Why a row or an envelope was not admitted; 0 means admitted.

    Codes below 32 refuse one order row; codes from 32 refuse a whole envelope.
    """

    ADMITTED = 0
    NOT_POSITIVE = 1
    OFF_LOT = 2
    OFF_TICK = 3
    OUT_OF_BAND = 4
    TOO_LARGE = 5
    UNKNOWN_AREA = 6
    UNKNOWN_KIND = 7
    CLOSED = 8
    BEYOND_HORIZON = 9
    DUPLICATE_REFERENCE = 10
    NOTHING_TO_CANCEL = 11
    BLOCK_GAP = 12
    BAD_RATIO = 13
    OTHER_SIDE = 14
    OTHER_AREA = 15
    MALFORMED = 32
    WRONG_CHAIN = 33
    UNKNOWN_KEY = 34
    REVOKED_KEY = 35
    OLD_SEQUENCE = 36
    BAD_SIGNATURE = 37
    RESENT = 38
    EQUIVOCATION = 39
    EXPIRED = 40
    TOO_MANY = 41
    TOO_FEW_SHARES = 42
    DEALT_BADLY = 43
    UNREADABLE = 44
    NOT_ITS_ENVELOPE = 45
    TOO_EARLY = 46
    OTHER_AUCTION = 47
    FLOODED = 48
