"""What channel systems do to us: everything several times at once, the same again after days, another body under the same id."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

import httpx
import sqlalchemy as sa
from aiokafka import AIOKafkaProducer

from common.db import outbox_table, parked_table
from interactions.touchpoints.models import receipt, touchpoint

from .arena import NAMES, WORKERS
from .faults import Scene
from .ledger import SOURCE

DAYS_LATER = (
    10  # a claim lies in a partition of a week, which goes as a whole: with a retention of one day it is gone then
)
SINGLE, BATCH = "/interactions/v1/touchpoints", "/interactions/v1/touchpoints:batch"
_AGED = {"outbox": "at", "inbox": "at", "idempotency": "at"}
_KEY = {"outbox": "#id", "inbox": "(#event_id, #consumer)", "idempotency": "#id"}


class Sender:
    """Sends bodies as they are, to whichever API; what comes of it is the ledger's."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {scene.arena.key}"}, timeout=30, limits=httpx.Limits(max_connections=64)
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def single(self, body: dict[str, Any], place: int = 0) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        answer = await self._asked(SINGLE, body, place)
        return answer.status_code, answer.json()

    async def batch(self, rows: list[dict[str, Any]], place: int = 0) -> list[dict[str, Any]]:
        answer = await self._asked(BATCH, rows, place)
        answer.raise_for_status()
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    async def _asked(self, path: str, body: Any, place: int) -> httpx.Response:
        """As every channel does: told to come again later, it comes again later."""
        for _ in range(20):
            answer = await self._client.post(self._origin(place) + path, json=body)
            if answer.status_code not in (429, 503):
                break
            self._scene.ledger.postponed[str(answer.json().get("code"))] += 1
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        return answer

    def _origin(self, place: int) -> str:
        origins = self._scene.arena.origins("interactions")
        return str(origins[place % len(origins)])


# --- the same again ---------------------------------------------------------------------------------------------------


async def copies(scene: Scene) -> int:
    """Every event two to five times at once, to different workers and by the topic; and all again after more than the eight days."""
    sender = Sender(scene)
    try:
        bodies = [scene.load.writer.touchpoint() for _ in range(scene.scale.get("copies", 150))]
        scene.ledger.sent.update(body["external_id"] for body in bodies)
        first = await _all_copied(scene, sender, bodies)
        await scene.checker.settled()
        dropped = await days_pass(scene)
        again = await _all_copied(scene, sender, bodies)
        await scene.checker.settled()
        await _made_whole(scene)
    finally:
        await sender.close()
    _judge_copies(scene, first, again)
    scene.measures.tell(sent=sum(map(len, first.values())) + sum(map(len, again.values())), **dropped)
    return len(bodies)


async def _all_copied(scene: Scene, sender: Sender, bodies: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Eight at a time; gives all answers to each."""
    answers: dict[str, list[dict[str, Any]]] = {}
    for begin in range(0, len(bodies), 8):
        some = bodies[begin : begin + 8]
        for body, told in zip(some, await asyncio.gather(*(_copied(scene, sender, one) for one in some)), strict=True):
            answers[body["external_id"]] = told
    return answers


async def _copied(scene: Scene, sender: Sender, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to so many copies: some alone, some in batches of two, one by the topic where there is one."""
    many = scene.random.randrange(2, 6)
    asks: list[Any] = [sender.single(body, place) for place in range(many - 1)]
    asks.append(sender.batch([body, body], many))
    if scene.arena.bootstrap is not None and scene.random.random() < 0.3:
        asks.append(_produced(scene, [json.dumps(body).encode()]))
    answers: list[dict[str, Any]] = []
    for one in await asyncio.gather(*asks):
        answers += [one[1]] if isinstance(one, tuple) else one or []
    for answer in answers:
        scene.ledger.take(body["external_id"], answer)
    return answers


async def _produced(scene: Scene, bodies: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=scene.arena.bootstrap)
    await producer.start()
    try:
        for body in bodies:
            await producer.send_and_wait("channels.touchpoints.v1", body)
    finally:
        await producer.stop()


def _judge_copies(scene: Scene, first: dict[str, Any], again: dict[str, Any]) -> None:
    measures = scene.measures
    news = {key: sum(one.get("status") == "recorded" for one in answers) for key, answers in first.items()}
    measures.none("recorded more than once", [key for key, count in news.items() if count > 1])
    measures.none("another answer to a copy", [k for k, some in first.items() if len({_said(one) for one in some}) > 1])
    later = {key: {_said(one) for one in some} for key, some in again.items()}
    measures.none("another answer days later", [k for k in first if later[k] != {_said(first[k][0])}])
    fresh = [key for key, some in again.items() if any(one.get("status") != "duplicate" for one in some)]
    measures.none("not known days later", fresh)


def _said(answer: dict[str, Any]) -> str:
    """The answer, but for whether it is the first of its kind and where in a batch it stood."""
    return json.dumps(
        {name: value for name, value in answer.items() if name not in ("status", "index")}, sort_keys=True
    )


async def days_pass(scene: Scene) -> dict[str, int]:
    """Logs, claims and remembered answers grow older, and retention runs. They are laid aside before."""
    arena, before, after = scene.arena, Counter[str](), Counter[str]()
    workers = WORKERS if arena.bootstrap is not None else ("hilo",)
    async with scene.checker.databases() as databases:
        for name in NAMES:
            async with databases[name].session() as session:
                tables = await _tables(session)
                for table, column in _AGED.items():
                    if table not in tables:
                        continue
                    before[table] += await session.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0
                    await session.execute(sa.text(f"CREATE TABLE chaos_{table} AS SELECT * FROM {table}"))
                    await session.execute(sa.text(f"UPDATE {table} SET {column} = {_earlier(session, column)}"))
                await session.commit()
        for role in workers:
            await scene.do(lambda role=role: arena.told(role, _A_DAY))
        await _until_dropped(databases, before["inbox"])
        for name in NAMES:
            async with databases[name].session(reading=True) as session:
                for table in _AGED.keys() & await _tables(session):
                    after[table] += await session.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0
    scene.measures.at_most("claims left by retention, share", after["inbox"] / max(1, before["inbox"]), 0.05)
    return {f"{table}_dropped": before[table] - after[table] for table in before}


_A_DAY = {"HILO_OUTBOX_RETENTION_DAYS": "1", "HILO_INBOX_RETENTION_DAYS": "1"}


async def _tables(session: Any) -> set[str]:
    connection = await session.connection()
    return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))


