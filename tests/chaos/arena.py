"""The stack under fire: every process of it can be killed, frozen, sabotaged and started again, by its name."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hilo.native.ports import LOOPBACK, free_port
from hilo.native.processes import Process, launch, wait_for
from hilo.native.roles import SERVICES, Service, is_ready
from hilo.native.stack import Stack
from hilo.native.testing import fleeting_stack, scratch

LAST_WORDS = b"died on purpose"
SABOTEUR = Path(__file__).with_name("saboteur.py")
NAMES = tuple(service.name for service in SERVICES)
APIS = tuple(f"{name}-api" for name in NAMES)
WORKERS = tuple(f"{name}-worker" for name in NAMES)
SECOND_APIS = tuple(f"{role}-2" for role in APIS)
SECOND_WORKERS = tuple(f"{role}-2" for role in WORKERS)


class Arena(Protocol):
    """What the faults and the checks need of a stack, whichever it is."""

    name: str
    bootstrap: str | None

    @property
    def sabotaged(self) -> Sequence[str]: ...

    @property
    def key(self) -> str: ...

    def origins(self, service: str) -> Sequence[str]:
        """Every API of the service: there may be several."""
        ...

    def url(self, service: str) -> str:
        """The service's database, for the checks."""
        ...

    def process(self, role: str) -> Process | None: ...

    def kill(self, role: str) -> None: ...

    def start(self, role: str) -> None: ...

    def start_all(self, roles: Sequence[str]) -> None:
        """Launch all, then wait for each."""
        ...

    def sabotage(self, role: str, plan: str | None) -> None:
        """From its next start on the role runs with this plan of the saboteur; None: as it is."""
        ...


@dataclass(frozen=True)
class Sabotaged(Service):
    """A service whose processes may run under the saboteur. `plans`: the name of a role -> its plan."""

    plans: dict[str, str] = field(default_factory=dict, compare=False)
    told: dict[str, dict[str, str]] = field(default_factory=dict, compare=False)  # the environment of a role, besides

    def command(self, *arguments: str) -> list[str]:
        return self.command_of(f"{self.name}-{arguments[0]}" if arguments else "", *arguments)

    def command_of(self, role: str, *arguments: str) -> list[str]:
        plan, told = self.plans.get(role), self.told.get(role, {})
        command = super().command(*arguments)
        if plan is not None:
            command = [sys.executable, str(SABOTEUR), self.package, plan, *arguments]
        return ["env", *(f"{name}={value}" for name, value in told.items()), *command] if told else command


