"""What a DGC and the market say to each other: length-prefixed frames on two byte streams.

A frame is its length as u32 big-endian and then one JSON object in canonical spelling (`ledger.encoding`), with the
key `type`. In order:

- device: `hello` names its frame format, public key and policy;
- market: `genesis` gives chain id, party, devices, market rules and eight days of load readings;
- device: `enrolment` proves that it holds the key (a signature over a domain tag, chain id and public key);
- market: `report`, once a step: clock, meter, battery, published weather and prices, public book, own contracts and
  live orders; device: `envelope`, the signed bytes of `ledger.encoding`. The end of the stream ends the session.

Reading is strict: other keys, lengths or types are refused, and numbers stay below the bound of an order's energy.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any, TypeVar

import numpy as np

from agents.fleet import Role
from agents.forecasting import FIRST_LAG_DAYS, HISTORY_DAYS
from ledger.encoding import canonical_json
from ledger.keys import CHAIN_ID_BYTES
from ledger.rules import Rules, read_rules
from market.errors import DataError, DigitalGridError
from market.units import ENERGY_BOUND, PPM, PRICE_BOUND, Int

FORMAT = "digitalgrid-frames/2"
BATTERY_EXTRAS = ("lowest_wh", "self_discharge_ppm", "discharge_ppm", "discharge_wh")
ENROLMENT_TAG = b"DG/enrol/v1\0"
LONGEST = 1 << 22
LENGTH_BYTES = 4
BRIGHTEST_WH_KW = 1 << 16
"""No kW of PV yields as much in a slot; keeps forecasts far from the end of int64."""
PRICES = 1 - PRICE_BOUND, PRICE_BOUND - 1
SIGNATURE_BYTES, DIGEST_BYTES = 64, 32
PUBLIC_KEY_BYTES = 32, 33
"""Lengths of public keys: Ed25519, P-256."""

Message = dict[str, Any]
Row = TypeVar("Row")


def write_frame(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Send one message."""
    body = canonical_json(dict(message))
    if len(body) > LONGEST:
        raise DataError(f"frame of {len(body)} bytes is too long", do=f"the longest has {LONGEST}")
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Message | None:
    """Next message, None at the end of the stream; raises DataError when it breaks off or is no canonical object."""
    head = stream.read(LENGTH_BYTES)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) < LENGTH_BYTES or length > LONGEST:
        raise DataError("no frame begins here", do="send a length of four bytes, then JSON")
    body = stream.read(length)
    if len(body) < length:
        raise DataError(f"frame breaks off after {len(body)} of {length} bytes")
    try:
        message = json.loads(body)
        good = isinstance(message, dict) and canonical_json(message) == body
    except (ValueError, RecursionError) as error:
        raise DataError("frame is not JSON") from error
    if not good:
        raise DataError("frame is not one JSON object in canonical spelling")
    return dict(message)


def enrolment_message(chain_id: bytes, public_key: bytes) -> bytes:
    """What a device signs to prove that it holds its key, for one chain only."""
    return ENROLMENT_TAG + chain_id + public_key


@dataclass(frozen=True)
class Hello:
    """Who is there: the device's public key and the SHA-256 of its policy's network."""

    public_key: bytes
    policy: bytes

    def to_message(self) -> Message:
        """As sent."""
        return {"type": "hello", "format": FORMAT, "public_key": self.public_key.hex(), "policy": self.policy.hex()}

    @classmethod
    def from_message(cls, message: Message) -> "Hello":
        """As received."""
        read = _Reader("hello", message, {"format", "public_key", "policy"})
        read.format()
        return cls(read.octets("public_key", *PUBLIC_KEY_BYTES), read.octets("policy", DIGEST_BYTES))


@dataclass(frozen=True)
class Installation:
    """What stands behind one meter, as in `agents.fleet`, and the meter; powers per slot [Wh], prices [mJPY/kWh].

    solar_limit_wh is the most that the routers pass of the PV; meter_wh the step of the meter's registers [Wh], lag the
    slots until a reading is official (`agents.metering`). The last four are the extras of a battery (`agents.devices`),
    sent where they are not 0.
    """

    role: int
    solar_w: int
    thermal_wh: int
    cost: int
    export_limit_wh: int
    power_wh: int
    capacity_wh: int
    efficiency_ppm: int
    wear_mjpy_kwh: int
    solar_limit_wh: int
    meter_wh: int
    lag: int
    lowest_wh: int = 0
    self_discharge_ppm: int = 0
    discharge_ppm: int = 0
    discharge_wh: int = 0

    def to_message(self) -> Message:
        """As sent."""
        return {name: value for name, value in asdict(self).items() if value or name not in BATTERY_EXTRAS}


