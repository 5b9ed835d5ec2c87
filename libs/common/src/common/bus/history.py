"""The log as history: what was told, read again from wherever one likes, on either bus, without moving anybody's cursor."""

import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, Self, TypeVar
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OffsetOutOfRangeError
from sqlalchemy import func, select, tuple_

from common.bus.delivery import Record
from common.db import Database, cursor_table, outbox_table
from common.errors import Invalid
from common.outbox import READS_THIS_LOG, Position, read
from common.uow import UnitOfWork

BATCH = 500
FIRST_NUMBERS = 1000  # where an outbox begins, it begins among these
K = TypeVar("K", bound=Hashable)
_PLACE = re.compile(r"(?:(?P<partition>\d+):|seq=)?(?P<number>\d+)")


@dataclass(frozen=True)
class Place:
    """Where a record stands, as the parked store shows it: `partition:offset` on Kafka, `seq=number` in an outbox."""

    partition: int | None
    number: int

    @classmethod
    def parse(cls, words: str) -> "Place | datetime":
        """A place, or a moment in ISO 8601 (without a zone: of this machine). Raises ValueError."""
        found = _PLACE.fullmatch(words)
        if found is None:
            return datetime.fromisoformat(words).astimezone()
        partition = found["partition"]
        return cls(None if partition is None else int(partition), int(found["number"]))


Bound = Place | datetime | None


class NoSuchPlace(Invalid):
    code = "no-such-place"
    title = "There is no such place in this log"


def _places(*bounds: Bound) -> list[Place]:
    return [each for each in bounds if isinstance(each, Place)]


class History(Protocol):
    """Reads forward through the topics. Batches come in the order of the log, at least within each subject.

    A batch counts as read when the next one is asked for: what whoever used it broke off at is given again.
    """

    async def remaining(self) -> int:
        """How many records lie between here and the end as it is now; on an outbox, of all topics. For progress."""
        ...

    def batches(self) -> AsyncIterator[list[Record]]:
        """From here to the end as it is when this is called. May be called again for what came after."""
        ...

    async def reaches_back(self) -> list[str]:
        """The logs that no longer begin at their beginning; empty where everything that was ever told is there."""
        ...


@dataclass(frozen=True)
class Told:
    """One record of a stream, when it was told, and what is to be remembered once it was given out."""

    moment: float
    record: Record
    given: Callable[[], None]


async def _by_time(streams: Sequence[K], fetch: Callable[[K], Awaitable[list[Told]]]) -> AsyncIterator[list[Record]]:
    """Batches over several streams, each kept in its order, the streams among each other by when things were told."""
    ready: dict[K, deque[Told]] = {each: deque() for each in streams}
    batch: list[Told] = []
    while ready:
        for stream in [each for each, waiting in ready.items() if not waiting]:
            ready[stream].extend(await fetch(stream))
            if not ready[stream]:
                del ready[stream]
        while ready and all(ready.values()) and len(batch) < BATCH:
            batch.append(min(ready.values(), key=lambda waiting: waiting[0].moment).popleft())
        if len(batch) >= BATCH or not ready:
            if batch:
                yield [each.record for each in batch]
            for each in batch:
                each.given()
            batch = []


