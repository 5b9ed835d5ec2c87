"""Replay: a range of one topic once more to one consumer. What was handled stays handled; what was missed gets its effect."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from common.bulk import among
from common.bus.delivery import Consumer, Delivery, Record
from common.bus.history import History, id_of
from common.clock import Clock
from common.db import Database, inbox_table
from common.errors import Invalid, Transient
from common.partitions import first_id_of

TRIES = (0.1, 0.5, 2.0, 5.0)


class NotReplayed(Invalid):
    code = "not-replayed"
    title = "This topic is not replayed to this consumer"


@dataclass(frozen=True)
class Replayed:
    """What a replay came to: records read, events whose effect was missing and is there now, and those left alone as too old."""

    read: int = 0
    applied: int = 0
    too_old: int = 0

    def __str__(self) -> str:
        left = f", {self.too_old} left alone: older than what the inbox knows" if self.too_old else ""
        return f"{self.read} read, {self.applied} applied{left}: all others were handled before, or are parked"


def refuse_unfit(topic: str, consumer: Consumer) -> None:
    """Raises NotReplayed for a topic that the consumer does not read, or that is never replayed."""
    if topic not in consumer.all_topics:
        raise NotReplayed(f"{consumer.name} reads {', '.join(consumer.all_topics)}")
    if ".people." in topic:
        raise NotReplayed(f"{topic} is kept for days only; its owner tells it anew: republish")


async def replay_range(
    history: History,
    consumer: Consumer,
    database: Database,
    *,
    clock: Clock,
    known_since: datetime | None = None,
    progress: Callable[[Replayed], None] = lambda _: None,
) -> Replayed:
    """Deliver a stretch of history. The inbox drops what is known, so it may be repeated and may run beside the worker.

    What was told before `known_since` is left alone: its claim may be forgotten, and it would count twice. None: the database has
    forgotten nothing. Raises ConsumerStopped when most events fail, Transient when the database stays away.
    """
    delivery, done = Delivery(consumer, database, clock=clock), Replayed()
    first = 0 if known_since is None else first_id_of(known_since)
    async for given in history.batches():
        known = [(each, event_id) for each in given if (event_id := id_of(each.body)) is None or event_id.int >= first]
        records, ids = [each for each, _ in known], [event_id for _, event_id in known if event_id is not None]
        before = await _claimed(ids, consumer.name, database)
        await _deliver(delivery, records)
        fresh = await _claimed(ids, consumer.name, database) - before
        done = Replayed(done.read + len(given), done.applied + fresh, done.too_old + len(given) - len(records))
        progress(done)
    return done


async def _deliver(delivery: Delivery, records: Sequence[Record]) -> None:
    for pause in TRIES:
        try:
            await delivery.deliver(records)
        except Transient:
            await asyncio.sleep(pause)
        else:
            return
    await delivery.deliver(records)


async def _claimed(ids: Sequence[UUID], consumer: str, database: Database) -> int:
    c = inbox_table.c
    query = select(func.count()).where(among(c.event_id, ids), c.consumer == consumer)
    async with database.session(reading=True) as session:
        return int(await session.scalar(query) or 0)
