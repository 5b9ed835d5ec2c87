"""From the log again: a range given to one consumer once more, or projections built anew; on the data of either stack."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from common.bus.history import Bound, OutboxHistory
from common.bus.local import sources_of
from common.replay import NotReplayed, Replayed, refuse_unfit
from common.service import Runtime, Service, TellTale, rebuild_projections, replay_history
from hilo.embedded import embedded_runtimes
from hilo.native.stack import Stack
from hilo.services import SERVICES


@dataclass(frozen=True)
class Ground:
    """A service of the embedded stack, and the outboxes that it listens to."""

    service: Service
    runtime: Runtime
    runtimes: Mapping[str, Runtime]

    def history(self, *topics: str, start: Bound = None, until: Bound = None) -> OutboxHistory:
        databases = {name: runtime.database for name, runtime in self.runtimes.items()}
        return OutboxHistory(sources_of(topics, databases), topics, start=start, until=until)


def known(name: str) -> Service:
    """The service of that name. Raises LookupError."""
    for service in SERVICES:
        if service.name == name:
            return service
    raise LookupError(f"There is no service `{name}`: {', '.join(each.name for each in SERVICES)}")


async def replay_embedded(
    var: Path, name: str, topic: str, start: Bound, until: Bound, *, new_database: bool
) -> Replayed:
    """Replay on the SQLite files under `var`; whether the system runs meanwhile or not."""
    async with _ground(var, name) as ground:
        consumer = ground.service.create_consumer(ground.runtime)
        refuse_unfit(topic, consumer)
        if topic in consumer.raw:
            raise NotReplayed(f"{topic} is no service's log: on this stack nobody writes it")
        async with ground.history(topic, start=start, until=until) as history:
            return await replay_history(ground.service, ground.runtime, history, new_database=new_database)


async def rebuild_embedded(var: Path, name: str, *, short_log: bool) -> int:
    """Rebuild on the SQLite files under `var`; whether the system runs meanwhile or not. Gives how many events it took.

    Where the log has lost its beginning and the states are to be mended, their owners tell them anew first. At the end the
    service tells its own state anew, so that those who listen to it agree.
    """
    async with _ground(var, name) as ground:
        topics = ground.service.create_consumer(ground.runtime).topics
        async with ground.history(*topics) as history:
            if short_log:
                for owner in await history.reaches_back():
                    await _tell_anew(known(owner), ground.runtimes[owner], people=any(".people." in t for t in topics))
            count = await rebuild_projections(
                ground.service, ground.runtime, history, tell=TellTale().progress, short_log=short_log
            )
        await _tell_anew(ground.service, ground.runtime, people=True)
        return count


async def republish_embedded(var: Path, name: str, kind: str) -> int:
    """Have the service of the SQLite files under `var` tell that part of its state anew; gives how many events it wrote."""
    async with _ground(var, name) as ground:
        tellers = ground.service.republish
        if kind not in tellers:
            raise LookupError(f"{name} tells no {kind} anew: {', '.join(sorted(tellers))}")
        return await tellers[kind](ground.runtime)


def on_native(var: Path, name: str, *arguments: str) -> int:
    """The same by the command of the service itself, in the environment of the stack of `make up`; gives its exit code."""
    stack = Stack(var)
    service = next((each for each in stack.services if each.name == name), None)
    if service is None:
        raise LookupError(f"There is no service `{name}`")
    if not stack.is_there:
        raise LookupError(f"{var} holds no stack of `make up`: name its folder with --var")
    return subprocess.run(service.command(*arguments), env=stack.environment(service), check=False).returncode


async def _tell_anew(service: Service, runtime: Runtime, *, people: bool) -> None:
    for kind, republish in service.republish.items():
        if people or kind not in PEOPLE:
            await republish(runtime)


PATIENCE_SECONDS = 120.0  # nobody's answer hangs on a command: it waits its turn, however busy the running system is
PEOPLE = ("people", "profiles")  # what is told on the topics that are kept for days


@asynccontextmanager
async def _ground(var: Path, name: str) -> AsyncIterator[Ground]:
    service = known(name)
    if not (var / f"{name}.db").exists():
        raise LookupError(f"{var} holds no data of {name}: name its folder with --var, or say --up")
    runtimes = embedded_runtimes(var, patience=PATIENCE_SECONDS)
    try:
        yield Ground(service, runtimes[name], runtimes)
    finally:
        for runtime in runtimes.values():
            await runtime.database.dispose()
