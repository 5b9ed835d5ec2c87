"""A witness at the topics: every row of a log is shipped, and the first copies come in the order of their key."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from common.contracts.service_audit import ScorecardPublished
from common.db import Database
from common.service import all_topics
from common.uow import UnitOfWork

from .arena import NAMES
from .faults import Fault, Scene
from .sending import log_of

WRITERS = 64
SHIPPED_WITHIN = 60.0


def witnessed(fault: Fault) -> Fault:
    """The fault, and then a look at every topic from its beginning, by a reader of its own."""

    async def with_witness(scene: Scene) -> int:
        times = await fault(scene)
        await judge_topics(scene)
        return times

    return with_witness


async def judge_topics(scene: Scene) -> None:
    """Against each log: no row is absent from its topic, no key's first copies are out of order, second copies are counted."""
    logs = {name: [(str(r.id), r.aggregatetype, r.aggregateid) for r in await log_of(scene, name)] for name in NAMES}
    begun = time.monotonic()
    while True:  # the load goes on: what was in the logs when we looked is shipped soon
        shipped = await read_topics(scene.arena.bootstrap)
        found = {name: compare(log, shipped) for name, log in logs.items()}
        skipped = [f"{name}: {one}" for name, (late, _) in found.items() for one in late]
        disordered = [f"{name}: {one}" for name, (_, wrong) in found.items() for one in wrong]
        if not skipped or time.monotonic() - begun > SHIPPED_WITHIN:
            break
        await asyncio.sleep(2)
    rows = sum(map(len, logs.values()))
    copies = sum(len(ids) - len(set(ids)) for keys in shipped.values() for ids in keys.values())
    scene.measures.tell(rows_in_the_logs=rows, second_copies_in_the_topics=copies)
    scene.measures.none("rows that the relay skipped", skipped)
    scene.measures.none("keys out of order", disordered)


def compare(
    log: Sequence[tuple[str, str, str]], shipped: Mapping[str, Mapping[str, Sequence[str]]]
) -> tuple[list[str], list[str]]:
    """Of a log (id, topic, key, in its order) what was not shipped, and the keys whose first copies came in another order."""
    due: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event_id, topic, key in log:
        due[topic, key].append(event_id)
    skipped: list[str] = []
    disordered: list[str] = []
    for (topic, key), ids in due.items():
        known = set(ids)
        came = [one for one in dict.fromkeys(shipped.get(topic, {}).get(key, ())) if one in known]
        skipped += sorted(known - set(came))
        if came != [one for one in ids if one in set(came)]:
            disordered.append(f"{topic} {key}")
    return skipped, disordered


async def read_topics(bootstrap: str) -> dict[str, dict[str, list[str]]]:
    """Every topic from its beginning to its present end: topic -> key -> ids in the order in which they lie there."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in all_topics()
            for number in sorted(consumer.partitions_for_topic(topic) or await _partitions(consumer, topic))
        ]
        consumer.assign(partitions)
        ends = {one: end for one, end in (await consumer.end_offsets(partitions)).items() if end}
        await consumer.seek_to_beginning(*partitions)
        while ends:
            for partition, records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).items():
                for record in records:
                    if (event_id := _id_of(record.value)) is not None:
                        found[partition.topic][(record.key or b"").decode()].append(event_id)
            ends = {one: end for one, end in ends.items() if await consumer.position(one) < end}
    finally:
        await consumer.stop()
    return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.set_topics(all_topics())
    return set(consumer.partitions_for_topic(topic) or ())


def _id_of(body: bytes | None) -> str | None:
    try:
        return str(UUID(orjson.loads(body or b"")["id"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None  # poison


async def slow_writers(scene: Scene) -> int:
    """64 writers beside the load: each takes its sequence numbers, waits up to half a second, and commits."""
    database = Database.connect(scene.arena.url("service-audit"), pool_size=WRITERS)
    until, committed = time.monotonic() + scene.seconds, 0

    async def write(number: int) -> int:
        count = 0
        while time.monotonic() < until:
            async with UnitOfWork(database) as uow:
                for _ in range(scene.random.randrange(1, 4)):
                    now = datetime.now(UTC)
                    uow.outbox.add(ScorecardPublished(period=f"chaos-writer-{number}", at=now), at=now)
                    count += 1
                await uow.outbox.flush()
                await asyncio.sleep(scene.random.uniform(0, 0.5))
                await uow.commit()
        return count

    try:
        committed = sum(await asyncio.gather(*(write(number) for number in range(WRITERS))))
    finally:
        await database.dispose()
    scene.measures.tell(writers=WRITERS, rows_of_slow_writers=committed)
    return committed
