"""The simulator: administrators in one thread, everything that happens between them drawn from one seed.

It runs the production code (`ledger.replica`, `ledger.host`, `ledger.diary`, `ledger.epochs`, `ledger.quorum`) under
loss, duplication, reordering, crashes, crashes in the middle of a write, partitions, clocks that are off and jump, and
epoch changes at any moment. Then it becomes quiet: first on q administrators alone, then on all. `ledger.sim_checks`
says what must hold. The same seed gives the same run.

Source: deterministic simulation as in FoundationDB and TigerBeetle's VOPR (`docs/administrators.md`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from ledger.blocks import NO_BLOCK
from ledger.conviction import Branch, convict
from ledger.epochs import Entry
from ledger.host import Host
from ledger.messages import Append, Message, Prepare, TakeOver, Tick
from ledger.quorum import Certificate
from ledger.replica_state import EVERYONE, Role, Sends, replicated
from ledger.sim_bugs import BUGS, Plant
from ledger.sim_checks import Checks, ViolationError
from ledger.sim_liar import Liar
from ledger.sim_parts import CHAIN, Memo, SimulatedCrashError, SimulatedDisk, SimulatedJudge, key_of, signer_of, verify

SIZES = ((3, 2), (4, 3), (5, 3))
STEPS, WINDOW = 160, 3
"""Things that happen before the quiet; blocks a sequencer seals ahead of certificates."""
SLACK_MS, SKEW_MS = 2_000, 3_000
QUIET_ROUNDS = 10


@dataclass
class Run:
    """What one seed came to: what was violated (empty if nothing), whom that convicts, and what happened, counted."""

    seed: int
    size: tuple[int, int]
    violation: str = ""
    convicted: frozenset[int] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)


def simulate(seed: int, bug: str = "") -> Run:
    """Run one seed, with a planted bug or none."""
    world = _World(seed, bug)
    try:
        world.trouble()
        world.calm()
    except ViolationError as violation:
        world.run.violation = str(violation)
    world.count("certified blocks", len(world.checks.certified))
    world.count("torn writes", sum(disk.torn for disk in world.disks))
    return world.run


def simulate_liar(seed: int, size: tuple[int, int], bug: str = "") -> Run:
    """Run one seed with the last administrator lying; a violation is a certified fork, or an honest fault.

    A liar may stop an epoch change, so nothing is asked of the calm.
    """
    world = _World(seed, bug, size, liar=True)
    try:
        world.trouble()
    except ViolationError as violation:
        world.run.violation = str(violation)
        world.convict(violation)
    world.count("certified blocks", len(world.checks.certified))
    return world.run


def find_bug(bug: str, seeds: Iterable[int]) -> Run | None:
    """The first seed that shows a planted bug."""
    return next((run for run in (simulate_bug(seed, bug) for seed in seeds) if run.violation), None)


def simulate_bug(seed: int, bug: str) -> Run:
    """Run one seed with a planted bug, and with a liar among four where the bug needs one."""
    return simulate_liar(seed, (4, 3), bug) if BUGS[bug].liar else simulate(seed, bug)


class _World:
    """Administrators, their machines and the network between them."""

    def __init__(self, seed: int, bug: str, size: tuple[int, int] | None = None, liar: bool = False) -> None:
        self.dice = dice = Random(seed)
        self.size = n, quorum = size or SIZES[dice.randrange(len(SIZES))]
        self._liar = n - 1 if liar else -1
        self.run = Run(seed, self.size)
        self._rates = dice.random() * 0.2, dice.random() * 0.1
        plant = BUGS[bug] if bug else Plant()
        self._kind = plant.replica
        self._administrators = plant.administrators(CHAIN, tuple(key_of(i) for i in range(n)), quorum)
        self._memo = Memo()
        self.checks = Checks(self._memo, frozenset({self._liar}))
        self.judges = [SimulatedJudge(signer_of(i), self._memo) for i in range(n)]
        crash_rate = dice.random() * 0.02
        self.disks: list[SimulatedDisk] = [plant.disk(dice, crash_rate) for _ in range(n)]
        self.hosts: list[Host | None] = [self._start(i) for i in range(n)]
        self.now, self._skew = 1_000_000, [dice.randrange(-SKEW_MS, SKEW_MS) // 2 for _ in range(n)]
        self._side = [0] * n
        self._mail: list[tuple[int, int, Message]] = []

    def count(self, what: str, by: int = 1) -> None:
        """Add to a count of the run."""
        self.run.counts[what] = self.run.counts.get(what, 0) + by

    def trouble(self) -> None:
        """Everything at once."""
        dice, mail = self.dice, self._mail
        for _ in range(STEPS):
            self.now += dice.randrange(50)
            if mail and dice.random() < 0.75:
                self._deliver_any()
            else:
                self._happen(dice.random(), dice.randrange(len(self.hosts)))

    def calm(self) -> None:
        """No more trouble: q administrators go on, then all; what was certified is there, what is new is certified."""
        n, quorum = self.size
        self._mail.clear()
        self._rates, self._side, self._skew = (0.0, 0.0), [0] * n, [0] * n
        for disk in self.disks:
            disk.crash_rate = 0.0
        chosen = self.dice.sample(range(n), quorum)
        for i in range(n):
            self._crash(i)
        for i in chosen:
            self.hosts[i] = self._start(i)
        self._go_on(chosen)
        for i in range(n):
            self.hosts[i] = self.hosts[i] or self._start(i)
        self._go_on(list(range(n)))

    def _go_on(self, names: list[int]) -> None:
        """A new epoch among these administrators, and one more block that all of them hold."""
        n = self.size[0]
        hosts = {i: host for i, host in enumerate(self.hosts) if host is not None and i in names}
        newest = max(host.state.promised for host in hosts.values())
        epoch = next(e for e in range(newest + 1, newest + n + 1) if e % n in hosts)
        leader = epoch % n
        self._hear(leader, leader, TakeOver(epoch))
        self._settle(hosts)
        state = hosts[leader].state
        if state.role is not Role.LEADING:
            raise ViolationError(f"administrator {leader} cannot begin epoch {epoch} though all is quiet")
        self._append(leader, hosts[leader])
        self._settle(hosts)
        state = hosts[leader].state
        for i, host in hosts.items():
            self.checks.require_kept(i, host.state.log)
        if state.floor != len(state.log) or replicated(state, state.floor - 1) != len(hosts):
            raise ViolationError(f"nothing is certified within {QUIET_ROUNDS} rounds though all is quiet")

    def _settle(self, hosts: dict[int, Host]) -> None:
        for _ in range(QUIET_ROUNDS):
            mail, self._mail = self._mail, []
            for sender, to, message in mail:
                self._hear(to, sender, message)
            if not self._mail:
                for i in hosts:
                    self._hear(i, i, Tick())
            if not self._mail:
                return

    def _happen(self, draw: float, i: int) -> None:
        """One of the things that happen to administrator i."""
        host = self.hosts[i]
        if host is None:
            if draw < 0.5:
                self.hosts[i] = self._start(i)
        elif draw < 0.45:
            for leader, other in enumerate(self.hosts):
                if other is not None and other.state.role is Role.LEADING:
                    self._append(leader, other)
        elif draw < 0.75:
            self._hear(i, i, Tick())
        elif draw < 0.87:
            n = self.size[0]
            epoch = host.state.promised + 1
            self._hear(i, i, TakeOver(epoch + (i - epoch) % n))
        elif draw < 0.93:
            self.count("crashes")
            self._crash(i)
        elif draw < 0.97:
            self.count("partitions")
            self._side = [self.dice.randrange(2) for _ in self._side] if draw < 0.95 else [0] * len(self._side)
        else:
            self._skew[i] = self.dice.randrange(-SKEW_MS, SKEW_MS)

    def _append(self, i: int, host: Host) -> None:
        state = host.state
        if len(state.log) - state.floor < WINDOW:
            given = self.dice.randbytes(8)
            self._hear(i, i, Append(self.judges[i].propose(state.log, state.promised, given)))

    def _deliver_any(self) -> None:
        """Any message on its way: lost, doubled, or simply delivered."""
        dice, mail = self.dice, self._mail
        place = dice.randrange(len(mail))
        loss, double = self._rates
        draw = dice.random()
        sender, to, message = mail[place]
        if draw < loss or self._side[sender] != self._side[to]:
            self.count("lost messages")
        if draw > 1 - double:
            self.count("doubled messages")
        else:
            mail[place] = mail[-1]
            mail.pop()
        if draw >= loss and self._side[sender] == self._side[to]:
            self._hear(to, sender, message)

    def _hear(self, i: int, sender: int, message: Message) -> None:
        host = self.hosts[i]
        if host is None:
            return
        try:
            sends = host.hear(sender, message, max(self.now + self._skew[i], 0))
        except SimulatedCrashError:
            self.count("crashes")
            self.hosts[i] = None
            return
        if sends:
            self.checks.watch(i, sends)
            self._post(i, sends)

    def _post(self, i: int, sends: Sends) -> None:
        for to, message in sends:
            if isinstance(message, Prepare):
                self.count("epoch changes tried")
            if to == EVERYONE:
                self._mail += [(i, other, message) for other in range(len(self.hosts)) if other != i]
            else:
                self._mail.append((i, to, message))

    def _crash(self, i: int) -> None:
        self.hosts[i] = None
        self.disks[i].crash()

    def _start(self, i: int) -> Host:
        replica = self._kind(i, self._administrators, signer_of(i), verify, self.judges[i], SLACK_MS)
        if i == self._liar:
            return Liar(replica, self.disks[i], self.judges[i], self.dice)
        return Host(replica, self.disks[i])

    def convict(self, violation: ViolationError) -> None:
        """Whom the two certificates of a violation convict."""
        if violation.fork:
            branches = [Branch(self._log_below(certificate), certificate) for certificate in violation.fork]
            self.run.convicted = convict(self._administrators, branches[0], branches[1], verify)

    def _log_below(self, certificate: Certificate) -> list[Entry]:
        log, digest = [], certificate.digest
        while digest != NO_BLOCK:
            log.append(self._memo.by_digest[digest])
            digest = log[-1].previous
        return log[::-1]
