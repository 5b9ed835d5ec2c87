"""Processes that outlive the command that started them, and are found again by pid and start time."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hilo.native.errors import NativeError

# Children of this very process have to be reaped by it; after the command has ended, init does that.
_children: dict[int, subprocess.Popen[bytes]] = {}


@atexit.register
def _let_go() -> None:
    """Those that go on without us are init's from now on; Python would warn of each of them."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0
    _children.clear()


@dataclass(frozen=True)
class Process:
    """A running program. `started` tells it from a later one that was given the same pid."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        started = _start_time(self.pid)
        # Asked in this order: a child that has ended is reaped before it is called dead, else its pid still answers.
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            del _children[self.pid]
            return False
        return started == self.started

    def send(self, number: signal.Signals) -> None:
        if self.is_alive():
            os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 20.0) -> bool:
        """Asks it to end and, if it has not after `within` seconds, kills it. True: it ended when asked."""
        self.send(number)
        return self.ends(within=within)

    def ends(self, *, within: float) -> bool:
        """Waits for its end after a signal, and kills it when it does not come. True: it ended by itself."""
        if wait_until(lambda: not self.is_alive(), within=within):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        wait_until(lambda: not self.is_alive(), within=10)


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    user: str | None = None,
    when_orphaned: signal.Signals | None = None,
) -> Process:
    """Starts a program in a session of its own, so that Ctrl-C at the terminal does not reach it.

    It outlives this process, unless `when_orphaned` names the signal that it is to get then (Linux; elsewhere it stays).
    """
    setpriv = shutil.which("setpriv")
    if when_orphaned is not None and setpriv is not None:
        command = [setpriv, "--pdeathsig", when_orphaned.name.removeprefix("SIG"), "--", *command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=directory,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    _children[child.pid] = child
    return Process(pid=child.pid, started=_start_time(child.pid) or "")


@contextmanager
def ended_on_failure(process: Process) -> Iterator[None]:
    """Whatever breaks off the start, Ctrl-C too, leaves no process that nobody has noted."""
    try:
        yield
    except BaseException:
        process.stop()
        raise


def remember(process: Process, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(process)))


def recall(file: Path) -> Process | None:
    """The process noted in `file`, if that very process still runs; a stale note is removed."""
    try:
        process = Process(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if process.is_alive():
        return process
    file.unlink(missing_ok=True)
    return None


def wait_until(condition: Callable[[], bool], *, within: float, every: float = 0.05) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def wait_for(process: Process, answers: Callable[[], bool], *, name: str, log: Path, within: float) -> None:
    """Returns once the process answers; raises with the end of its log when it ended or took too long."""
    answered = False

    def settled() -> bool:
        nonlocal answered
        answered = answers()  # asked once more it may be busy: what has answered has started
        return answered or not process.is_alive()

    wait_until(settled, within=within)
    if not process.is_alive():
        raise NativeError(f"{name} ended while starting. The end of {log}:\n{tail(log)}")
    if not answered:
        raise NativeError(f"{name} did not answer within {within:.0f} s. The end of {log}:\n{tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


def _start_time(pid: int) -> str | None:
    """When the process started, in the system's own words; None: there is none, or it is only waiting to be reaped."""
    try:
        # The name in parentheses may hold spaces: fields are counted after the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_time_by_ps(pid)
    return None if fields[0] == "Z" else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None
