"""What is measured on: a durable PostgreSQL, the broker, and the servers that stand on them, ended with the run."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.auth import first_credential, first_secret
from hilo.native.kafka import KafkaServer
from hilo.native.ports import LOOPBACK, free_port
from hilo.native.postgres import PostgresServer
from hilo.native.processes import Process, launch, wait_for
from hilo.native.roles import SERVICES, is_ready
from hilo.native.testing import scratch

ROOT = Path(__file__).parents[2]
UVICORN = ("--log-level", "warning", "--no-access-log", "--lifespan", "on")
PACKAGES = {service.name: service.package for service in SERVICES}


@dataclass
class Grounds:
    """One run's place: folder, secrets, servers. Everything that was started is ended by `close`."""

    folder: Path

    def __post_init__(self) -> None:
        self.var = self.folder / "var"
        self.var.mkdir(parents=True, exist_ok=True)
        self.secret = first_secret(self.var)
        self.key, self.key_hash = first_credential(self.var, self.secret)
        self._processes: list[tuple[str, Process]] = []
        self._postgres: PostgresServer | None = None
        self._kafka: KafkaServer | None = None

    # --- servers ------------------------------------------------------------------------------------------------------

    @property
    def postgres(self) -> PostgresServer:
        if self._postgres is None:
            server = PostgresServer(home=self.folder / "postgres", fast=False)
            server.start()
            # Filling tables with millions of rows takes longer than any statement of ours may.
            server.query("alter role hilo set statement_timeout = 0")
            self._postgres = server
        return self._postgres

    @property
    def kafka(self) -> KafkaServer:
        if self._kafka is None:
            server = KafkaServer(home=self.folder / "kafka", quick=False)
            server.start()
            self._kafka = server
        return self._kafka

    @property
    def authorization(self) -> str:
        return f"Authorization: Bearer {self.key}"

    def environment(self, database: str, *, kafka: bool = False) -> dict[str, str]:
        told = {
            "HILO_ENVIRONMENT": "development",
            "HILO_DATABASE_URL": self.postgres.url(database),
            "HILO_SECRET": self.secret,
            "HILO_FIRST_KEY_HASH": self.key_hash,
            "HILO_RATE_LIMIT": "0",  # what the machine can do is measured, not what one credential may
            "LOAD_KEY": self.key,
        }
        if kafka:
            told["HILO_KAFKA_BOOTSTRAP"] = self.kafka.bootstrap
        return dict(os.environ) | told | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}

    def migrated(self, service: str, *, database: str = "", kafka: bool = False) -> dict[str, str]:
        """A database with the service's schema; gives the environment of processes that use it."""
        name = database or PACKAGES[service]
        self.postgres.create_database(name)
        environment = self.environment(name, kafka=kafka)
        command = [sys.executable, "-m", PACKAGES[service], "migrate"]
        subprocess.run(command, env=environment, check=True, cwd=ROOT)
        return environment

    # --- what stands on them ------------------------------------------------------------------------------------------

    def api(self, service: str, environment: Mapping[str, str], *, name: str = "") -> "Server":
        port = free_port()
        command = [sys.executable, "-m", PACKAGES[service], "api", "--port", str(port)]
        base = f"http://{LOOPBACK}:{port}"
        return self._serve(name or f"{service}-api", command, environment, base, f"{base}/{service}/readyz")

    def worker(self, service: str, environment: Mapping[str, str], *, name: str = "") -> "Server":
        port = free_port()
        command = [sys.executable, "-m", PACKAGES[service], "worker", "--port", str(port)]
        base = f"http://{LOOPBACK}:{port}"
        return self._serve(name or f"{service}-worker", command, environment, base, f"{base}/{service}/readyz")

    def uvicorn(self, module: str, environment: Mapping[str, str], *, name: str) -> "Server":
        """An application that is not ours; it is ready once its port takes connections."""
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", str(port), *UVICORN]
        return self._serve(name, command, environment, f"http://{LOOPBACK}:{port}", None)

    def _serve(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], base: str, ready: str | None
    ) -> "Server":
        log = self.folder / f"{name}.log"
        process = launch(command, log=log, environment=environment, directory=ROOT, when_orphaned=signal.SIGTERM)
        self._processes.append((name, process))
        answers = (lambda: is_ready(ready)) if ready else (lambda: _takes(base))
        wait_for(process, answers, name=name, log=log, within=90)
        return Server(name, base, process, log)

    def stop(self, server: "Server") -> None:
        server.process.stop()
        self._processes = [(name, process) for name, process in self._processes if process != server.process]

    def close(self) -> None:
        for _, process in reversed(self._processes):
            process.stop()
        self._processes.clear()
        if self._kafka is not None:
            self._kafka.stop()
        if self._postgres is not None:
            self._postgres.stop()


@dataclass(frozen=True)
class Server:
    """A process that answers HTTP."""

    name: str
    base: str
    process: Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def grounds() -> Iterator[Grounds]:
    with scratch("hilo-load-") as folder:
        place = Grounds(folder)
        try:
            yield place
        finally:
            place.close()


def _takes(base: str) -> bool:
    host, _, port = base.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
