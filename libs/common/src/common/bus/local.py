"""The bus inside one process: each consumer reads the other services' outboxes by cursors of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from common.backlog import Behind, waiting_by_topic
from common.bus.delivery import Consumer, ConsumerStopped, Delivery, Held, Record, pause_after
from common.bus.turns import Turns
from common.bus.waiting import nap, wait_for_news
from common.clock import Clock, utc_now
from common.db import Database, is_transient
from common.errors import Transient
from common.outbox import Entry, Position, agrees, end_of, move_cursor, position_of, read
from common.uow import UnitOfWork

log = structlog.get_logger()

BATCH = 500
IDLE_SECONDS = 1.0  # a commit in this process wakes the reader at once; this is for another process's
TELL_SOURCE_EVERY = timedelta(minutes=1)
_NEVER_TOLD = (datetime.min.replace(tzinfo=UTC), Position())


class LocalReader:
    """Feeds one consumer from the outboxes of the services it listens to (`sources`: service name -> its database).

    `turns` are shared by the readers of a process that answers requests as well.
    """

    def __init__(
        self,
        consumer: Consumer,
        database: Database,
        sources: Mapping[str, Database],
        *,
        clock: Clock = utc_now,
        turns: Turns | None = None,
    ) -> None:
        self.stopped: str | None = None  # why, if the consumer stopped itself
        self.trouble: str | None = None  # why it waits just now, if it does
        self._delivery = Delivery(consumer, database, clock=clock)
        self._database = database
        self._sources = sources
        self._clock = clock
        self._turns = turns or Turns()
        self._told: dict[str, tuple[datetime, Position]] = {}
        self._news = asyncio.Event()
        for source in sources.values():
            source.on_commit(self._news.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop. A transient failure is tried again, later each time; nothing is skipped."""
        misses = 0
        checked: set[str] = set()
        while not stop.is_set():
            self._news.clear()
            try:
                moved = await self._round(checked)
                misses, self.trouble = 0, None
            except ConsumerStopped as reason:
                self.stopped = str(reason)
                log.error("consumer_stopped", consumer=self._delivery.consumer.name, reason=str(reason))  # noqa: TRY400
                return
            except Exception as error:
                if not _passes(error):
                    raise
                self.trouble = type(error.__cause__ or error).__name__
                failure, misses = error if isinstance(error, Transient) else Transient(), misses + 1
                if isinstance(failure, Held):
                    await wait_for_news(self._news, stop, pause_after(failure, misses))
                else:
                    log.warning("consumer_waits", consumer=self._delivery.consumer.name, reason=str(error)[:80])
                    await nap(stop, pause_after(failure, misses))
                continue
            if not moved:
                await wait_for_news(self._news, stop, IDLE_SECONDS)

    def listens_to(self, name: str) -> bool:
        return name in self._sources

    async def behind(self) -> list[Behind]:
        """How far the consumer is behind each of its topics."""
        consumer, now, found = self._delivery.consumer, self._clock(), []
        for name, source in self._sources.items():
            async with UnitOfWork(self._database, reading=True) as uow:
                position = await position_of(uow.session, f"{consumer.name}<{name}")
            topics = [topic for topic in consumer.all_topics if topic.split(".")[0] == name]
            async with UnitOfWork(source, reading=True) as uow:
                found += await waiting_by_topic(uow.session, position, topics, reader=consumer.name, now=now)
        return found

    async def drain(self) -> int:
        """Deliver all there is now, and say how much it was. For tests and for an orderly end."""
        total = 0
        checked: set[str] = set()
        while moved := await self._round(checked):
            total += moved
        return total

    async def _round(self, checked: set[str]) -> int:
        """A step with each source. One that has to wait holds up no other: what is held waits for what the others tell.

        Raises the first failure, in the end where it passes.
        """
        moved, failures = 0, list[Exception]()
        for name, source in self._sources.items():
            try:
                async with self._turns.turn():
                    moved += await self._step(name, source, checked)
            except Exception as error:
                if not _passes(error):
                    raise
                failures.append(error)
        if failures:
            raise failures[0]
        return moved

    async def _step(self, name: str, source: Database, checked: set[str]) -> int:
        reader = f"{self._delivery.consumer.name}<{name}"
        async with UnitOfWork(self._database, reading=True) as uow:
            position = await position_of(uow.session, reader)
        if name not in checked:
            position = await self._checked(reader, position, source)
            checked.add(name)
        async with UnitOfWork(source, reading=True) as uow:
            end = await end_of(uow.session)  # asked first: what is for us up to there is among the entries
            entries = await read(uow.session, after=position, topics=self._delivery.consumer.all_topics, limit=BATCH)
        if entries:
            await self._delivery.deliver([_record(entry) for entry in entries])
        reached = entries[-1].position if entries else position
        if len(entries) < BATCH:
            reached = max(reached, end, key=_place)
        if entries or self._is_worth_a_write(reader, position, reached):
            await self._remember(self._database, reader, reached)
            await self._tell_source(source, reader, reached)
        return len(entries)

    def _is_worth_a_write(self, reader: str, position: Position, reached: Position) -> bool:
        """Whether a look that found nothing moves the cursor: it would hold back the source's retention, and each look begins there.

        Not more often than a reader that has enough to do, or than it tells its source: on SQLite one writes at a time.
        """
        told = self._told.get(reader, _NEVER_TOLD)[1]
        return reached.seq - position.seq >= BATCH or (reached != told and self._is_to_tell(reader))

    async def _checked(self, reader: str, position: Position, source: Database) -> Position:
        """The position, or the start where the log is another one; that is remembered, for there may be nothing to read yet."""
        async with UnitOfWork(source, reading=True) as uow:
            if await agrees(uow.session, position):
                return position
        log.warning("cursor_restarts", reader=reader)
        await self._remember(self._database, reader, Position())
        return Position()

    async def _tell_source(self, source: Database, reader: str, position: Position) -> None:
        """Now and then the source learns how far we are: its retention drops nothing that we have still to read.

        Where we are is decided by our own database alone: it may be restored from a backup without the source.
        """
        if self._is_to_tell(reader):
            await self._remember(source, self._delivery.consumer.name, position)
            self._told[reader] = self._clock(), position

    def _is_to_tell(self, reader: str) -> bool:
        return self._clock() - self._told.get(reader, _NEVER_TOLD)[0] >= TELL_SOURCE_EVERY

    async def _remember(self, database: Database, reader: str, position: Position) -> None:
        async with UnitOfWork(database) as uow:
            await move_cursor(uow.session, reader, position, at=self._clock())
            await uow.commit()


def _passes(error: Exception) -> bool:
    return isinstance(error, Transient) or is_transient(error)


def _record(entry: Entry) -> Record:
    return Record(entry.topic, entry.key, entry.body, f"seq={entry.position.seq}")


def _place(position: Position) -> tuple[int, int]:
    return position.xid, position.seq


def sources_of(topics: Sequence[str], databases: Mapping[str, Database]) -> dict[str, Database]:
    """Which services' outboxes carry the topics: `<service>.v1` and `<service>.people.v1` are in the service's own."""
    return {name: database for name, database in databases.items() if any(t.split(".")[0] == name for t in topics)}
