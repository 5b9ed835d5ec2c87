"""The faults: what is done to the running system, each for a while and under load. What it did is judged elsewhere."""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from hilo.native.errors import NativeError
from hilo.native.processes import Process, wait_until

from .arena import APIS, NAMES, WORKERS, Distributed
from .checks import HEARS, wanted
from .ledger import Ledger

T = TypeVar("T")
REPEATED_DEATH = 40.0  # how long a sabotaged process is given to come to the place where it dies


async def calm_down() -> None:
    """Nobody quarrels."""
    await asyncio.sleep(0.1)


@dataclass
class Scene:
    """What a fault may use: the stack, hands to start and kill, chance, and how much of everything."""

    arena: Distributed
    hands: ThreadPoolExecutor
    random: random.Random
    times: int = 8
    seconds: float = 15.0
    ledger: Ledger = field(default_factory=Ledger)
    quarrel: Callable[[], Awaitable[None]] = calm_down
    notes: list[str] = field(default_factory=list)

    async def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """Blocking work, off the loop that sends the load."""
        return await asyncio.get_running_loop().run_in_executor(self.hands, lambda: work(*arguments))

    async def pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self.random.uniform(least, most))

    async def kill(self, role: str) -> None:
        await self.do(self.arena.kill, role)

    async def start(self, role: str) -> None:
        await self.do(self.arena.start, role)

    async def launch(self, role: str) -> None:
        """Start a role that may be dead again before it is ready."""
        with suppress(NativeError):
            await self.start(role)


Fault = Callable[[Scene], Awaitable[int]]


async def calm(scene: Scene) -> int:
    """Nothing happens: what is wrong here is wrong without us."""
    await asyncio.sleep(scene.seconds)
    return 0


def killing(*roles: str) -> Fault:
    """kill -9 of each role in turn, and a start at once."""

    async def fault(scene: Scene) -> int:
        deaths = list(roles) * scene.times
        scene.random.shuffle(deaths)
        for role in deaths:
            await scene.pause(0.2, 1.2)
            await scene.kill(role)
            await scene.start(role)
        return len(deaths)

    return fault


