"""The distributed stack as processes of this machine: brought up in order, found again by their notes, taken down in reverse."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TextIO

from common.auth import first_credential, first_secret
from common.bus.kafka import ensure_topics
from common.holds import hold
from common.service import all_topics
from common.settings import Settings
from hilo.native.errors import NativeError
from hilo.native.kafka import KafkaServer
from hilo.native.ports import free_port
from hilo.native.postgres import PostgresServer
from hilo.native.processes import Process, launch, recall, remember
from hilo.native.roles import SERVICES, Role, Service, api_role, needed_port, worker_role

PREFERRED_PORTS = {"postgres": 25_432, "kafka": 29_092}
STOP_WITHIN = 40.0


@dataclass(frozen=True)
class Standing:
    """How one role stands: its process, or none."""

    role: Role
    process: Process | None


class Stack:
    """Everything lives under `var`: data, secrets, logs, and a note of each process that runs.

    `fleeting` is for tests: no fsync, a fast start before throughput, and all ends with the process that has started it.
    """

    def __init__(self, var: Path, *, services: Sequence[Service] = SERVICES, fleeting: bool = False) -> None:
        self.fleeting = fleeting
        self.var = var.resolve()
        self.services = services
        self.logs = self.var / "log"
        self._ports = self.var / "run" / "ports.json"

    # --- the whole ----------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Starts what does not run yet and returns when every API is ready. Data of an earlier time are found again."""
        with self._alone():
            for service in self.services:
                if self._process(f"{service.name}-api") is None:
                    needed_port(service.port, f"{service.name}-api")
            for name in ("postgres", "kafka"):
                self._start(name)
            self._prepare_databases()
            self._make_topics()
            self._start(*(name for name in self.roles if name not in ("postgres", "kafka")))

    def down(self) -> list[str]:
        """Stops exactly what `up` and `start` have started, workers first, the servers last. Names what had to be killed."""
        with self._alone():
            killed: list[str] = []
            for group in self._groups():
                killed += self._stop(*group)
            return killed

    def standings(self) -> list[Standing]:
        return [Standing(role, self._process(name)) for name, role in self.roles.items()]

    # --- one by one ---------------------------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        with self._alone():
            self._start(*map(self._known, names))

    def stop(self, name: str) -> list[str]:
        with self._alone():
            return self._stop(self._known(name))

    def kill(self, name: str) -> None:
        """Ends it as a power cut would: no signal that it could handle."""
        with self._alone():
            process = self._process(self._known(name))
            if process is not None:
                process.kill()
                self._note(name).unlink(missing_ok=True)

    # --- what there is ------------------------------------------------------------------------------------------------

    @cached_property
    def roles(self) -> dict[str, Role]:
        """In the order in which they start."""
        roles = [self._postgres_role(), self._kafka_role()]
        for build in (api_role, worker_role):
            # The environment is asked for at the start: ports and secrets are known by then.
            roles += [build(each, start=partial(self._start_command, each), logs=self.logs) for each in self.services]
        return {role.name: role for role in roles}

    @cached_property
    def postgres(self) -> PostgresServer:
        return PostgresServer(home=self.var / "postgres", port=self._port("postgres"), fast=self.fleeting)

    @cached_property
    def kafka(self) -> KafkaServer:
        return KafkaServer(home=self.var / "kafka", port=self._port("kafka"), quick=self.fleeting)

    @property
    def is_there(self) -> bool:
        """Whether it was ever started: it has ports, data and secrets then."""
        return self._ports.exists()

    @property
    def credential(self) -> Path:
        return self.var / "credential"

    def environment(self, service: Service) -> dict[str, str]:
        """What a process of the service is told. What the caller's own environment says beside it is passed on."""
        secret = first_secret(self.var)
        _, first_key_hash = first_credential(self.var, secret)
        told = {
            "HILO_DATABASE_URL": self.postgres.url(service.database),
            "HILO_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "HILO_SECRET": secret,
            "HILO_FIRST_KEY_HASH": first_key_hash,
        }
        return {"HILO_ENVIRONMENT": "development", "PYTHONUNBUFFERED": "1"} | dict(os.environ) | told

    # --- how ----------------------------------------------------------------------------------------------------------

    def _postgres_role(self) -> Role:
        return Role(
            name="postgres",
            where=f"127.0.0.1:{self._port('postgres')}",
            launch=lambda: self.postgres.start(),  # noqa: PLW0108 - `down` must do without the binaries
            until_ready=lambda _: None,
            stop_signal=signal.SIGINT,  # fast: sessions are ended, nothing committed is lost
        )

    def _kafka_role(self) -> Role:
        return Role(
            name="kafka",
            where=f"127.0.0.1:{self._port('kafka')}",
            launch=lambda: self.kafka.start(),  # noqa: PLW0108
            until_ready=lambda _: None,
        )

    def _start_command(self, service: Service, arguments: Sequence[str], log: Path) -> Process:
        orphaned = signal.SIGTERM if self.fleeting else None
        command = service.command(*arguments)
        return launch(command, log=log, environment=self.environment(service), when_orphaned=orphaned)

    def _groups(self) -> Iterator[list[str]]:
        names = list(self.roles)
        yield [name for name in names if name.endswith("-worker")]
        yield [name for name in names if name.endswith("-api")]
        yield ["kafka"]
        yield ["postgres"]

    def _start(self, *names: str) -> None:
        """Launches all, then waits for each: imports of one run while another connects."""
        launched: list[tuple[Role, Process]] = []
        for name in names:
            if self._process(name) is None:
                role = self.roles[name]
                process = role.launch()
                remember(process, self._note(name))
                launched.append((role, process))
        for role, process in launched:
            role.until_ready(process)

    def _stop(self, *names: str) -> list[str]:
        """Asks all, then waits for each; gives the names of those that had to be killed."""
        running = [(name, process) for name in names if (process := self._process(name)) is not None]
        for name, process in running:
            process.send(self.roles[name].stop_signal)
        killed = [name for name, process in running if not process.ends(within=STOP_WITHIN)]
        for name, _ in running:
            self._note(name).unlink(missing_ok=True)
        return killed

    def _prepare_databases(self) -> None:
        for service in self.services:
            self.postgres.create_database(service.database)
            # One after another: alembic keeps its context in one place of the process, and locks wait in vain.
            self._migrate(service)

    def _make_topics(self) -> None:
        """Each worker does this too; here it is done before any producer can come."""
        asyncio.run(ensure_topics(self.kafka.bootstrap, all_topics(), partitions=Settings().kafka_partitions))

    def _migrate(self, service: Service) -> None:
        done = subprocess.run(
            service.command("migrate"), env=self.environment(service), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NativeError(
                f"The migrations of {service.name} failed:\n{(done.stderr or done.stdout).strip()[-2000:]}"
            )

    def _process(self, name: str) -> Process | None:
        return recall(self._note(name))

    def _note(self, name: str) -> Path:
        return self.var / "run" / f"{name}.pid"

    def _known(self, name: str) -> str:
        if name not in self.roles:
            raise NativeError(f"There is no role `{name}`. The roles are: {', '.join(self.roles)}.")
        return name

    def _port(self, name: str) -> int:
        """The same port at every start, so that what runs finds a server that was started again."""
        ports: dict[str, int] = json.loads(self._ports.read_text()) if self._ports.exists() else {}
        if name not in ports:
            ports[name] = free_port(None if self.fleeting else PREFERRED_PORTS[name])
            self._ports.parent.mkdir(parents=True, exist_ok=True)
            self._ports.write_text(json.dumps(ports))
        return ports[name]

    def _alone(self) -> TextIO:
        """A hold: two commands at once would start everything twice."""
        try:
            return hold(self.var / "run" / "lock")
        except BlockingIOError:
            raise NativeError("Another command is starting or stopping this stack.") from None
