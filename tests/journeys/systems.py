"""The running system as a journey sees it: four origins, a key, and what may befall its processes."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from hilo.native.ports import LOOPBACK, free_port
from hilo.native.processes import Process, launch, wait_for
from hilo.native.roles import is_ready
from hilo.native.stack import Stack
from hilo.native.testing import real_stack

SERVICES = ("identity", "interactions", "scoring", "service-audit")
PATIENCE = 60.0
T = TypeVar("T")


class System(Protocol):
    """What both stacks have."""

    name: str
    bootstrap: str | None  # of the broker, where there is one

    @property
    def key(self) -> str: ...

    def origin(self, service: str) -> str: ...

    def blows(self) -> Sequence[tuple[str, Callable[[], None]]]:
        """What may befall it while it works: a name, and how it is done (killed, and started again)."""
        ...


class Embedded:
    """`hilo run` in a process of its own, with SQLite files in a folder of its own."""

    name = "embedded"
    bootstrap = None

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.port = free_port()
        self.log = folder / "hilo.log"
        self.process = self._started()

    @property
    def key(self) -> str:
        return (self.var / "credential").read_text().strip()

    def origin(self, service: str) -> str:  # noqa: ARG002 - one origin for all
        return f"http://{LOOPBACK}:{self.port}"

    def blows(self) -> Sequence[tuple[str, Callable[[], None]]]:
        return [("the process", self._killed_and_started)] * 3

    def stop(self) -> None:
        self.process.stop()

    def _killed_and_started(self) -> None:
        self.process.kill()
        self.process = self._started()

    def _started(self) -> Process:
        command = [Path(sys.executable).with_name("hilo"), "run", "--var", self.var, "--port", str(self.port)]
        process = launch(command, log=self.log, environment=dict(os.environ), when_orphaned=signal.SIGTERM)
        ready = lambda: all(is_ready(f"{self.origin(each)}/{each}/readyz") for each in SERVICES)  # noqa: E731
        wait_for(process, ready, name="hilo run", log=self.log, within=90)
        return process


class Native:
    """PostgreSQL, Apache Kafka, four APIs and four workers, each a process."""

    name = "native"

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.bootstrap = stack.kafka.bootstrap
        self._ports = {service.name: service.port for service in stack.services}

    @property
    def key(self) -> str:
        return self.stack.credential.read_text().strip()

    def origin(self, service: str) -> str:
        return f"http://{LOOPBACK}:{self._ports[service]}"

    def blows(self) -> Sequence[tuple[str, Callable[[], None]]]:
        roles = [
            "interactions-worker", "identity-worker", "scoring-worker", "interactions-api", "service-audit-worker", "kafka",
            "postgres",
        ]  # fmt: skip
        return [(role, lambda role=role: self._killed_and_started(role)) for role in roles]

    def _killed_and_started(self, role: str) -> None:
        self.stack.kill(role)
        self.stack.start(role)


@contextmanager
def embedded(folder: Path) -> Iterator[System]:
    system = Embedded(folder)
    try:
        yield system
    finally:
        system.stop()


@contextmanager
def native() -> Iterator[System]:
    with real_stack() as stack:
        yield Native(stack)


class Caller:
    """Somebody with a credential. Paths are the same on both stacks; only the origins differ."""

    def __init__(self, system: System, key: str | None = None) -> None:
        self.system = system
        self._others: list[Caller] = []
        self._client = httpx.Client(headers={"Authorization": f"Bearer {key or system.key}"}, timeout=30)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._client.request(method, self.system.origin(path.split("/")[1]) + path, **more)

    def get(self, path: str, **params: Any) -> Any:
        return read(self.ask("GET", path, params=params))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return read(self.ask("POST", path, json={} if body is None else body, headers=headers))

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return read(self.ask("PUT", path, json=body, headers=headers))

    def as_(self, key: str) -> "Caller":
        """Somebody else, with a key of his own; he leaves when this one does."""
        self._others.append(Caller(self.system, key))
        return self._others[-1]

    def close(self) -> None:
        for other in self._others:
            other.close()
        self._client.close()


def read(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def until(found: Callable[[], T], *, within: float = PATIENCE) -> T:
    """Asks again and again until there is something (or the assertion inside holds), and fails after a deadline."""
    deadline = time.monotonic() + within
    while True:
        try:
            answer = found()
            if answer:
                return answer
            trouble: Exception = AssertionError(f"still {answer!r} after {within:.0f} s")
        except (AssertionError, LookupError, TypeError, httpx.TransportError) as error:
            trouble = error
        if time.monotonic() > deadline:
            raise trouble
        time.sleep(0.1)
