"""The runtime of a DGC: a process of its own that bids for one party and signs with a key that never leaves it.

It speaks the frames of `agents.frames` on standard input and output. From what it is told each step it keeps its own
load history and position, and computes forecast, view, observation, action, quote and orders with the same functions
as the world (`agents.forecasting`, `observing`, `policies`, `quoting`, `ordering`); then it signs one envelope
(paper 2.2: the DGC holds the key). It loads numpy, cryptography, onnxruntime and the code they serve, nothing else.
A chain marked as a simulation is refused unless asked for, so that a real key never speaks there by mistake.
What it saw stays with it, in a file beside its key (`ledger.reasons`): the market is told the hash only.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, get_args

import numpy as np
import numpy.typing as npt

from agents.devices import Battery
from agents.fleet import ROLE_NAMES, Role
from agents.forecasting import FIRST_LAG_DAYS, HISTORY_DAYS, known_slots, seasonal_naive
from agents.frames import (
    BATTERY_EXTRAS,
    Enrolment,
    Genesis,
    Hello,
    Report,
    Said,
    enrolment_message,
    read_frame,
    write_frame,
)
from agents.knowing import hash_policy, write_knowledge
from agents.observing import NO_QUOTE, View, observe
from agents.ordering import write_orders
from agents.policies import Policy, Stream
from agents.policy_file import PolicyFile, read_policy_file
from agents.quoting import Quote, quote
from ledger.encoding import ABSENT, encode_bodies, signed_message
from ledger.key_files import PASSPHRASE, ask_secret, is_locked
from ledger.keys import KeyKind, Signer, create_key_file, is_simulation, load_signer
from ledger.pkcs11 import PIN, SCHEME, create_token_key, open_token_signer, read_uri
from ledger.reasons import ObservationLog, name_observation
from market.errors import ConfigError, DataError, DigitalGridError, PolicyError
from market.opening import open_range
from market.orders import ORDER_WIRE
from market.tables import Table, to_wire
from market.units import Int


class Device:
    """One party's bidder: what it was told, what it remembers, and its signer."""

    def __init__(
        self, genesis: Genesis, policy: Policy, signer: Signer, observations: ObservationLog | None = None
    ) -> None:
        self._observations = observations
        rules, has = genesis.rules, genesis.installation
        self.genesis, self._policy, self._signer = genesis, policy, signer
        self._design, self._calendar = rules.design, rules.calendar
        self._area = np.array([rules.accounts.party_area[genesis.party]])
        self._battery = Battery(
            np.array([has.power_wh]),
            np.array([has.capacity_wh]),
            np.array([has.efficiency_ppm]),
            np.array([has.wear_mjpy_kwh]),
            **{name: np.array([getattr(has, name)]) for name in BATTERY_EXTRAS if getattr(has, name)},
        )
        self._ahead = FIRST_LAG_DAYS * self._calendar.per_day
        self._known = known_slots(self._ahead, self._calendar.per_day, has.lag)
        self._load_wh = np.zeros(len(genesis.load_history_wh) + rules.slots + self._ahead, np.int64)
        self._load_wh[: len(genesis.load_history_wh)] = genesis.load_history_wh
        self._position_wh = np.zeros(rules.slots, np.int64)
        self._step = 0

    @property
    def enrolment(self) -> Enrolment:
        """Public key and proof of possession for this chain."""
        key = self._signer.public_key
        return Enrolment(key, self._signer.sign(enrolment_message(self.genesis.chain_id, key)))

    def answer(self, report: Report) -> bytes:
        """The signed envelope of one step; steps come in order, none twice."""
        self._remember(report)
        view = self.view(report)
        slot = np.array([report.slot])
        action = self._policy.act(observe(view), Stream(0, np.zeros(1, np.int64), np.array([self.genesis.party]), slot))
        envelope = self._sign(report, view, *self._write(report, view, quote(view, action, self._design)))
        self._step += 1
        return envelope

    def view(self, report: Report) -> View:
        """What the device knows now, as one world with one party."""
        has, first, count = self.genesis.installation, *self._open_columns()
        return View(
            slot_of_day=self._step % self._calendar.per_day,
            slots_per_day=self._calendar.per_day,
            gate=self._calendar.gate,
            open_first=first - self._step,
            role=has.role,
            battery=self._battery,
            stored_wh=np.array([[report.stored_wh]]),
            plan_wh=self._plans()[None, None],
            net_wh=self._forecast(report)[None, None],
            solar_wh_kw=report.solar_wh_kw[None, None],
            outside=report.outside[None, None],
            traded_ppm=report.traded_ppm[None, None],
            position_wh=self._position_wh[None, None, first : first + count],
            best_bid=_quotes(report.best_bid, count),
            best_ask=_quotes(report.best_ask, count),
            live=self._live(report, first, count),
            cost=np.array([has.cost]),
            thermal_wh=np.array([has.thermal_wh]),
            export_limit_wh=np.array([has.export_limit_wh]),
            terms=self.genesis.rules.terms,
        )

    def _remember(self, report: Report) -> None:
        """Take in the clock, the load of the slot before and new contracts."""
        start, slots = self.genesis.start, self.genesis.rules.slots
        if report.slot != start + self._step or self._step >= slots:
            raise DataError(f"step of slot {report.slot} does not follow", do="send every step once, in order")
        if (report.load_wh is None) != (self._step == 0):
            raise DataError("load of the slot before is known in every step but the first", where=f"slot {report.slot}")
        if report.load_wh is not None:
            self._check_meter(report.load_wh, report)
            self._load_wh[len(self.genesis.load_history_wh) + self._step - 1] = report.load_wh
        for slot, energy_wh in report.contracts:
            if not 0 <= slot - start < slots:
                raise DataError(f"contract for slot {slot} lies outside the market", where=f"slot {report.slot}")
            self._position_wh[slot - start] += energy_wh

    def _check_meter(self, load_wh: int, report: Report) -> None:
        """A register moves by whole steps: what does not was not read from this device's meter."""
        step = self.genesis.installation.meter_wh
        for read_wh in (load_wh, report.reading_wh or 0):
            if read_wh % step:
                what = f"a reading of {read_wh} Wh is no whole step of a meter that counts in {step} Wh"
                raise DataError(what, where=f"slot {report.slot}")

    def _forecast(self, report: Report) -> Int:
        """Net energy of the slots from now on, of readings that are official; reads no load later than the slot before.

        What cannot be forecast of official readings yet repeats the forecast of the day before, as in `envs.sight`.
        """
        history = HISTORY_DAYS * self._calendar.per_day
        load = seasonal_naive(self._load_wh[self._step : self._step + history + self._ahead], self._calendar.per_day)
        has = self.genesis.installation
        sun = np.minimum(report.solar_wh_kw * has.solar_w // 1000, has.solar_limit_wh)
        return np.asarray((load - sun)[self._known])

    def _plans(self) -> Int:
        """Plans behind the gate: positions there no longer change; nothing is planned past the market's end."""
        plan = np.zeros(self._calendar.gate, np.int64)
        known = self._position_wh[self._step : self._step + self._calendar.gate]
        plan[: len(known)] = known
        return plan

    def _open_columns(self) -> tuple[int, int]:
        """First open slot from the market's start, and how many are open."""
        first, stop = open_range(self._design, self._calendar, np.array([self._step]))
        return int(first[0]), max(min(int(stop[0]), self.genesis.rules.slots) - int(first[0]), 0)

    def _live(self, report: Report, first: int, count: int) -> npt.NDArray[np.bool_]:
        live = np.zeros((1, 1, count, 2), np.bool_)
        for slot, side in report.live:
            column = slot - self.genesis.start - first
            if not (0 <= column < count and side in (1, 2)):
                raise DataError(f"live order for slot {slot} is not in an open slot", where=f"slot {report.slot}")
            live[0, 0, column, side - 1] = True
        return live

    def _write(self, report: Report, view: View, made: Quote) -> tuple[Table, int]:
        """Order rows and the declared plan; dispatchable parties declare none."""
        first_open = np.array([report.slot + view.open_first])
        rows = write_orders(made.wanted_wh, made.price, view.live, self._area, first_open)
        declares = view.role not in (Role.THERMAL, Role.RETAILER)
        return rows, int(made.plan_wh[0, 0]) if declares else ABSENT

    def _sign(self, report: Report, view: View, rows: Table, plan_wh: int) -> bytes:
        reading_wh = ABSENT if report.reading_wh is None else report.reading_wh
        seen = write_knowledge(view)[0][0]
        if self._observations is not None:
            # kept before it is named: a device can always show what it says it saw
            self._observations.add([seen])
            self._observations.flush()
        reasons = hash_policy(self._policy) + name_observation(seen)
        (body,) = encode_bodies(
            self.genesis.chain_id,
            [self._signer.key_id],
            np.array([self._step + 1]),
            report.slot,
            np.array([plan_wh]),
            np.array([reading_wh]),
            np.array([len(rows)]),
            to_wire(rows, ORDER_WIRE),
            np.frombuffer(reasons, np.uint8).reshape(1, 2, 32),
        )
        return body + self._signer.sign(signed_message(body))


def serve(
    policy: PolicyFile,
    signer: Signer,
    incoming: IO[bytes],
    outgoing: IO[bytes],
    simulation: bool,
    observations: Path | None = None,
) -> None:
    """Speak with the market until its stream ends; what was seen goes behind what `observations` holds.

    Raises:
        ConfigError: the chain is a simulation and `simulation` was not given.
        PolicyError: the policy is for another role.
        DataError: a frame is not as `agents.frames` says, or out of order; the observations cannot be written.
    """
    write_frame(outgoing, Hello(signer.public_key, bytes.fromhex(policy.sha256)).to_message())
    first = read_frame(incoming)
    if first is None:
        return
    genesis = Genesis.from_message(first)
    if is_simulation(genesis.chain_id) and not simulation:
        raise ConfigError(
            "the chain is a simulation", where=f"chain {genesis.chain_id.hex()}", do="add --simulation to take part"
        )
    if genesis.installation.role != policy.role:
        what = f"trained for a {policy.manifest['role']}, the party is {ROLE_NAMES[Role(genesis.installation.role)]}"
        raise PolicyError(what, where=str(policy.path), do="give a policy of the party's role")
    log = None if observations is None else ObservationLog(observations, resume=True)
    device = Device(genesis, policy.policy, signer, log)
    write_frame(outgoing, device.enrolment.to_message())
    while (message := read_frame(incoming)) is not None:
        report = Report.from_message(message, genesis.rules.calendar.per_day)
        write_frame(outgoing, Said(report.slot, device.answer(report)).to_message())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.new_key is None and (given.policy is None or given.key is None):
        parser.error("give POLICY and --key FILE, or --new-key FILE")
    try:
        if given.new_key is not None:
            print(_new_signer(given.new_key, given.kind).public_key.hex())
        else:
            serve(
                read_policy_file(given.policy),
                _open_signer(given.key),
                sys.stdin.buffer,
                sys.stdout.buffer,
                given.simulation,
                given.observations or _beside(given.key),
            )
    except DigitalGridError as error:
        print(f"digitalgrid device: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        print("digitalgrid device: the market closed its end (start it again)", file=sys.stderr)
        return 2
    return 0


def _beside(key: str) -> Path | None:
    """Where observations lie: beside a key file; a token has no place for them."""
    return None if key.startswith(SCHEME) else Path(key).with_suffix(".observations.dgo")


def _open_signer(key: str) -> Signer:
    """The signer of a key file, locked or not, or of a key in a token."""
    if key.startswith(SCHEME):
        return open_token_signer(read_uri(key), ask_secret(PIN, "PIN of the token") or "")
    path = Path(key)
    if is_locked(path):
        passphrase = ask_secret(PASSPHRASE, f"passphrase of {path.name}")
        return load_signer(path, passphrase.encode() if passphrase else None)
    signer = load_signer(path)
    _warn(path)
    return signer


def _new_signer(key: str, kind: KeyKind) -> Signer:
    """A new key in a file, locked where a passphrase is given, or in a token."""
    if key.startswith(SCHEME):
        return create_token_key(read_uri(key), ask_secret(PIN, "PIN of the token") or "", kind)
    path = Path(key)
    passphrase = ask_secret(PASSPHRASE, f"passphrase for {path.name}, empty for none")
    signer = create_key_file(path, passphrase.encode() if passphrase else None, kind)
    if not passphrase:
        _warn(path)
    return signer


def _warn(path: Path) -> None:
    print(f"digitalgrid device: {path.name} is not locked with a passphrase (set {PASSPHRASE})", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="digitalgrid device",
        description="Bid for one party with an exported policy; frames on standard input and output.",
        epilog="example: digitalgrid device home.onnx --key home-1.pem",
    )
    parser.add_argument("policy", metavar="POLICY", type=Path, nargs="?", help="exported policy, NAME.onnx")
    parser.add_argument("--key", metavar="KEY", help="the device's private key: a PKCS #8 file or a pkcs11: URI")
    parser.add_argument(
        "--new-key", metavar="KEY", help="make a private key, file or pkcs11: URI, print its public key, and end"
    )
    parser.add_argument("--kind", choices=get_args(KeyKind), default="ed25519", help="kind of a new key")
    parser.add_argument(
        "--observations", metavar="FILE", type=Path, help="keeps what the device saw; beside a key file if not given"
    )
    parser.add_argument("--simulation", action="store_true", help="take part in a simulated market")
    return parser


def _quotes(column: tuple[int | None, ...], count: int) -> Int:
    if len(column) != count:
        raise DataError(f"the book has {len(column)} quotes for {count} open slots")
    return np.array([NO_QUOTE if price is None else price for price in column], np.int64).reshape(1, 1, count)


if __name__ == "__main__":
    sys.exit(main())