class Distributed:
    """PostgreSQL, Apache Kafka, four APIs and four workers; the roles named `<service>-<api|worker>-2` are seconds of a kind."""

    name = "distributed"

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.bootstrap: str | None = stack.kafka.bootstrap
        self._services: Mapping[str, Service] = {service.name: service for service in stack.services}
        self._seconds: dict[str, tuple[Process, int]] = {}

    @property
    def key(self) -> str:
        return self.stack.credential.read_text().strip()

    def origins(self, service: str) -> Sequence[str]:
        ports = [self._services[service].port]
        if (second := self._seconds.get(f"{service}-api-2")) is not None:
            ports.append(second[1])
        return [f"http://{LOOPBACK}:{port}" for port in ports]

    def url(self, service: str) -> str:
        return self.stack.postgres.url(self._services[service].database)

    def process(self, role: str) -> Process | None:
        if role in self._seconds:
            return self._seconds[role][0]
        return next(each.process for each in self.stack.standings() if each.role.name == role)

    def kill(self, role: str) -> None:
        if role in self._seconds:
            self._seconds[role][0].kill()
        else:
            self.stack.kill(role)

    def stop(self, role: str, *, within: float) -> bool:
        """SIGTERM; whether it ended by itself in time. The broker and the database get what makes them end in order."""
        process = self.process(role)
        number = self.stack.roles[role].stop_signal if role in self.stack.roles else signal.SIGTERM
        return process is None or process.stop(number, within=within)

    def told(self, role: str, environment: Mapping[str, str]) -> None:
        """Start the role anew, with these words in its environment besides."""
        service = self._sabotaged(role)
        service.told[role] = dict(environment)
        self.stop(role, within=15)
        self.start(role)

    def _sabotaged(self, role: str) -> Sabotaged:
        service = next(s for s in self._services.values() if role.startswith(f"{s.name}-"))
        assert isinstance(service, Sabotaged)
        return service

    def door(self, role: str) -> str:
        """Where a second worker tells how it is."""
        return f"http://{LOOPBACK}:{self._seconds[role][1]}/{role.removesuffix('-worker-2')}"

    def start(self, role: str) -> None:
        self.start_all([role])

    def sabotage(self, role: str, plan: str | None) -> None:
        service = self._sabotaged(role)
        if plan is None:
            service.plans.pop(role, None)
        else:
            service.plans[role] = plan

    @property
    def sabotaged(self) -> list[str]:
        return [role for service in self._services.values() if isinstance(service, Sabotaged) for role in service.plans]

    def start_all(self, roles: Sequence[str]) -> None:
        """Launch all, then wait for each."""
        waits = [self._launch_second(role) for role in roles if role.endswith("-2")]
        self.stack.start(*(role for role in roles if not role.endswith("-2")))
        for wait in waits:
            wait()

    def _launch_second(self, role: str) -> Callable[[], None]:
        """Gives what waits until it is ready."""
        name, kind = role.removesuffix("-2").rsplit("-", 1)
        service = self._services[name]
        known = self._seconds.get(role)
        port = known[1] if known else free_port()
        log = self.stack.logs / f"{role}.log"
        assert isinstance(service, Sabotaged)
        process = launch(
            service.command_of(role, kind, "--port", str(port)),
            log=log,
            environment=self.stack.environment(service),
            when_orphaned=signal.SIGTERM,
        )
        self._seconds[role] = (process, port)
        url = f"http://{LOOPBACK}:{port}/{name}/readyz"
        return lambda: wait_for(process, lambda: is_ready(url), name=role, log=log, within=90)

    def deaths_on_purpose(self, role: str) -> int:
        """How often the saboteur ended this role at the place it was told; one that fell before it does not count."""
        log = self.stack.logs / f"{role}.log"
        return log.read_bytes().count(LAST_WORDS) if log.exists() else 0

    def complaints(self) -> Counter[str]:
        """Warnings and errors of the processes' logs, by role and event; the server's own too."""
        found: Counter[str] = Counter()
        for log in sorted(self.stack.logs.glob("*.log")):
            found.update(_complaints(log))
        server = self.stack.postgres.log.read_text(errors="replace").splitlines()
        found.update(f"postgres: {line.partition('] ')[2][:90]}" for line in server if "ERROR:" in line)
        return found

    @property
    def seconds(self) -> list[str]:
        return list(self._seconds)

    def retire(self, role: str) -> None:
        """End a second one of its kind."""
        process, _ = self._seconds.pop(role)
        process.send(signal.SIGCONT)  # a frozen one would not hear that it is to end
        process.stop()

    def close(self) -> None:
        for role in self.seconds:
            self.retire(role)
        for standing in self.stack.standings():
            if standing.process is not None:
                standing.process.send(signal.SIGCONT)


def _complaints(log: Path) -> Iterator[str]:
    inside = False
    for line in log.read_text(errors="replace").splitlines():
        if inside and not line.startswith(" ") and line:
            inside = line.startswith(("Traceback", "The above", "During"))
            if not inside:
                yield f"{log.stem}: traceback ending in {line[:160]}"
        elif line.lstrip(" |+").startswith("Traceback"):
            inside = True
        elif line.startswith("{"):
            yield from _complaint(log.stem, line)