async def kill_backends(scene: Scene) -> int:
    """kill -9 of one PostgreSQL backend: the server ends all sessions and recovers."""
    for _ in range(scene.times):
        await scene.pause(1.0, 2.0)
        connection = await _connected(scene)
        pids = await connection.fetch(
            "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        await connection.close()
        if pids:
            os.kill(scene.random.choice(pids)["pid"], signal.SIGKILL)
        await scene.do(lambda: wait_until(scene.arena.stack.postgres.accepts_connections, within=30))
    return scene.times


async def _connected(scene: Scene) -> Any:
    url = scene.arena.stack.postgres.url("postgres", driver="postgresql")
    for _ in range(60):
        try:
            return await asyncpg.connect(url, timeout=5)
        except (TimeoutError, OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.5)
    return await asyncpg.connect(url, timeout=5)


async def stop_database(scene: Scene) -> int:
    """The database is stopped in order, stays away, and comes back."""
    await scene.do(lambda: scene.arena.stack.stop("postgres"))
    await asyncio.sleep(scene.seconds)
    await scene.start("postgres")
    await asyncio.sleep(5)
    return 1


async def freeze_broker(scene: Scene) -> int:
    """The broker hangs: connected, silent."""
    process = scene.arena.process("kafka")
    assert process is not None
    await asyncio.sleep(2)
    process.send(signal.SIGSTOP)
    await asyncio.sleep(scene.seconds)
    process.send(signal.SIGCONT)
    await asyncio.sleep(3)
    return 1


def freezing(*roles: str, seconds: float = 14.0) -> Fault:
    """A process hangs for longer than its group waits for it, is replaced by another, and thaws."""

    async def fault(scene: Scene) -> int:
        for role in roles:
            process = scene.arena.process(role)
            assert process is not None
            process.send(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            process.send(signal.SIGCONT)
            await asyncio.sleep(2)
        return len(roles)

    return fault


async def terminate(scene: Scene) -> int:
    """SIGTERM of each process in turn: down in ten seconds, each time."""
    rounds = 0
    for _ in range(scene.times):
        for role in scene.random.sample([*APIS, *WORKERS], k=8):
            if not await scene.do(lambda role=role: scene.arena.stop(role, within=10.0)):
                scene.notes.append(f"{role} was not down in 10 s")
            await scene.start(role)
            rounds += 1
    return rounds


def dying(plan: str, *roles: str) -> Fault:
    """Each role dies at the place that the plan names, is started again, and dies again; in the end it runs as it is."""

    async def fault(scene: Scene) -> int:
        before = sum(scene.arena.deaths_on_purpose(role) for role in roles)
        for _ in range(scene.times):
            for role in roles:
                scene.arena.sabotage(role, f"{plan}:{scene.random.randrange(1, 8)}")
                await scene.kill(role)
                await scene.launch(role)
            for role in roles:
                await _dead(scene.arena.process(role), scene)
        await heal(scene, roles)
        deaths = sum(scene.arena.deaths_on_purpose(role) for role in roles) - before
        if deaths < scene.times * len(roles):
            scene.notes.append(f"only {deaths} of {scene.times * len(roles)} deaths came")
        return deaths

    return fault


async def _dead(process: Process | None, scene: Scene) -> None:
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
        until, quarrels = time.monotonic() + scene.seconds, 0
        while time.monotonic() < until:
            await asyncio.gather(*(scene.quarrel() for _ in range(3)))
            quarrels += 3
        return quarrels

    return fault


def in_turn(*some: Fault) -> Fault:
    """One fault after the other, judged as one."""

    async def fault(scene: Scene) -> int:
        return sum([await one(scene) for one in some])

    return fault


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
        await scene.start(role)


@asynccontextmanager
async def doubled(scene: Scene) -> AsyncIterator[None]:
    """Two of each worker and two of interactions' API: two relays, two members of each group."""
    for role in (*(f"{name}-worker-2" for name in NAMES), "interactions-api-2"):
        await scene.start(role)
    try:
        yield
    finally:
        for role in scene.arena.seconds:
            await scene.do(scene.arena.retire, role)


async def poison(scene: Scene) -> int:
    """Records that nobody can read, or that a handler or the database cannot take, among the others."""
    producer = AIOKafkaProducer(bootstrap_servers=scene.arena.bootstrap)
    await producer.start()
    sent = 0
    try:
        for _ in range(scene.times):
            for topic, kind, body in _poisons():
                await producer.send_and_wait(topic, body, key=str(uuid4()).encode())
                scene.ledger.poison.update(_who_parks(topic, kind))
                sent += 1
                await scene.pause(0.05, 0.3)
    finally:
        await producer.stop()
    return sent


async def poison_again(scene: Scene) -> int:
    """Poison is parked, and the offset behind it is not committed: it is delivered again."""
    sent = 0
    for role in ("scoring-worker", "service-audit-worker"):
        scene.arena.sabotage(role, "die-before-offset:2")
        await scene.kill(role)
        sent += await poison(replace(scene, times=1))
        await scene.launch(role)
        await _dead(scene.arena.process(role), scene)
        await heal(scene, [role])
    return sent


def _who_parks(topic: str, kind: str | None) -> list[str]:
    """Those who listen to the topic, and for a type that can be told: those who want it."""
    return [name for name in NAMES if topic in HEARS[name].TOPICS and (kind is None or kind in wanted(name))]


def _poisons() -> list[tuple[str, str | None, bytes]]:
    """Topic, type (None: it cannot be told) and bytes of one of each sort."""
    good = {"specversion": "1.0", "source": "/poison", "time": "2026-11-20T00:00:00Z", "subject": "x"}

    def event(name: str, data: Any, version: str = "v1", event_id: str | None = None) -> tuple[str, str, bytes]:
        envelope = {**good, "id": event_id or str(uuid4()), "type": f"hilo.{name}.{version}", "data": data}
        return f"{name.partition('.')[0]}.v1", name, json.dumps(envelope).encode()

    recorded, linked = "interactions.touchpoint-recorded", "identity.links-changed"
    moved = {"decision_id": str(uuid4()), "kind": "link", "moves": []}
    too_late = {"trace_id": str(uuid4()), "customer_id": str(uuid4()), "revision": 2**70}
    return [
        ("interactions.v1", None, b"{not json"),
        ("identity.v1", None, b"\xff\xfe\x00\x00"),
        ("interactions.v1", None, b"[]"),
        ("identity.v1", None, b"x" * 900_000),
        event(recorded, {"touchpoint_id": "no id"}),
        event(linked, {"moves": "none"}),
        event(linked, moved, version="v9"),
        event(recorded, {}, version="v2"),
        event(linked, {**moved, "moves": [too_late]}),  # only the database refuses it
        event(recorded, _sale(category="nul\x00nul")),  # and this: PostgreSQL keeps no NUL
        event(recorded, _sale(), event_id="no uuid"),
    ]


def _sale(**other: Any) -> dict[str, Any]:
    return {
        "touchpoint_id": str(uuid4()),
        "trace_id": str(uuid4()),
        "source": "poison",
        "kind": "purchase",
        "channel": "shop",
        "direction": "inbound",
        "occurred_at": "2026-11-20T00:00:00Z",
        "recorded_at": "2026-11-20T00:00:00Z",
        "amount": {"minor": 100, "currency": "COP"},
        **other,
    }