@dataclass(frozen=True, eq=False)
class Genesis:
    """What a device is told once.

    party is its row in the rules' accounts; start the market's first slot, a midnight; load_history_wh
    (HISTORY_DAYS x slots of a day,) readings of its load before that [Wh], oldest first.
    """

    chain_id: bytes
    party: int
    start: int
    rules: Rules
    installation: Installation
    load_history_wh: Int

    def to_message(self) -> Message:
        """As sent."""
        return {
            "type": "genesis",
            "format": FORMAT,
            "chain": self.chain_id.hex(),
            "party": self.party,
            "start": self.start,
            "rules": json.loads(self.rules.text),
            "installation": self.installation.to_message(),
            "load_history_wh": self.load_history_wh.tolist(),
        }

    @classmethod
    def from_message(cls, message: Message) -> "Genesis":
        """As received."""
        names = {"format", "chain", "party", "start", "rules", "installation", "load_history_wh"}
        read = _Reader("genesis", message, names)
        read.format()
        rules = read.rules()
        party = read.whole("party")
        if not 0 <= party < rules.parties:
            raise read.fault("party")
        history = read.wholes("load_history_wh", HISTORY_DAYS * rules.calendar.per_day, (0, ENERGY_BOUND))
        chain_id = read.octets("chain", CHAIN_ID_BYTES)
        installation = read.installation()
        if installation.lag > rules.calendar.per_day:
            raise read.fault("installation")
        return cls(chain_id, party, read.whole("start"), rules, installation, history)


@dataclass(frozen=True)
class Enrolment:
    """A device's key and the proof that it holds it."""

    public_key: bytes
    proof: bytes

    def to_message(self) -> Message:
        """As sent."""
        return {"type": "enrolment", "public_key": self.public_key.hex(), "proof": self.proof.hex()}

    @classmethod
    def from_message(cls, message: Message) -> "Enrolment":
        """As received."""
        read = _Reader("enrolment", message, {"public_key", "proof"})
        return cls(read.octets("public_key", *PUBLIC_KEY_BYTES), read.octets("proof", SIGNATURE_BYTES))


@dataclass(frozen=True, eq=False)
class Report:
    """What a device is told at the start of a step; + is import.

    - slot: the clock; stored_wh: the battery now; load_wh, reading_wh: own load and meter of the slot before as the
      meter counts them, None in the first step;
    - solar_wh_kw, outside (FIRST_LAG_DAYS days of slots from now): published forecast [Wh per kW] and prices
      [mJPY/kWh] as far as known; traded_ppm (slots of a day,): usual traded price within the band;
    - best_bid, best_ask (open slots,): what an order of the party's area could meet, None without;
    - contracts: (slot, net energy [Wh]) of every own contract formed since the last report, last resort included, and
      with the opposite sign what an outage took off one;
    - live: (slot, side) of its own resting orders.
    """

    slot: int
    stored_wh: int
    load_wh: int | None
    reading_wh: int | None
    solar_wh_kw: Int
    outside: Int
    traded_ppm: Int
    best_bid: tuple[int | None, ...]
    best_ask: tuple[int | None, ...]
    contracts: tuple[tuple[int, int], ...]
    live: tuple[tuple[int, int], ...]

    def to_message(self) -> Message:
        """As sent."""
        columns = {name: getattr(self, name).tolist() for name in ("solar_wh_kw", "outside", "traded_ppm")}
        return {"type": "report", **self.__dict__, **columns}

    @classmethod
    def from_message(cls, message: Message, per_day: int) -> "Report":
        """As received."""
        read = _Reader("report", message, set(cls.__dataclass_fields__))
        ahead = FIRST_LAG_DAYS * per_day
        return cls(
            slot=read.whole("slot"),
            stored_wh=read.whole("stored_wh"),
            load_wh=read.whole_or_none("load_wh"),
            reading_wh=read.whole_or_none("reading_wh"),
            solar_wh_kw=read.wholes("solar_wh_kw", ahead, (0, BRIGHTEST_WH_KW)),
            outside=read.wholes("outside", ahead, PRICES),
            traded_ppm=read.wholes("traded_ppm", per_day, (0, PPM)),
            best_bid=read.each("best_bid", _price_or_none),
            best_ask=read.each("best_ask", _price_or_none),
            contracts=read.each("contracts", _pair),
            live=read.each("live", _pair),
        )


