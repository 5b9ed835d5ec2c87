"""A real PostgreSQL server from the machine's own binaries, on the loopback interface only."""

import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hilo.native.errors import NativeError
from hilo.native.ports import LOOPBACK, free_port
from hilo.native.processes import Process, ended_on_failure, launch, tail, wait_until

OWNER = "hilo"
SYSTEM_USER = "postgres"  # PostgreSQL refuses to run as root: there it runs as this user
START_WITHIN = 60.0
_SOCKET_PATH_LIMIT = 90  # the system cuts socket paths at about 107 bytes

INSTALLED = (
    (Path("/usr/lib/postgresql"), "*/bin"),
    (Path("/opt/homebrew/opt"), "postgresql@*/bin"),
    (Path("/usr/local/opt"), "postgresql@*/bin"),
)

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    # The outbox reader waits for the oldest transaction that writes to its database: none may idle for long.
    "idle_in_transaction_session_timeout": "30s",
    "statement_timeout": "120s",
}
# Commits still reach the system before they answer, so a killed server keeps them; a power cut may not.
CARELESS = {"fsync": "off", "full_page_writes": "off"}


def find_binaries() -> Path:
    """The directory with initdb and postgres: that of the PATH, else the newest that the system has installed."""
    for candidate in _binary_directories():
        if all((candidate / name).exists() for name in ("initdb", "postgres", "psql")):
            return candidate
    raise NativeError(
        "No PostgreSQL server was found (initdb, postgres and psql, on the PATH or under /usr/lib/postgresql). "
        "Install it: `make deps` as root on Debian or Ubuntu, `brew install postgresql@16` on macOS."
    )


def _binary_directories() -> Iterable[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for root, pattern in INSTALLED:
        yield from sorted(root.glob(pattern), key=_version, reverse=True)


def _version(directory: Path) -> float:
    found = re.search(r"\d+(\.\d+)?", directory.parent.name)
    return float(found[0]) if found else 0


@dataclass
class PostgresServer:
    """One cluster in one directory. `fast` is for tests: no fsync, and it ends with the process that has started it."""

    home: Path
    port: int = 0
    fast: bool = False
    process: Process | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.binaries = find_binaries()
        self.user = SYSTEM_USER if os.geteuid() == 0 else None
        if self.user is not None:
            self.home = _reachable(self.home, self.user)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def password(self) -> str:
        return (self.home / "password").read_text().strip()

    def url(self, database: str, *, driver: str = "postgresql+asyncpg") -> str:
        return f"{driver}://{OWNER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def initialise(self) -> None:
        """Makes the cluster, unless it is there already. The password is generated and stays beside it, mode 0600."""
        if (self.data / "PG_VERSION").exists():
            return
        self._make_home()
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.home / "password"
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24))
        if self.user is not None:
            shutil.chown(secret, self.user, self.user)
        locale = "C" if sys.platform == "darwin" else "C.UTF-8"
        self._run(
            "initdb", "--pgdata", self.data, "--username", OWNER, "--pwfile", secret, "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", locale, "--no-instructions", *(["--no-sync"] if self.fast else []),
        )  # fmt: skip

    def _make_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        runs_as = os.geteuid() if self.user is None else pwd.getpwnam(self.user).pw_uid
        if self.user is not None and self.home.stat().st_uid == os.geteuid():
            shutil.chown(self.home, self.user, self.user)
        if self.home.stat().st_uid != runs_as:
            raise NativeError(f"{self.home} belongs to another user: the database does not start there.")

    def start(self) -> Process:
        """Starts the server and returns once it takes connections."""
        self.initialise()
        self.port = self.port or free_port()
        deadline = time.monotonic() + START_WITHIN
        while True:
            self.process = self._launch()
            with ended_on_failure(self.process):
                if self._is_up(self.process, deadline):
                    return self.process
                # After a kill, a dying backend may hold the shared memory for a moment: the server refuses, then starts.
                if time.monotonic() > deadline or "shared memory block" not in tail(self.log):
                    raise NativeError(f"PostgreSQL did not start. The end of {self.log}:\n{tail(self.log)}")
                time.sleep(0.5)

    def stop(self) -> None:
        """Fast shutdown: open sessions are ended, everything committed is on disk."""
        if self.process is not None and not self.process.stop(signal.SIGINT, within=30):
            raise NativeError("PostgreSQL did not stop within 30 s and was killed; it recovers at its next start.")
        self.process = None

    def create_database(self, name: str) -> None:
        """Creates the database, unless it is there already."""
        if self.query(f"select 1 from pg_database where datname = '{name}'") == "1":  # noqa: S608 - our own names
            return
        self.query(f'create database "{name}"')

    def drop_database(self, name: str) -> None:
        self.query(f'drop database if exists "{name}" with (force)')

    def query(self, statement: str, *, database: str = "postgres") -> str:
        """What psql answers to one statement, unaligned."""
        return self._run(
            "psql", "--no-psqlrc", "-qtAX", "-v", "ON_ERROR_STOP=1", *self._address(database), "-c", statement
        )

    def accepts_connections(self) -> bool:
        command = [str(self.binaries / "psql"), "-qtAX", *self._address("postgres"), "-c", "select 1"]
        return subprocess.run(command, env=self._environment(), capture_output=True, check=False).returncode == 0

    def _is_up(self, process: Process, deadline: float) -> bool:
        within = deadline - time.monotonic()
        wait_until(lambda: not process.is_alive() or self.accepts_connections(), within=within)
        return process.is_alive() and self.accepts_connections()

    def _launch(self) -> Process:
        settings = SETTINGS | (CARELESS if self.fast else {}) | {"port": str(self.port)}
        settings["unix_socket_directories"] = str(self.home) if len(str(self.home)) < _SOCKET_PATH_LIMIT else ""
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return launch(
            [self.binaries / "postgres", "-D", self.data, *options],
            log=self.log,
            directory=self.home,
            user=self.user,
            when_orphaned=signal.SIGINT if self.fast else None,
        )

    def _address(self, database: str) -> list[str]:
        return ["-h", LOOPBACK, "-p", str(self.port), "-U", OWNER, "-d", database]

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {
            "PGPASSWORD": self.password,
            "PGCONNECT_TIMEOUT": "5",
        }

    def _run(self, program: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [str(self.binaries / program), *map(str, arguments)],
            env=self._environment(),
            cwd=self.home,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NativeError(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()


def _reachable(home: Path, user: str) -> Path:
    """The directory itself where `user` can get at it, else one of his own: a clone below /root is closed to him."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError as absent:
        raise NativeError(
            f"There is no system user `{user}` for the database to run as; PostgreSQL refuses root."
        ) from absent
    existing = next(parent for parent in [home, *home.parents] if parent.exists())
    enters = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(existing)], user=entry.pw_uid, group=entry.pw_gid, check=False,
        extra_groups=[], cwd="/", capture_output=True,
    )  # fmt: skip
    if enters.returncode == 0:
        return home
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"hilo-postgres-{name}"  # noqa: S108 - created for and owned by one user, mode 0700 inside