def _earlier(session: Any, column: str) -> str:
    if session.get_bind().dialect.name == "postgresql":
        return f"{column} - interval '{DAYS_LATER} days'"
    return f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{DAYS_LATER} days')"


async def _until_dropped(databases: Any, before: int, *, within: float = 30.0) -> None:
    until = time.monotonic() + within
    while time.monotonic() < until:
        left = 0
        for database in databases.values():
            async with database.session(reading=True) as session:
                left += await session.scalar(sa.text("SELECT count(*) FROM inbox")) or 0
        if left < before * 0.05:
            return
        await asyncio.sleep(0.5)


async def _made_whole(scene: Scene) -> None:
    """The logs that were laid aside come back for the checks: what took effect twice meanwhile is seen there."""
    async with scene.checker.databases() as databases:
        for database in databases.values():
            async with database.session() as session:
                for table in _AGED.keys() & await _tables(session):
                    if f"chaos_{table}" in await _tables(session):
                        mine, theirs = (f"{_KEY[table]}".replace("#", f"{prefix}{table}.") for prefix in ("chaos_", ""))
                        here = f"SELECT 1 FROM {table} WHERE {theirs} = {mine}"
                        await session.execute(
                            sa.text(f"INSERT INTO {table} SELECT * FROM chaos_{table} WHERE NOT EXISTS ({here})")
                        )
                        await session.execute(sa.text(f"DROP TABLE chaos_{table}"))
                await session.commit()
    for role in WORKERS if scene.arena.bootstrap is not None else ("hilo",):
        await scene.do(lambda role=role: scene.arena.told(role, {}))


# --- another body -----------------------------------------------------------------------------------------------------


async def contradictions(scene: Scene) -> int:
    """Another body under the same source and external id: 409, parked with both hashes, the stored one unchanged."""
    sender = Sender(scene)
    bodies = [scene.load.writer.touchpoint() for _ in range(scene.scale.get("copies", 150) // 3)]
    scene.ledger.sent.update(body["external_id"] for body in bodies)
    seen: Counter[str] = Counter()
    try:
        for body in bodies:
            status, answer = await sender.single(body)
            scene.ledger.take(body["external_id"], answer)
            others = [{**body, "content": f"Another body {place}"} for place in range(3)]
            answers = await asyncio.gather(*(sender.single(other, place) for place, other in enumerate(others)))
            answers += [
                (409 if r["status"] == "refused" else 200, r["problem"]) for r in await sender.batch(others[:1])
            ]
            for status, answer in answers:
                seen[f"{status} {answer.get('code')}"] += 1
                if status == 409:
                    scene.ledger.different[body["external_id"]] += 1
    finally:
        await sender.close()
    measures = scene.measures
    measures.tell(answers=dict(seen))
    measures.none("answers other than 409 different-body", [what for what in seen if what != "409 different-body"])
    async with scene.checker.databases() as databases, databases["interactions"].session(reading=True) as session:
        parked = (await session.execute(sa.select(parked_table).where(parked_table.c.code == "different-body"))).all()
        kept = {
            r.external_id: r for r in await session.execute(sa.select(touchpoint).where(touchpoint.c.source == SOURCE))
        }
        receipts = {
            r.external_id: r for r in await session.execute(sa.select(receipt).where(receipt.c.source == SOURCE))
        }
    ours = {body["external_id"]: body for body in bodies}
    about = [(json.loads(row.body), row) for row in parked]
    mine = [(body, row) for body, row in about if body.get("external_id") in ours]
    measures.at_least("parked", len(mine), seen["409 different-body"])
    bare = [
        row.id for body, row in mine if not _both_hashes(row.problem["detail"], receipts[body["external_id"]].body_hash)
    ]
    measures.none("parked without both hashes", bare)
    measures.none("stored and changed", [k for k, body in ours.items() if kept[k].content != body["content"]])
    return len(bodies)


def _both_hashes(detail: str, on_record: str) -> bool:
    _, _, rest = detail.partition("on record ")
    first, _, other = rest.partition(", sent ")
    return len(first) >= 12 and on_record.startswith(first) and len(other) >= 12 and not other.startswith(first)


# --- commits that take their time -------------------------------------------------------------------------------------


async def log_of(scene: Scene, service: str) -> list[Any]:
    """The service's outbox, in the order in which its readers get it: id, topic, key."""
    o = outbox_table.c
    query = sa.select(o.id, o.aggregatetype, o.aggregateid).order_by(o.xid, o.seq)
    async with scene.checker.databases() as databases, databases[service].session(reading=True) as session:
        return list((await session.execute(query)).all())