@dataclass(frozen=True)
class Said:
    """A device's answer to a report: its signed envelope."""

    slot: int
    envelope: bytes

    def to_message(self) -> Message:
        """As sent."""
        return {"type": "envelope", "slot": self.slot, "envelope": self.envelope.hex()}

    @classmethod
    def from_message(cls, message: Message) -> "Said":
        """As received."""
        read = _Reader("envelope", message, {"slot", "envelope"})
        return cls(read.whole("slot"), read.octets("envelope"))


class _Reader:
    """Takes the parts of one message; anything unexpected is a DataError naming type and part."""

    def __init__(self, kind: str, message: Message, names: set[str]) -> None:
        self._kind, self._message = kind, message
        if message.get("type") != kind:
            raise DataError(f"expected a frame {kind!r}, not {message.get('type')!r}")
        for name in sorted(names ^ (message.keys() - {"type"})):
            raise DataError("is missing" if name in names else "is unknown", where=f"frame {kind}: {name}")

    def fault(self, name: str) -> DataError:
        """The error of one part."""
        return DataError("has no permitted value", where=f"frame {self._kind}: {name}")

    def format(self) -> None:
        """Check the frame format."""
        if self._message["format"] != FORMAT:
            raise DataError(
                f"not {FORMAT}", where=f"frame {self._kind}: format", do="use the same version on both sides"
            )

    def whole(self, name: str) -> int:
        """An integer."""
        return self._read(name, _whole)

    def whole_or_none(self, name: str) -> int | None:
        """An integer or nothing."""
        return self._read(name, _whole_or_none)

    def wholes(self, name: str, count: int, bounds: tuple[int, int]) -> Int:
        """A column of `count` integers within bounds, both included."""
        column = np.array(self.each(name, _whole), np.int64)
        if len(column) != count:
            raise DataError(f"has {len(column)} values, not {count}", where=f"frame {self._kind}: {name}")
        if column.min() < bounds[0] or column.max() > bounds[1]:
            raise self.fault(name)
        return column

    def each(self, name: str, read: Callable[[Any], Row]) -> tuple[Row, ...]:
        """A list, each element read alike."""
        return self._read(name, lambda value: tuple(map(read, _list(value))))

    def octets(self, name: str, *counts: int) -> bytes:
        """Bytes in lower-case hexadecimal, as many as one of the counts, if any are given."""
        data: bytes = self._read(name, bytes.fromhex)
        if data.hex() != self._message[name] or (counts and len(data) not in counts):
            raise self.fault(name)
        return data

    def rules(self) -> Rules:
        """Market rules as in a ledger's genesis."""
        return self._read("rules", read_rules)

    def installation(self) -> Installation:
        """Devices behind the meter."""
        return self._read("installation", _installation)

    def _read(self, name: str, read: Callable[[Any], Row]) -> Row:
        try:
            return read(self._message[name])
        except (DigitalGridError, TypeError, ValueError, AttributeError) as error:
            raise self.fault(name) from error


def _whole(value: object) -> int:
    if type(value) is not int or abs(value) >= ENERGY_BOUND:
        raise ValueError("not an integer within bounds")
    return value


def _whole_or_none(value: object) -> int | None:
    return None if value is None else _whole(value)


def _price_or_none(value: object) -> int | None:
    if value is not None and not PRICES[0] <= _whole(value) <= PRICES[1]:
        raise ValueError("not a price")
    return _whole_or_none(value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _installation(value: Any) -> Installation:
    made = Installation(**{name: _whole(number) for name, number in value.items()})
    Role(made.role)
    if min(made.meter_wh, made.lag) < 1 or made.solar_limit_wh < 0:
        raise ValueError("not a meter or router")
    return made


def _pair(value: object) -> tuple[int, int]:
    first, second = _list(value)
    return _whole(first), _whole(second)
