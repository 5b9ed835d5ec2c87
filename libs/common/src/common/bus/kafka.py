"""The bus between machines: the relay ships a service's outbox to Kafka, the reader feeds its consumer from Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoError,
    ProducerClosed,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.partitioner import DefaultPartitioner
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from common.backlog import Behind
from common.bus.bell import Bell, hear
from common.bus.delivery import BACK_OFF, Consumer, ConsumerStopped, Delivery, Held, Record, pause_after
from common.bus.group_lag import GroupLag
from common.bus.waiting import nap, or_broken_off, rest_after, wait_for_news
from common.clock import Clock, utc_now
from common.db import Database, is_transient
from common.errors import Transient
from common.events import CONTENT_TYPE
from common.outbox import Entry, Position, agrees, move_cursor, position_of, read, settle_restored
from common.telemetry import Metrics
from common.uow import UnitOfWork

log = structlog.get_logger()

RELAY = "relay"
BATCH = 500
BATCH_BYTES = 262_144
PEOPLE_KEPT = timedelta(days=7)
KEPT_FOR_EVER = "-1"
LEAD_SECONDS = 0.5  # how soon another relay takes over
# A relay is called when there is news; by itself it looks for what nobody called it for, and for what was held up.
IDLE_SECONDS = (0.25,)
UNCALLED_SECONDS = (0.005, 0.01, 0.02, 0.05)  # on SQLite, which has no bell
LOOK_MS = 100
COMMIT_SECONDS = 0.1
FAREWELL_SECONDS = 2.0  # in which a broker has to answer to the last word
_TRY_LEAD = text("SELECT pg_try_advisory_lock(hashtext('hilo-relay'))")


async def ensure_topics(
    bootstrap: str, topics: Sequence[str], *, partitions: int = 6, replication: int = 1, within: float = 30.0
) -> None:
    """Create the topics that are not there yet, and return when all are to be seen.

    A group that subscribes to a missing topic may never get its share. The broker answers a refusal as data, and one whose
    heartbeat was late for a moment refuses: it is asked again until `within` seconds have passed, then its reason is raised.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        deadline = time.monotonic() + within
        while absent := await _absent(admin, topics):
            refusal = await _create(admin, [_topic(topic, partitions, replication) for topic in absent])
            if time.monotonic() > deadline:
                raise refusal or RequestTimedOutError(f"not to be seen: {', '.join(absent)}")
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


