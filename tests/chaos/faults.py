"""The faults: what is done to the running system, each for a while and under load. What it did is judged elsewhere."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import asyncpg

from hilo.native.errors import NativeError
from hilo.native.processes import Process, wait_until

from .checks import Checker
from .ledger import Ledger, Reply
from .load import Load
from .measures import Measures, between

T = TypeVar("T")
REPEATED_DEATH = 40.0  # how long a sabotaged process is given to come to the place where it dies


@dataclass
class Scene:
    """What a fault may use: the stack, the load and its ledger, hands to start and kill, chance, and how much of everything."""

    arena: Any  # Distributed, or Alone where the fault is made for it
    hands: ThreadPoolExecutor
    random: random.Random
    load: Load
    checker: Checker
    times: int = 8
    seconds: float = 15.0
    within: float = 120.0  # for the effects of what was sent, where a trial waits for them
    notes: list[str] = field(default_factory=list)
    measures: Measures = field(default_factory=Measures)
    scale: Mapping[str, int] = field(default_factory=dict)  # how much of what: poison, among, copies, capacity

    @property
    def ledger(self) -> Ledger:
        return self.load.ledger

    def replies(self, begun: float, ended: float | None = None) -> list[Reply]:
        """What the load recorded in that time."""
        return between(self.ledger.replies, begun, time.monotonic() if ended is None else ended)

    async def quarrel(self) -> None:
        await self.load.quarrel()

    async def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """Blocking work, off the loop that sends the load."""
        return await asyncio.get_running_loop().run_in_executor(self.hands, lambda: work(*arguments))

    async def pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self.random.uniform(least, most))

    async def kill(self, role: str) -> bool:
        """Whether it was at work, and is no more."""
        process = self.arena.process(role)
        was_alive = process is not None and process.is_alive()
        await self.do(self.arena.kill, role)
        return was_alive and not process.is_alive()

    async def start(self, role: str) -> None:
        await self.do(self.arena.start, role)

    async def launch(self, *roles: str) -> None:
        """Start roles that may be dead again before they are ready."""
        with suppress(NativeError):
            await self.do(self.arena.start_all, roles)


Fault = Callable[[Scene], Awaitable[int]]


async def calm(scene: Scene) -> int:
    """Nothing happens: what is wrong here is wrong without us."""
    await asyncio.sleep(scene.seconds)
    return 0


def killing(*roles: str) -> Fault:
    """kill -9 of one role, or of two or three at once, and a start at once; each role as often as told."""

    async def fault(scene: Scene) -> int:
        deaths, killed = list(roles) * scene.times, Counter[str]()
        scene.random.shuffle(deaths)
        for together in _at_once(deaths, scene.random):
            await scene.pause(0.2, 1.2)
            for role in together:
                killed[role] += await scene.kill(role)
            await scene.do(scene.arena.start_all, together)
        for role in roles:
            scene.measures.at_least(f"kills of {role}", killed[role], scene.times)
        return killed.total()

    return fault


def _at_once(deaths: Sequence[str], draw: random.Random) -> list[list[str]]:
    """The deaths in their order, one to three of different roles at a time."""
    groups: list[list[str]] = [[]]
    most = draw.randrange(1, 4)
    for role in deaths:
        if len(groups[-1]) >= most or role in groups[-1]:
            groups.append([])
            most = draw.randrange(1, 4)
        groups[-1].append(role)
    return [group for group in groups if group]


async def kill_backends(scene: Scene) -> int:
    """kill -9 of one PostgreSQL backend: the server ends all sessions and recovers."""
    killed = 0
    for _ in range(scene.times):
        await scene.pause(1.0, 2.0)
        connection = await connected(scene)
        pids = await connection.fetch(
            "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        await connection.close()
        if pids:
            os.kill(scene.random.choice(pids)["pid"], signal.SIGKILL)
            killed += 1
        await scene.do(lambda: wait_until(scene.arena.stack.postgres.accepts_connections, within=30))
    scene.measures.at_least("kills of a backend", killed, scene.times)
    return killed


async def connected(scene: Scene) -> Any:
    url = scene.arena.stack.postgres.url("postgres", driver="postgresql")
    for _ in range(60):
        try:
            return await asyncpg.connect(url, timeout=5)
        except (TimeoutError, OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.5)
    return await asyncpg.connect(url, timeout=5)


def freezing(*roles: str, seconds: float = 18.0) -> Fault:
    """A process hangs for longer than its group waits for it, is replaced by another, and thaws."""

    async def fault(scene: Scene) -> int:
        for role in roles:
            process, service = scene.arena.process(role), role.partition("-worker")[0]
            assert process is not None
            process.send(signal.SIGSTOP)
            before, _ = await scene.checker.told_and_claimed(service)
            await asyncio.sleep(seconds)
            told, claimed = await scene.checker.told_and_claimed(service)
            process.send(signal.SIGCONT)
            # where nobody had taken its place, that of its half of the partitions
            left = (told - claimed) / max(1, told - before)
            scene.measures.at_most(f"share left of what came while {role} was frozen", left, 0.25)
            await asyncio.sleep(2)
        return len(roles)

    return fault


def dying(plan: str, *roles: str) -> Fault:
    """Each role dies at the place that the plan names, is started again, and dies again; in the end it runs as it is.

    Who seldom comes to that place gets as many turns again, and dies there at once.
    """

    async def fault(scene: Scene) -> int:
        before = {role: scene.arena.deaths_on_purpose(role) for role in roles}
        deaths = dict.fromkeys(roles, 0)
        for turn in range(2 * scene.times):
            short = [role for role in roles if deaths[role] < scene.times]
            if not short:
                break
            await heal(scene, [role for role in roles if role not in short])  # or the others have nothing to do
            for role in short:
                passes = scene.random.randrange(1, 8) if turn < scene.times else 1
                scene.arena.sabotage(role, f"{plan}:{passes}")
                await scene.kill(role)
            await scene.launch(*short)
            for role in short:
                await dead(scene.arena.process(role), scene)
            deaths = {role: scene.arena.deaths_on_purpose(role) - before[role] for role in roles}
        await heal(scene, roles)
        for role, count in deaths.items():
            scene.measures.at_least(f"{plan} of {role}", count, scene.times)
        return sum(deaths.values())

    return fault


async def dead(process: Process | None, scene: Scene) -> None:
    """Waits for its death; people act meanwhile, or an API that only they use would not come to that place."""
    deadline = time.monotonic() + REPEATED_DEATH
    while process is not None and process.is_alive() and time.monotonic() < deadline:
        await scene.quarrel()
        await asyncio.sleep(0.1)


def running(plan: str, *roles: str) -> Fault:
    """The roles run under the plan while the load does, and until all is judged."""
    return planted(dict.fromkeys(roles, plan))


def planted(plans: Mapping[str, str]) -> Fault:
    """Each role runs under its own plan while the load does, and until all is judged."""

    async def fault(scene: Scene) -> int:
        for role, plan in plans.items():
            scene.arena.sabotage(role, plan)
            await scene.kill(role)
            await scene.start(role)
        await asyncio.sleep(scene.seconds)
        return 1

    return fault


def quarrelling(plans: Mapping[str, str]) -> Fault:
    """The same, while people merge customers and undo it at once: decisions on one trace overtake each other."""

    async def fault(scene: Scene) -> int:
        await planted(plans)(replace(scene, seconds=3))
        until, quarrels, undone = time.monotonic() + scene.seconds, 0, len(scene.ledger.undone)
        while time.monotonic() < until:
            await asyncio.gather(*(scene.quarrel() for _ in range(3)))
            quarrels += 3
        scene.measures.at_least("merges undone", len(scene.ledger.undone) - undone, scene.times)
        return quarrels

    return fault


def in_turn(*some: Fault) -> Fault:
    """One fault after the other, judged as one."""

    async def fault(scene: Scene) -> int:
        return sum([await one(scene) for one in some])

    return fault


def beside(fault: Fault, work: Fault) -> Fault:
    """The work is done while the fault lasts."""

    async def both(scene: Scene) -> int:
        done, _ = await asyncio.gather(work(scene), fault(scene))
        return done

    return both


def struck(plan: str, *roles: str) -> Fault:
    """The roles run under the plan, and are killed under it again and again."""

    async def fault(scene: Scene) -> int:
        for role in roles:
            scene.arena.sabotage(role, plan)
            for _ in range(scene.times + 1):
                await scene.kill(role)
                await scene.start(role)
                await scene.pause(2.0, 3.0)
        await heal(scene, roles)
        return scene.times

    return fault


async def heal(scene: Scene, roles: Sequence[str]) -> None:
    """From now on the roles run as they are."""
    for role in roles:
        scene.arena.sabotage(role, None)
        await scene.kill(role)
    await scene.do(scene.arena.start_all, roles)


@asynccontextmanager
async def doubled(scene: Scene, roles: Sequence[str]) -> AsyncIterator[None]:
    """A second one of each: two relays, two members of each group, a second address to ask."""
    await scene.do(scene.arena.start_all, roles)
    try:
        yield
    finally:
        for role in scene.arena.seconds:
            await scene.do(scene.arena.retire, role)
