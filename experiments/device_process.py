"""A device as a process of its own, seen from the market's side of its pipes.

The market checks the proof of possession before it hears the device, and takes the last line a device wrote as its
reason when it gives up. A device ends when its input ends; one that does not is stopped.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import agents
from agents.frames import Enrolment, Genesis, Hello, Message, Report, Said, enrolment_message, read_frame, write_frame
from ledger.keys import is_signed_by, read_verifier
from market.errors import DataError, LedgerError, PolicyError

PATIENCE_S = 10
"""How long a device may take to end after its last step."""


class DeviceProcess:
    """A running device, spoken to over pipes; PolicyError with its last words when it gives up."""

    def __init__(self, policy: Path, key: Path) -> None:
        root = str(Path(agents.__file__).resolve().parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agents.device", str(policy), "--key", str(key), "--simulation"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        try:
            self.hello = Hello.from_message(self._receive())
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "DeviceProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def enrol(self, genesis: Genesis) -> None:
        """Tell the device its market; raises LedgerError unless it proves that it holds its key."""
        self._send(genesis.to_message())
        enrolment = Enrolment.from_message(self._receive())
        key = enrolment.public_key
        message = enrolment_message(genesis.chain_id, key)
        proved = is_signed_by(read_verifier(key), enrolment.proof, message)
        if not proved or key != self.hello.public_key:
            raise LedgerError("the device does not prove that it holds its key", where=key.hex())

    def ask(self, report: Report) -> bytes:
        """The envelope of one step."""
        self._send(report.to_message())
        said = Said.from_message(self._receive())
        if said.slot != report.slot:
            raise DataError(f"the device answered for slot {said.slot}", where=f"slot {report.slot}")
        return said.envelope

    def _send(self, message: Message) -> None:
        assert self._process.stdin is not None
        try:
            write_frame(self._process.stdin, message)
        except BrokenPipeError:
            raise self._gave_up() from None

    def _receive(self) -> Message:
        assert self._process.stdout is not None
        message = read_frame(self._process.stdout)
        if message is None:
            raise self._gave_up()
        return message

    def _gave_up(self) -> PolicyError:
        self._end(keep_words=True)
        assert self._process.stderr is not None
        words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return PolicyError("the device gave up: " + (words[-1] if words else "it said nothing"))

    def _end(self, keep_words: bool = False) -> None:
        """Close the device's input, which ends it; stop it when it does not."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None and not keep_words:
            self._process.stderr.close()