def moment_of(body: bytes) -> float:
    """When an event says that it happened, in seconds; 0 for what is no event."""
    try:
        return datetime.fromisoformat(orjson.loads(body)["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return 0.0


def id_of(body: bytes) -> UUID | None:
    """The id of an event; None for what is no event."""
    try:
        return UUID(orjson.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        return None


# --- in one process ---------------------------------------------------------------------------------------------------


class OutboxHistory:
    """The outboxes of the services that tell the topics (`sources`: service name -> its database). Raises NoSuchPlace."""

    def __init__(
        self, sources: Mapping[str, Database], topics: Sequence[str], *, start: Bound = None, until: Bound = None
    ) -> None:
        if any(place.partition is not None for place in _places(start, until)):
            raise NoSuchPlace("In an outbox a place is a number: seq=1200")
        self._sources = sources
        self._topics = list(topics)
        self._start = start
        self._until = until
        self._at: dict[str, Position] = {}

    async def __aenter__(self) -> Self:
        for name, source in self._sources.items():
            self._at[name] = await _before(source, self._start)
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def remaining(self) -> int:
        t, count = outbox_table.c, 0
        for name, source in self._sources.items():
            at = self._at[name]
            query = select(func.count()).where(tuple_(t.xid, t.seq) > tuple_(at.xid, at.seq))
            async with UnitOfWork(source, reading=True) as uow:
                count += await uow.session.scalar(query.where(t.aggregatetype.in_(self._topics))) or 0
        return count

    async def batches(self) -> AsyncIterator[list[Record]]:
        lasts = {name: await _last(source, self._until) for name, source in self._sources.items()}
        fetched = dict(self._at)

        async def fetch(name: str) -> list[Told]:
            last = lasts[name]
            if last is None:
                return []
            async with UnitOfWork(self._sources[name], reading=True) as uow:
                entries = await read(uow.session, after=fetched[name], topics=self._topics, limit=BATCH)
            entries = [each for each in entries if (each.position.xid, each.position.seq) <= last]
            if entries:
                fetched[name] = entries[-1].position
            return [
                Told(
                    moment_of(each.body),
                    Record(each.topic, each.key, each.body, f"seq={each.position.seq}"),
                    partial(self._at.__setitem__, name, each.position),
                )
                for each in entries
            ]

        async for batch in _by_time(list(self._sources), fetch):
            yield batch

    async def reaches_back(self) -> list[str]:
        short = []
        for name, source in self._sources.items():
            async with UnitOfWork(source, reading=True) as uow:
                first = await uow.session.scalar(select(func.min(outbox_table.c.seq)))
                read_to = await uow.session.scalar(select(func.max(cursor_table.c.seq)).where(READS_THIS_LOG))
            # numbers are given once; on PostgreSQL a transaction that was taken back leaves a gap
            begins = 1 if source.dialect == "sqlite" else FIRST_NUMBERS
            if (read_to or 0) > 0 if first is None else first > begins:
                short.append(name)
        return short


async def _before(source: Database, start: Bound) -> Position:
    t = outbox_table.c
    if start is None:
        return Position()
    wanted = t.seq >= start.number if isinstance(start, Place) else t.at >= start
    query = select(t.xid, t.seq).where(wanted).order_by(t.xid, t.seq).limit(1)
    async with UnitOfWork(source, reading=True) as uow:
        first = (await uow.session.execute(query)).one_or_none()
        if first is not None:
            return Position(first.xid, first.seq - 1)
        end = (await uow.session.execute(select(t.xid, t.seq).order_by(t.xid.desc(), t.seq.desc()).limit(1))).first()
    return Position() if end is None else Position(end.xid, end.seq)


async def _last(source: Database, until: Bound) -> tuple[int, int] | None:
    t = outbox_table.c
    query = select(t.xid, t.seq).order_by(t.xid.desc(), t.seq.desc()).limit(1)
    if isinstance(until, Place):
        query = query.where(t.seq <= until.number)
    elif until is not None:
        query = query.where(t.at < until)
    async with UnitOfWork(source, reading=True) as uow:
        row = (await uow.session.execute(query)).one_or_none()
    return None if row is None else (row.xid, row.seq)


# --- between machines -------------------------------------------------------------------------------------------------


class KafkaHistory:
    """The topics themselves, read as a member of no group: nobody's offsets move. Raises NoSuchPlace."""

    def __init__(self, bootstrap: str, topics: Sequence[str], *, start: Bound = None, until: Bound = None) -> None:
        self._partition = _partition_of(start, until)
        self._bootstrap = bootstrap
        self._topics = list(topics)
        self._start = start
        self._until = until
        self._partitions: list[TopicPartition] = []
        self._at: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        only = self._partition
        partitions = await partitions_of(self._bootstrap, self._topics)
        self._partitions = [each for each in partitions if only is None or each.partition == only]
        if partitions and not self._partitions:
            raise NoSuchPlace(
                f"{', '.join(self._topics)} has the partitions 0 to {max(p.partition for p in partitions)}"
            )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",  # "latest" would skip all the rest where retention has dropped what comes next
            fetch_max_wait_ms=50,
        )
        await self._consumer.start()
        self._at = await self._offsets(self._start, await self._begins())
        self._consumer.assign(self._partitions)
        self._go_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def remaining(self) -> int:
        ends = await self._ends()
        return sum(max(0, end - self._at[each]) for each, end in ends.items())

    async def batches(self) -> AsyncIterator[list[Record]]:
        ends = await self._ends()
        self._go_back()

        async def fetch(partition: TopicPartition) -> list[Told]:
            while await self._consumer.position(partition) < ends[partition]:
                polled = await self._polled(partition)
                found = [r for r in polled if r.offset < ends[partition]]
                if found:
                    return [
                        Told(
                            r.timestamp / 1000,
                            Record(
                                r.topic,
                                (r.key or b"").decode(errors="replace"),
                                r.value or b"",
                                f"{r.partition}:{r.offset}",
                            ),
                            partial(self._at.__setitem__, partition, r.offset + 1),
                        )
                        for r in found
                    ]
            return []

        async for batch in _by_time(list(ends), fetch):
            yield batch
        self._at = {each: max(at, ends[each]) for each, at in self._at.items()}  # the last places may hold no record

    def _go_back(self) -> None:
        """To what was not given yet: more was polled, beyond the end or before whoever used it broke off."""
        for partition, offset in self._at.items():
            self._consumer.seek(partition, offset)

    async def _polled(self, partition: TopicPartition) -> list[ConsumerRecord]:
        try:
            polled = await self._consumer.getmany(partition, timeout_ms=200, max_records=BATCH)
        except OffsetOutOfRangeError as error:
            raise NoSuchPlace(f"{partition.topic}: retention has dropped what was to be read next") from error
        return list(polled.get(partition, ()))

    async def reaches_back(self) -> list[str]:
        begins = await self._begins()
        return sorted({each.topic for each, begin in begins.items() if begin > 0})

    async def _begins(self) -> dict[TopicPartition, int]:
        return dict(await self._consumer.beginning_offsets(self._partitions)) if self._partitions else {}

    async def _ends(self) -> dict[TopicPartition, int]:
        ends = dict(await self._consumer.end_offsets(self._partitions)) if self._partitions else {}
        until = self._until
        if isinstance(until, Place):
            return {each: min(end, until.number + 1) for each, end in ends.items()}
        return await self._offsets(until, ends)

    async def _offsets(self, bound: Bound, otherwise: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The first offsets at or after a bound; `otherwise` where there is none."""
        if isinstance(bound, Place):
            return {each: max(other, bound.number) for each, other in otherwise.items()}
        if bound is None or not otherwise:
            return otherwise
        moment = int(bound.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(otherwise, moment))
        ends = await self._consumer.end_offsets(list(otherwise))
        return {each: ends[each] if found[each] is None else found[each].offset for each in otherwise}


def _partition_of(start: Bound, until: Bound) -> int | None:
    """The one that the places name; None where there are moments only."""
    named = {place.partition for place in _places(start, until)}
    if None in named:
        raise NoSuchPlace("On Kafka a place is a partition and an offset: 3:1200")
    if len(named) > 1:
        raise NoSuchPlace("Both ends of a range are in one partition")
    return next(iter(named), None)


async def partitions_of(bootstrap: str, topics: Sequence[str]) -> list[TopicPartition]:
    """The partitions of the topics that are there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics(sorted(topics))
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]]