def _topic(topic: str, partitions: int, replication: int) -> NewTopic:
    """A service's log is kept for ever, so that projections can be built from it; what people are called for days only."""
    kept = {"retention.ms": KEPT_FOR_EVER} if topic.count(".") == 1 else {}
    if ".people." in topic:
        kept = {"retention.ms": str(PEOPLE_KEPT // timedelta(milliseconds=1))}
    return NewTopic(topic, partitions, replication, topic_configs=kept)


async def _absent(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[str]:
    described = await admin.describe_topics(sorted(set(topics)))
    return [topic["topic"] for topic in described if not topic["partitions"]]


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> KafkaError | None:
    """The first refusal, if any; that another process was quicker is none."""
    answer = await admin.create_topics(topics)
    for topic, code, reason in answer.topic_errors:
        if code not in (NoError.errno, TopicAlreadyExistsError.errno):
            log.warning("topic_refused", topic=topic, reason=reason)
            refusal: KafkaError = for_code(code)(f"{topic}: {reason}")
            return refusal
    return None


class KafkaRelay:
    """Publishes the outbox in order and moves its cursor after the broker's acknowledgement.

    Of several relays of a service one leads, by a lock of its database session. Should two ever publish the same entries, each
    does so in order, so that the first copy of every entry still comes in order, and the inbox drops the second.
    The cursor follows by `COMMIT_SECONDS`: whoever leads next ships so much once more.
    """

    def __init__(self, database: Database, bootstrap: str, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._clock = clock
        self.trouble: str | None = None  # why nothing is shipped just now, if so
        self._news = asyncio.Event()
        self._runs = self._leads = False
        self._bell = Bell(database)
        database.on_commit(self._committed)
        self._idle = IDLE_SECONDS if database.dialect == "postgresql" else UNCALLED_SECONDS

    def _committed(self) -> None:
        """What this process has told is shipped at once, here or by the one who leads."""
        if self._leads:
            self._news.set()
        elif self._runs:
            self._bell.ring()

    async def run(self, stop: asyncio.Event) -> None:
        self._runs = True
        try:
            await or_broken_off(self._run(stop), stop)
        finally:
            self._runs = False
            await self._bell.ended()

    async def _run(self, stop: asyncio.Event) -> None:
        misses = 0
        while not stop.is_set():
            try:
                await self._lead(stop)
                misses = 0
            except Exception as error:
                if not isinstance(error, (Transient, KafkaError)) and not is_transient(error):
                    raise
                self.trouble = f"relay, {type(error).__name__}"
                log.warning("relay_waits", reason=type(error).__name__)
                await nap(stop, BACK_OFF[min(misses, len(BACK_OFF) - 1)])
                misses += 1

    async def _lead(self, stop: asyncio.Event) -> None:
        async with self._database.engine.connect() as connection:
            try:
                if not await self._has_lead(connection, stop):
                    return
                async with self._producer() as producer:
                    if self._database.dialect == "postgresql":
                        await hear(connection, self._news)
                    self._leads = True
                    await self._publish_until(stop, producer, self._database.session_on(connection))
            finally:
                self._leads = False
                if self._database.dialect == "postgresql":
                    await connection.invalidate()  # ends the session and with it the lead; the pool would keep both

    async def _has_lead(self, connection: AsyncConnection, stop: asyncio.Event) -> bool:
        """Once nobody else leads; not where it was told to stop before."""
        if self._database.dialect == "sqlite":
            await connection.close()
            return True
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while not (await connection.execute(_TRY_LEAD)).scalar():
            self.trouble = None
            if await nap(stop, LEAD_SECONDS):
                return False
        return True

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
        )
        try:
            await producer.start()
            yield producer
        finally:
            # It would try for ever; what is not acknowledged stands in the outbox behind the cursor.
            producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
            await _take_leave(producer)

    async def _publish_until(self, stop: asyncio.Event, producer: AIOKafkaProducer, lead: AsyncSession) -> None:
        position = moved_to = await self._start()
        moved_at = time.monotonic()
        self.trouble = None
        idle = 0
        while not stop.is_set():
            self._news.clear()
            begun = time.monotonic()
            async with self._outbox(lead, reading=True) as session:
                entries = await read(session, after=position, limit=BATCH)
            if entries:
                idle = 0
                await self._publish(producer, entries)
                position = entries[-1].position
                await asyncio.sleep(rest_after(len(entries), time.monotonic() - begun))
            else:
                rest = self._idle[min(idle, len(self._idle) - 1)]
                await wait_for_news(self._news, stop, rest if position == moved_to else min(rest, COMMIT_SECONDS))
                idle += 1
            if position != moved_to and (stop.is_set() or time.monotonic() >= moved_at + COMMIT_SECONDS):
                async with self._outbox(lead) as session:
                    await move_cursor(session, RELAY, position, at=self._clock())
                moved_to, moved_at = position, time.monotonic()

    @asynccontextmanager
    async def _outbox(self, lead: AsyncSession, *, reading: bool = False) -> AsyncIterator[AsyncSession]:
        """For one statement: on the connection that holds the lead, so that whoever has lost the one has lost the other."""
        if self._database.dialect == "sqlite":
            async with UnitOfWork(self._database, reading=reading) as uow:
                yield uow.session
                if not reading:
                    await uow.commit()
            return
        try:
            yield lead
        except Exception as error:
            self._database.broke_off(error)
            raise

    async def _start(self) -> Position:
        await self._settle()
        async with UnitOfWork(self._database, reading=True) as uow:
            position = await position_of(uow.session, RELAY)
            if await agrees(uow.session, position):
                return position
        log.warning("cursor_restarts", reader=RELAY)
        return Position()

    async def _settle(self) -> None:
        settled = 1
        while settled:
            async with UnitOfWork(self._database) as uow:
                settled = await settle_restored(uow.session)
                await uow.commit()
            if settled:
                log.warning("restored_log_settled", entries=settled)

    async def _publish(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> None:
        """In batches of our own making: sending record by record costs the loop several times as much."""
        by_partition: dict[tuple[str, int], list[Entry]] = {}
        counts = {topic: len(await producer.partitions_for(topic)) for topic in {entry.topic for entry in entries}}
        for entry in entries:
            place = (entry.topic, _partition_of(entry.key, counts[entry.topic]))
            by_partition.setdefault(place, []).append(entry)
        # Side by side, since a partition's second batch waits until its first has gone.
        await asyncio.gather(*[self._send(producer, *place, some) for place, some in by_partition.items()])

    async def _send(self, producer: AIOKafkaProducer, topic: str, partition: int, entries: Sequence[Entry]) -> None:
        batch = producer.create_batch()
        for entry in entries:
            if not _put(batch, entry):
                await _acknowledged(producer, batch, topic, partition)  # one that is refused is not passed by the next
                batch = producer.create_batch()
                _put(batch, entry)
        await _acknowledged(producer, batch, topic, partition)


async def _acknowledged(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> None:
    """Ship a batch; returns when the broker has it."""
    await (await producer.send_batch(batch, topic, partition=partition))


async def _take_leave(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """End it; a broker that is away is not waited for."""
    leaving = asyncio.ensure_future(client.stop())
    try:
        if not (await asyncio.wait([leaving], timeout=FAREWELL_SECONDS))[0]:
            log.warning("broker_takes_no_leave")
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)


def _put(batch: Any, entry: Entry) -> bool:
    """Whether there was room for it; the first record always finds room."""
    headers = [("content-type", CONTENT_TYPE.encode()), ("type", entry.type.encode())]
    return batch.append(timestamp=None, key=entry.key.encode(), value=entry.body, headers=headers) is not None


@lru_cache(maxsize=65_536)
def _partition_of(key: str, count: int) -> int:
    """As Kafka's own clients choose it, so that whoever publishes the outbox in our place keeps each key where it is."""
    return int(DefaultPartitioner()(key.encode(), range(count), range(count)))


class _BetweenBatches(ConsumerRebalanceListener):  # type: ignore[misc]
    """A partition is given away only between batches, with its offsets committed."""

    def __init__(self, busy: asyncio.Lock, commit: Callable[[], Awaitable[None]]) -> None:
        self._busy = busy
        self._commit = commit

    async def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002
        async with self._busy:
            await self._commit()

    async def on_partitions_assigned(self, assigned: object) -> None:  # noqa: ARG002
        return


class KafkaReader:
    """Feeds one consumer from its topics, as a member of the group `hilo.<consumer>`.

    Offsets follow the effects by `COMMIT_SECONDS`, one commit for many small batches: to the broker each costs as much as the
    records themselves. Whoever dies in between is given them once more, and the inbox knows them.
    """

    def __init__(self, consumer: Consumer, database: Database, bootstrap: str, *, clock: Clock = utc_now) -> None:
        self.stopped: str | None = None
        self.trouble: str | None = None  # why it waits just now, if it does
        self._metrics: Metrics | None = None
        self._delivery = Delivery(consumer, database, clock=clock)
        self._bootstrap = bootstrap
        self._lag = GroupLag(f"hilo.{consumer.name}", consumer.name, consumer.all_topics, bootstrap, clock=clock)
        self._busy = asyncio.Lock()
        self._handled: dict[TopicPartition, int] = {}  # where to go on, of what has taken effect and is not committed
        self._committed_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop; offsets are committed after the effects, exactly as far as these go."""
        await or_broken_off(self._run(stop), stop)

    async def _run(self, stop: asyncio.Event) -> None:
        misses = 0
        while not stop.is_set():
            try:
                await self._read_until(stop)
            except ConsumerStopped as reason:
                self.stopped = str(reason)
                log.error("consumer_stopped", consumer=self._delivery.consumer.name, reason=str(reason))  # noqa: TRY400
                return
            except Exception as error:
                if not isinstance(error, KafkaError) and not is_transient(error):
                    raise
                self.trouble = type(error).__name__
                log.warning("consumer_waits", consumer=self._delivery.consumer.name, reason=type(error).__name__)
                await nap(stop, BACK_OFF[min(misses, len(BACK_OFF) - 1)])
                misses += 1

    async def _read_until(self, stop: asyncio.Event) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=f"hilo.{self._delivery.consumer.name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
        )
        commit = partial(self._commit, consumer)
        consumer.subscribe(list(self._delivery.consumer.all_topics), listener=_BetweenBatches(self._busy, commit))
        try:
            await consumer.start()
            self.trouble = None
            misses = 0
            while not stop.is_set():
                records = await consumer.getmany(timeout_ms=LOOK_MS, max_records=BATCH)
                begun = time.monotonic()
                async with self._busy:
                    failure = await self._deliver(consumer, records) if records else None
                    if time.monotonic() >= self._committed_at + COMMIT_SECONDS:
                        await commit()
                misses = 0 if failure is None else misses + 1
                if failure is not None:
                    await nap(stop, pause_after(failure, misses))
                else:
                    await asyncio.sleep(rest_after(sum(map(len, records.values())), time.monotonic() - begun))
        finally:
            try:
                with suppress(KafkaError, TimeoutError):  # the broker is away: given once more, they are known
                    async with asyncio.timeout(FAREWELL_SECONDS):
                        await commit()
            finally:
                await _take_leave(consumer)

    async def _deliver(self, consumer: AIOKafkaConsumer, records: dict[TopicPartition, list[Any]]) -> Transient | None:
        """Deliver what was polled; on a transient failure go back to its beginning, and give the failure.

        What channels have put there themselves goes first and by itself: it does not wait for an event that is held.
        """
        raw = {place: batch for place, batch in records.items() if place.topic in self._delivery.consumer.raw}
        events = {place: batch for place, batch in records.items() if place not in raw}
        failures = [await self._deliver_some(consumer, some) for some in (raw, events) if some]
        failure = next(filter(None, failures), None)
        self.trouble = None if failure is None else str(failure)
        return failure

    async def _deliver_some(
        self, consumer: AIOKafkaConsumer, records: dict[TopicPartition, list[Any]]
    ) -> Transient | None:
        try:
            await self._delivery.deliver(
                [
                    Record(
                        r.topic, (r.key or b"").decode(errors="replace"), r.value or b"", f"{r.partition}:{r.offset}"
                    )
                    for batch in records.values()
                    for r in batch
                ]
            )
        except Transient as error:
            if not isinstance(error, Held):
                log.warning("consumer_retries", consumer=self._delivery.consumer.name, reason=str(error))
            for partition, batch in records.items():
                if partition in consumer.assignment():
                    consumer.seek(partition, batch[0].offset)
            return error
        self._handled |= {partition: batch[-1].offset + 1 for partition, batch in records.items()}
        self._report(records)
        return None

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        handled, self._handled = self._handled, {}
        if not handled:
            return
        try:
            await consumer.commit(handled)
        except (CommitFailedError, IllegalStateError):
            log.warning(
                "offsets_not_committed", consumer=self._delivery.consumer.name
            )  # redelivered; the inbox knows them
        self._committed_at = time.monotonic()

    async def behind(self) -> list[Behind]:
        """How far the group is behind each topic, by the broker's word: also while this consumer has stopped."""
        return await self._lag.read()

    async def close(self) -> None:
        """End what asking how far it is behind has opened."""
        await self._lag.close()

    def report_to(self, metrics: Metrics) -> None:
        """Tell lag and fate of events to these figures from now on."""
        self._metrics = metrics

    def _report(self, records: dict[TopicPartition, list[Any]]) -> None:
        if self._metrics is None:
            return
        name = self._delivery.consumer.name
        self._metrics.consumed.labels(name, "delivered").inc(sum(map(len, records.values())))
