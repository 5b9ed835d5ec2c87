"""What waits in one service: events before their readers, parked things before a person, timers before their moment."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.clock import Clock
from common.db import Database, outbox_table, parked_table, timer_table
from common.outbox import Position, position_of
from common.telemetry import Metrics

RELAY = "relay"  # the name of the Kafka relay's cursor
MOST_COUNTED = 100_000  # more than so many waiting events are not counted: it would cost more than it tells
REMEMBERED_SECONDS = 1.0
LAG_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Behind:
    """How far one reader is behind one topic: events (at most 100,000 are counted), and seconds since the oldest was told."""

    reader: str
    topic: str
    events: int
    seconds: float


class Reads(Protocol):
    """A consumer's reader on either bus. `trouble` is why it waits just now, `stopped` why it will not go on."""

    stopped: str | None
    trouble: str | None

    async def behind(self) -> Sequence[Behind]:
        """What it has not handled, topic by topic; every topic that it reads is named."""
        ...


@dataclass(frozen=True)
class Figures:
    """What waits at one moment."""

    outbox: Sequence[Behind]  # behind the readers of our own outbox
    lag: Sequence[Behind]  # behind our own consumer
    parked: dict[tuple[str, str], int]  # by kind and code
    timers: int  # due and not fired
    timers_seconds: float  # since the oldest of them was due
    lag_unknown: str | None = None  # why, where the broker did not say


@dataclass
class Backlog:
    """Reads the figures of one service, at most once a second. `relayed`: a Kafka relay reads its outbox."""

    database: Callable[[], Database | None]
    clock: Clock
    relayed: bool
    consumers: list[Reads] = field(default_factory=list)  # ours
    readers: list[Reads] = field(default_factory=list)  # of our outbox, where they are in this process
    topics: frozenset[str] = frozenset()  # that we publish
    _known: tuple[datetime, Figures] | None = None
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self) -> Figures:
        """Raises ConnectionError while the service has no database."""
        async with self._alone:
            now = self.clock()
            if self._known is None or abs((now - self._known[0]).total_seconds()) >= REMEMBERED_SECONDS:
                self._known = (now, await self._read(now))
            return self._known[1]

    async def _read(self, now: datetime) -> Figures:
        database = self.database()
        if database is None:
            raise ConnectionError("not connected yet")
        async with database.session(reading=True) as session:
            outbox = [await waiting(session, RELAY, reader=RELAY, now=now)] if self.relayed else []
            parked, timers = await _parked(session), await _timers(session, now)
        for reader in self.readers:
            outbox += [each for each in await reader.behind() if each.topic in self.topics]
        lag: list[Behind] = []
        unknown: str | None = None
        for consumer in self.consumers:
            try:
                async with asyncio.timeout(LAG_PATIENCE_SECONDS):
                    lag += await consumer.behind()
            except Exception as error:  # noqa: BLE001 - without the broker all else is known, and wanted the more
                unknown = type(error).__name__
        return Figures(outbox, lag, parked, *timers, lag_unknown=unknown)

    async def tell(self, metrics: Metrics) -> None:
        """Set the gauges: for Prometheus, when it asks. What is not known stands at nothing, and not at its last figure."""
        try:
            found = await self.read()
        except BaseException:  # nor where the look took too long and was given up
            _forget(metrics)
            raise
        _forget(metrics)
        for (kind, code), count in found.parked.items():
            metrics.parked.labels(kind, code).set(count)
        for reader in {each.reader for each in found.outbox}:
            mine = [each for each in found.outbox if each.reader == reader]
            metrics.outbox_age.labels(reader).set(max(each.seconds for each in mine))
            metrics.outbox_waiting.labels(reader).set(sum(each.events for each in mine))
        for each in found.lag:
            metrics.consumer_lag.labels(each.reader, each.topic).set(each.events)
            metrics.consumer_lag_seconds.labels(each.reader, each.topic).set(each.seconds)
        metrics.timers_overdue.set(found.timers)
        metrics.timers_overdue_seconds.set(found.timers_seconds)


def _forget(metrics: Metrics) -> None:
    for gauge in (
        metrics.parked,
        metrics.outbox_age,
        metrics.outbox_waiting,
        metrics.consumer_lag,
        metrics.consumer_lag_seconds,
    ):
        gauge.clear()
    for figure in (metrics.timers_overdue, metrics.timers_overdue_seconds):
        figure.set(math.nan)


async def waiting(session: AsyncSession, cursor: str, *, reader: str, now: datetime) -> Behind:
    """What a cursor of this database has before it, all topics together."""
    [behind] = await _after(session, await position_of(session, cursor), (), reader=reader, now=now)
    return behind


async def waiting_by_topic(
    session: AsyncSession, after: Position, topics: Sequence[str], *, reader: str, now: datetime
) -> list[Behind]:
    """What a log has after a position, for each of the topics."""
    found = await _after(session, after, topics, reader=reader, now=now)
    missing = set(topics) - {each.topic for each in found}
    return [*found, *(Behind(reader, topic, 0, 0.0) for topic in sorted(missing))]


async def _after(
    session: AsyncSession, after: Position, topics: Sequence[str], *, reader: str, now: datetime
) -> list[Behind]:
    t = outbox_table
    first = (
        select(t.c.aggregatetype.label("topic"), t.c.at)
        .where(tuple_(t.c.xid, t.c.seq) > tuple_(after.xid, after.seq))
        .order_by(t.c.xid, t.c.seq)
        .limit(MOST_COUNTED)
    )
    if topics:
        first = first.where(t.c.aggregatetype.in_(topics))
    some = first.subquery()
    query = select(func.count(), func.min(some.c.at))
    if not topics:
        count, oldest = (await session.execute(query)).one()
        return [Behind(reader, "", count, age_of(oldest, now))]
    rows = await session.execute(query.add_columns(some.c.topic).group_by(some.c.topic))
    return [Behind(reader, topic, count, age_of(oldest, now)) for count, oldest, topic in rows.all()]


async def _parked(session: AsyncSession) -> dict[tuple[str, str], int]:
    c = parked_table.c
    query = select(c.kind, c.code, func.count()).where(c.state == "parked").group_by(c.kind, c.code)
    return {(kind, code): count for kind, code, count in (await session.execute(query)).all()}


async def _timers(session: AsyncSession, now: datetime) -> tuple[int, float]:
    due_at = timer_table.c.due_at
    count, oldest = (await session.execute(select(func.count(), func.min(due_at)).where(due_at <= now))).one()
    return count, age_of(oldest, now)


def age_of(since: datetime | None, now: datetime) -> float:
    """Seconds; none for what is not there, or was told by a clock ahead of ours."""
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
