"""Poison: records and bodies that nobody can read, that a handler or the database cannot take, among very many good ones."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import sqlalchemy as sa
from aiokafka import AIOKafkaProducer

from common.db import inbox_table, outbox_table, parked_table

from .arena import NAMES
from .checks import HEARS, wanted
from .faults import Scene, dead, heal
from .measures import share
from .sending import Sender

MARK = "chaos-unbearable"  # the category of a sale on which the sabotaged handler raises
CHANNELS = "channels.touchpoints.v1"


# --- in the topics ----------------------------------------------------------------------------------------------------


async def poison(scene: Scene) -> int:
    """So many poisons among so many good events: all parked with a reason, the others hardly slower; replayed once mended."""
    amount, among = scene.scale.get("poison", 40), scene.scale.get("among", 4000)
    sender = Sender(scene)
    try:
        await _restart_with(scene, f"raise-on:{MARK}")
        await _many(
            scene, sender, max(100, among // 10), []
        )  # the group has its new member before anything is measured
        await scene.checker.settled(within=scene.within)
        calm_from = time.time()
        await _many(scene, sender, among, [])
        await scene.checker.settled(within=scene.within)
        calm_to = time.time()
        begun = time.time()
        sent = await _many(scene, sender, among, _shuffled(scene, amount))
        await scene.checker.settled(within=scene.within)
        ended = time.time()
        before, after = await _lags(scene, calm_from, calm_to), await _lags(scene, begun, ended)
        scene.measures.tell(poison=sent, among=among, p50_before=share(before, 0.5), p50_among_poison=share(after, 0.5))
        scene.measures.tell(p99_before=share(before, 0.99), p99_among_poison=share(after, 0.99))
        scene.measures.at_most(
            "p99 of the others, against without", share(after, 0.99) / max(0.001, share(before, 0.99)), 1.5
        )
        await _all_parked(scene, sent)
        await heal(scene, ["scoring-worker"])
        await _replayed(scene)
    finally:
        await sender.close()
    return sent


def _shuffled(scene: Scene, amount: int) -> list[Any]:
    """So many poisons of every sort, in a random order: for a topic, for HTTP, or a good sale that a handler cannot bear."""
    every: list[Any] = []
    while len(every) < amount:
        every += [*_poisons(), *_bodies(), *(["unbearable"] * 2)]
    scene.random.shuffle(every)
    return every[:amount]


async def _many(scene: Scene, sender: Sender, good: int, poisons: Sequence[Any]) -> int:
    """Good touchpoints in batches of twenty at the load's pace, with the poisons strewn among them; gives how many these were."""
    async with producing(scene) as producer:
        left, batches = list(poisons), max(1, good // 20)
        due = time.monotonic()
        for number in range(batches):
            rows = [scene.load.writer.touchpoint() for _ in range(20)]
            share_of_this = left[: -(-len(left) // (batches - number))]
            left = left[len(share_of_this) :]
            for one in share_of_this:
                rows += await _one(scene, sender, producer, one)
            scene.ledger.sent.update(row["external_id"] for row in rows)
            for row, answer in zip(rows, await sender.batch(rows), strict=True):
                scene.ledger.take(row["external_id"], answer)
            due += len(rows) / scene.load.pace
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return len(poisons)


async def _one(scene: Scene, sender: Sender, producer: Any, one: Any) -> list[dict[str, Any]]:
    """Send one poison; gives the good sales that go with the next batch."""
    if one == "unbearable":
        sale = scene.load.writer.touchpoint() | {"kind": "purchase", "channel": "shop", "outcome": None}
        payload = {"amount": "100.00", "currency": "COP", "quantity": 1, "category": MARK}
        return [
            {name: value for name, value in sale.items() if name not in ("facts", "commitments")} | {"payload": payload}
        ]
    if isinstance(one, bytes):
        await producer.send_and_wait(CHANNELS, one)
        scene.ledger.poison_bodies += 1
        return []
    topic, kind, body = one
    await producer.send_and_wait(topic, body, key=str(uuid4()).encode())
    scene.ledger.poison.update(_who_parks(topic, kind))
    return []


async def _restart_with(scene: Scene, plan: str) -> None:
    scene.arena.sabotage("scoring-worker", plan)
    await scene.kill("scoring-worker")
    await scene.start("scoring-worker")
    await asyncio.sleep(2)


async def _lags(scene: Scene, begun: float, ended: float) -> list[float]:
    """Seconds from the writing of each event of interactions in that time to its claim by scoring."""
    o, i = outbox_table.c, inbox_table.c
    async with scene.checker.databases() as databases:
        async with databases["interactions"].session(reading=True) as session:
            written = {r.id: r.at for r in await session.execute(sa.select(o.id, o.at))}
        async with databases["scoring"].session(reading=True) as session:
            claimed = {r.event_id: r.at for r in await session.execute(sa.select(i.event_id, i.at))}
    return [
        (claimed[one] - at).total_seconds()
        for one, at in written.items()
        if one in claimed and begun <= at.timestamp() < ended
    ]


async def _all_parked(scene: Scene, sent: int) -> None:
    """Every poison is in a parked store, under a reason that says what it is."""
    p = parked_table.c
    codes: Counter[str] = Counter()
    async with scene.checker.databases() as databases:
        for name in NAMES:
            async with databases[name].session(reading=True) as session:
                for row in await session.execute(sa.select(p.code, p.problem).where(p.state == "parked")):
                    codes[f"{name}: {row.code}"] += 1
    untyped = [code for code in codes if code.endswith((": ", ": unknown", ": unexpected"))]
    scene.measures.tell(parked=dict(sorted(codes.items())))
    scene.measures.none("parked without a typed reason", untyped)
    bodies = sum(count for code, count in codes.items() if code.startswith("interactions: "))
    scene.measures.at_least("bodies and events parked", sum(codes.values()), sent)
    scene.measures.at_least("bodies parked by interactions", bodies, scene.ledger.poison_bodies)


async def _replayed(scene: Scene) -> None:
    """What the mended handler can bear is sent again, each three times at once; the checks see whether it counted once."""
    p = parked_table.c
    async with scene.checker.databases() as databases, databases["scoring"].session(reading=True) as session:
        mine = sa.select(p.id).where(p.state == "parked", p.code == "handler-failed", p.body.like(f"%{MARK}%"))
        some = list((await session.scalars(mine)).all())
    origin = scene.arena.origins("scoring")[0]
    answers: Counter[int] = Counter()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {scene.arena.key}"}, timeout=30) as client:
        for one in some:
            url = f"{origin}/scoring/v1/parked/{one}:replay"
            got = await asyncio.gather(*(client.post(url) for _ in range(3)))
            statuses = [answer.status_code for answer in got]
            answers.update(statuses)
            if 200 not in statuses:
                scene.notes.append(f"a parked event was not replayed: {statuses}")
    scene.measures.tell(replayed=len(some), answers_to_replays=dict(answers))
    scene.measures.at_least("replayed after the fix", len(some), 1)


async def poison_again(scene: Scene) -> int:
    """Poison is parked, and the offset behind it is not committed: it is delivered again."""
    sent = 0
    for role in ("scoring-worker", "service-audit-worker"):
        scene.arena.sabotage(role, "die-before-offset:2")
        await scene.kill(role)
        sent += await sprinkle(replace(scene, times=1))
        await scene.launch(role)
        await dead(scene.arena.process(role), scene)
        await heal(scene, [role])
    return sent


async def sprinkle(scene: Scene) -> int:
    """One of each sort that a topic can carry, as often as told."""
    sent = 0
    async with producing(scene) as producer:
        for _ in range(scene.times):
            for topic, kind, body in _poisons():
                await producer.send_and_wait(topic, body, key=str(uuid4()).encode())
                scene.ledger.poison.update(_who_parks(topic, kind))
                sent += 1
                await scene.pause(0.05, 0.3)
    return sent


# --- a handler that fails on everything -------------------------------------------------------------------------------


async def broken_handler(scene: Scene) -> int:
    """A bad deploy: the consumer fails on everything. It stops, says so at its door, and parks nothing away."""
    before = await _parked_by(scene, "scoring")
    await scene.do(lambda: scene.arena.stop("scoring-worker", within=15))
    scene.arena.sabotage("scoring-worker-2", "raise-on:*")
    begun = time.monotonic()
    await scene.start("scoring-worker-2")
    stopped = await _not_ready(scene.arena.door("scoring-worker-2") + "/readyz", within=scene.seconds + 60)
    scene.measures.at_most("stopped after, s", stopped[0] if stopped else float("inf"), scene.seconds + 60)
    scene.measures.tell(
        seconds_until_stopped=time.monotonic() - begun, readiness_says=stopped[1] if stopped else "ready"
    )
    scene.measures.at_most("parked away", await _parked_by(scene, "scoring") - before, 0)
    scene.arena.sabotage("scoring-worker-2", None)
    await scene.do(scene.arena.retire, "scoring-worker-2")
    await scene.start("scoring-worker")
    return 1


async def _parked_by(scene: Scene, name: str) -> int:
    async with scene.checker.databases() as databases, databases[name].session(reading=True) as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(parked_table)) or 0


async def _not_ready(url: str, *, within: float) -> tuple[float, str] | None:
    """Seconds until readiness says no, and its words."""
    begun = time.monotonic()
    async with httpx.AsyncClient(timeout=5) as client:
        while time.monotonic() - begun < within:
            try:
                answer = await client.get(url)
            except httpx.HTTPError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code == 503:
                return time.monotonic() - begun, str(answer.json().get("checks", {}).get("consumer"))
            await asyncio.sleep(0.2)
    return None


# --- the sorts --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def producing(scene: Scene) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=scene.arena.bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


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
        event(linked, {**moved, "moves": [too_late]}),  # beyond what a column holds
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


def _bodies() -> list[bytes]:
    """Touchpoints for the topic of the channels that cannot be taken, one of each sort."""
    good: dict[str, Any] = {"source": "poison", "external_id": str(uuid4()), "kind": "message", "channel": "web"}
    good |= {"occurred_at": "2026-11-20T00:00:00Z", "identifiers": []}
    return [
        b"{not json",
        json.dumps({**good, "kind": "unheard-of"}).encode(),
        json.dumps({**good, "occurred_at": "yesterday"}).encode(),
        json.dumps({**good, "content": "x" * 900_000}).encode(),
        json.dumps({**good, "content": "nul\x00nul"}).encode(),
        json.dumps({**good, "specversion": "9.9"}).encode(),
    ]
