"""PostgreSQL servers of our own, in a folder that is thrown away: for drills and tests of the many-node store.

The servers speak through a socket file in their folder and nothing else. They refuse to run as root: started by root,
they run as the user `postgres`, or `nobody` where there is none.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from market.errors import ConfigError

START_S = 30.0
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "log_min_messages": "warning",
    "wal_sender_timeout": "5s",
}


def find_programs() -> Path:
    """Folder of PostgreSQL's programs; raises ConfigError where it is not installed."""
    asked = shutil.which("pg_config")
    folders = [subprocess.run([asked, "--bindir"], capture_output=True, text=True).stdout.strip()] if asked else []
    folders += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    for folder in folders:
        if all((Path(folder) / name).exists() for name in ("initdb", "postgres", "pg_basebackup", "pg_ctl")):
            return Path(folder)
    raise ConfigError("PostgreSQL is not installed", do="apt-get install postgresql")


def find_user() -> int | None:
    """Number of the user to run servers as: None for whoever runs this, another for root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise ConfigError("PostgreSQL refuses to run as root, and there is no other user", do="run this as another user")


@dataclass
class Server:
    """One server; its data, log and socket lie in `folder`."""

    folder: Path
    programs: Path
    user: int | None
    settings: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def where(self) -> str:
        """Connection string."""
        return f"host={self.folder} dbname=postgres user=digitalgrid"

    def create(self) -> None:
        """A new, empty database; raises ConfigError where that fails."""
        self._make_folder()
        self._run("initdb", "-D", "data", "-U", "digitalgrid", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    def follow(self, primary: "Server") -> None:
        """Become a standby of a primary that runs: take its data and go on receiving them."""
        self._make_folder()
        self._run("pg_basebackup", "-D", "data", "-d", primary.where, "-R", "-X", "stream", "-c", "fast")

    def start(self, **settings: str) -> None:
        """Start the server and wait until it answers; raises ConfigError with its last words where it does not."""
        self.settings = SETTINGS | {"unix_socket_directories": str(self.folder)} | settings
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", "data", *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                user=self.user,
                extra_groups=None if self.user is None else [],
            )
        until = monotonic() + START_S
        while self._ask("pg_isready", "-q", "-h", str(self.folder)).returncode:
            if self.process.poll() is not None or monotonic() > until:
                last = (self.folder / "log").read_text("utf-8", "replace").strip().splitlines()[-1:]
                raise ConfigError(f"PostgreSQL does not start: {' '.join(last)}")
            sleep(0.05)

    def promote(self) -> None:
        """Make a standby a primary; returns when it takes writes."""
        self._run("pg_ctl", "promote", "-w", "-D", "data")

    def kill(self) -> None:
        """End the server and every process of it at once, as a crash does."""
        if self.process is None:
            return
        # stopped first, or it would mend the loss of a child before it is killed itself
        self.process.send_signal(signal.SIGSTOP)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in (*map(int, children), self.process.pid):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """End the server in order; at once where it does not obey."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(10)
            self.process = None
        except subprocess.TimeoutExpired:
            self.kill()

    def _make_folder(self) -> None:
        self.folder.mkdir()
        if self.user is not None:
            os.chown(self.folder, self.user, -1)

    def _ask(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            user=self.user,
            extra_groups=None if self.user is None else [],
        )

    def _run(self, program: str, *arguments: str) -> None:
        ended = self._ask(program, *arguments)
        if ended.returncode:
            last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise ConfigError(f"{program} failed: {' '.join(last)}")


@contextmanager
def own_servers(*names: str) -> Iterator[list[Server]]:
    """Servers in a folder of their own, not created yet; ended and thrown away at the end.

    Raises:
        ConfigError: PostgreSQL is not installed or cannot be run by this user.
    """
    programs, user = find_programs(), find_user()
    with TemporaryDirectory(prefix="dg-pg-") as scratch:
        os.chmod(scratch, 0o755)
        servers = [Server(Path(scratch) / name, programs, user) for name in names]
        try:
            yield servers
        finally:
            for server in servers:
                server.stop()


def start_pair(primary: Server, standby: Server) -> None:
    """A primary whose commits wait for the standby, and the standby, both running and joined."""
    primary.create()
    primary.start()
    standby.follow(primary)
    primary.stop()
    primary.start(synchronous_standby_names="*")
    standby.start()