def _complaint(role: str, line: str) -> Iterator[str]:
    try:
        said = json.loads(line)
    except ValueError:
        return
    if said.get("level") in ("warning", "error", "critical"):
        reason = said.get("reason") or said.get("error") or said.get("code") or said.get("kind") or ""
        yield f"{role}: {str(said.get('event')).splitlines()[0][:60]} {str(reason).splitlines()[0][:80] if reason else ''}"


class Alone:
    """The embedded stack: one process, four SQLite files. Its one role is `hilo`."""

    name = "embedded"
    bootstrap: str | None = None
    seconds: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.log = folder / "hilo.log"
        self._port = free_port()
        self._plan: str | None = None
        self._told: dict[str, str] = {}
        self._process: Process | None = None
        self.start("hilo")

    @property
    def key(self) -> str:
        return (self.var / "credential").read_text().strip()

    def origins(self, service: str) -> Sequence[str]:  # noqa: ARG002 - one origin for all
        return [f"http://{LOOPBACK}:{self._port}"]

    def file(self, service: str) -> Path:
        return self.var / f"{service}.db"

    def url(self, service: str) -> str:
        return f"sqlite+aiosqlite:///{self.file(service)}"

    def process(self, role: str) -> Process | None:  # noqa: ARG002
        return self._process

    def kill(self, role: str) -> None:  # noqa: ARG002
        if self._process is not None:
            self._process.kill()

    def stop(self, role: str, *, within: float) -> bool:  # noqa: ARG002
        return self._process is None or self._process.stop(within=within)

    def launch(self) -> Process:
        """Start it, and do not wait until it is ready."""
        arguments = ["run", "--var", self.var, "--port", self._port]
        command: list[Any] = [Path(sys.executable).with_name("hilo"), *arguments]
        if self._plan is not None:
            command = [sys.executable, SABOTEUR, "hilo", self._plan, *arguments]
        environment = {**os.environ, **self._told}
        self._process = launch(command, log=self.log, environment=environment, when_orphaned=signal.SIGTERM)
        return self._process

    def start(self, role: str) -> None:  # noqa: ARG002
        process = self.launch()
        wait_for(process, self.is_ready, name="hilo run", log=self.log, within=240)

    def start_all(self, roles: Sequence[str]) -> None:
        for role in roles:
            self.start(role)

    def is_ready(self) -> bool:
        return all(is_ready(f"http://{LOOPBACK}:{self._port}/{name}/readyz") for name in NAMES)

    def sabotage(self, role: str, plan: str | None) -> None:  # noqa: ARG002
        self._plan = plan

    @property
    def sabotaged(self) -> list[str]:
        return [] if self._plan is None else ["hilo"]

    def told(self, role: str, environment: Mapping[str, str]) -> None:
        self._told = dict(environment)
        self.stop(role, within=15)
        self.start(role)

    def deaths_on_purpose(self, role: str) -> int:  # noqa: ARG002
        return self.log.read_bytes().count(LAST_WORDS)

    def complaints(self) -> Counter[str]:
        return Counter(_complaints(self.log))

    def close(self) -> None:
        if self._process is not None:
            self._process.send(signal.SIGCONT)
            self._process.stop()


@contextmanager
def distributed() -> Iterator[Distributed]:
    """The distributed stack in a temporary directory, on ports of its own."""
    own = [Sabotaged(service.name, service.package, free_port()) for service in SERVICES]
    with fleeting_stack("hilo-chaos-", own) as stack:
        arena = Distributed(stack)
        try:
            yield arena
        finally:
            arena.close()


@contextmanager
def alone() -> Iterator[Alone]:
    with scratch("hilo-chaos-") as directory:
        arena = Alone(directory)
        try:
            yield arena
        finally:
            arena.close()


@contextmanager
def hands() -> Iterator[ThreadPoolExecutor]:
    """One thread that starts and kills. What it has started ends with it, so it lives as long as the arena."""
    with ThreadPoolExecutor(1, thread_name_prefix="chaos") as executor:
        yield executor
