"""The processes of the distributed stack, one by one: the same commands that Docker Compose runs."""

import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilo.native.errors import NativeError
from hilo.native.ports import LOOPBACK, is_free
from hilo.native.processes import Process, wait_for, wait_until

READY_WITHIN = 90.0
# A worker without a door counts as started when it is still there after this long.
STAYS_FOR = 1.0
# A process that was killed keeps its sockets until the last of its threads has gone, a moment after its own end.
FREED_WITHIN = 2.0


@dataclass(frozen=True)
class Service:
    """One of the four services: its name in URLs, its package, the ports of its API and of its worker's door on this machine."""

    name: str
    package: str
    port: int
    door: int = 0  # health and figures of the worker; 0: it has none

    @property
    def database(self) -> str:
        return self.package

    def worker_arguments(self) -> list[str]:
        return ["worker", "--port", str(needed_port(self.door, f"{self.name}-worker"))] if self.door else ["worker"]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", self.package, *arguments]


SERVICES = (
    Service("identity", "identity", 8001, 8011),
    Service("interactions", "interactions", 8002, 8012),
    Service("scoring", "scoring", 8003, 8013),
    Service("service-audit", "service_audit", 8004, 8014),
)


@dataclass(frozen=True)
class Role:
    """Something that is started, noted by pid, and stopped: a server or one process of a service."""

    name: str
    where: str
    launch: Callable[[], Process]
    until_ready: Callable[[Process], None]
    stop_signal: signal.Signals = signal.SIGTERM


# Starts a command of a service, with its environment, and writes what it says to a log.
Start = Callable[[Sequence[str], Path], Process]


def api_role(service: Service, *, start: Start, logs: Path) -> Role:
    name = f"{service.name}-api"
    log = logs / f"{name}.log"
    base = f"http://{LOOPBACK}:{service.port}/{service.name}"
    return Role(
        name=name,
        where=f"{base}/docs",
        launch=lambda: start(["api", "--port", str(needed_port(service.port, name))], log),
        until_ready=lambda process: wait_for(
            process, lambda: is_ready(f"{base}/readyz"), name=name, log=log, within=READY_WITHIN
        ),
    )


def needed_port(port: int, name: str) -> int:
    """The port itself. Were it taken, whoever has it would answer in the place of the process that could not start."""
    if not wait_until(lambda: is_free(port), within=FREED_WITHIN):
        raise NativeError(
            f"{name} needs port {port}, and another program has it: another stack on this machine, perhaps."
        )
    return port


def worker_role(service: Service, *, start: Start, logs: Path) -> Role:
    name = f"{service.name}-worker"
    log = logs / f"{name}.log"
    ready = f"http://{LOOPBACK}:{service.door}/{service.name}/readyz"
    return Role(
        name=name,
        where=ready if service.door else "relay, consumers and timers",
        launch=lambda: start(service.worker_arguments(), log),
        until_ready=lambda process: (
            wait_for(process, lambda: is_ready(ready), name=name, log=log, within=READY_WITHIN)
            if service.door
            else stays(process, name=name, log=log)
        ),
    )


def stays(process: Process, *, name: str, log: Path, seconds: float = STAYS_FOR) -> None:
    """Returns when the process has been there for a while; raises with the end of its log when it has ended."""
    deadline = time.monotonic() + seconds
    wait_for(process, lambda: time.monotonic() > deadline, name=name, log=log, within=seconds + 1)


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
