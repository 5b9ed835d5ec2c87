"""The log read again, on both buses: a range to one consumer once more, and how far a consumer is behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from sqlalchemy import delete

from common.bus.delivery import Consumer, Record
from common.bus.history import History, KafkaHistory, NoSuchPlace, OutboxHistory, Place
from common.bus.kafka import KafkaReader, KafkaRelay, ensure_topics
from common.clock import utc_now
from common.contracts.scoring import TOPIC
from common.db import inbox_table
from common.errors import Refusal
from common.events import decode
from common.ids import new_id
from common.replay import NotReplayed, Replayed, refuse_unfit, replay_range
from common.uow import UnitOfWork

from .test_bus import Bus, bus, fresh_customer, of, signal

__all__ = ["bus"]


@asynccontextmanager
async def history(bus: Bus, **bounds: Any) -> AsyncIterator[History]:
    if bus.bootstrap is None:
        async with OutboxHistory({"scoring": bus.source}, [TOPIC], **bounds) as made:
            yield made
    else:
        async with KafkaHistory(bus.bootstrap, [TOPIC], **bounds) as one:
            yield one


def consumer(bus: Bus) -> Consumer:
    return Consumer(bus.name, (TOPIC,), bus.handle)


async def replayed(bus: Bus, **bounds: Any) -> Replayed:
    async with history(bus, **bounds) as one:
        return await replay_range(one, consumer(bus), bus.sink, clock=utc_now)


async def read(bus: Bus, customer: int, **bounds: Any) -> list[tuple[str, str, UUID]]:
    """Number, place and id of what history tells of a customer."""
    found = []
    async with history(bus, **bounds) as one:
        async for records in one.batches():
            for record in records:
                event = decode(record.body) if record.body.startswith(b'{"s') else None
                if event is not None and event.data.customer_id.int == customer:
                    found.append((event.data.signal, record.position, event.id))
    return found


async def test_what_was_missed_gets_its_effect_and_what_was_handled_has_no_second_one(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in range(5)))
        await bus.until(lambda: len(of(bus, one)) == 5)
    missed = {number: event_id for number, _, event_id in await read(bus, one)}["3"]
    async with UnitOfWork(bus.sink) as uow:
        await uow.session.execute(delete(inbox_table).where(inbox_table.c.event_id == missed))
        await uow.commit()
    before = list(bus.seen)
    done = await replayed(bus)
    assert done.applied == 1
    assert bus.seen == [*before, (one, "3")]
    assert (await replayed(bus)).applied == 0


async def test_a_parked_event_is_handled_by_a_replay_once_its_handler_is_mended(bus: Bus) -> None:
    one = fresh_customer()
    poison = fresh_customer()  # the topic is shared by the tests of a run: a number that no other has
    bus.failing = {str(poison)}
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in (0, poison, 2)))
        await bus.until(lambda: len(of(bus, one)) == 2)
        await bus.has_parked("handler-failed")
    bus.failing = set()
    assert (await replayed(bus)).applied == 1
    assert of(bus, one) == ["0", "2", str(poison)]


async def test_a_range_begins_and_ends_at_a_place_or_at_a_moment(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in range(6)))
        await bus.until(lambda: len(of(bus, one)) == 6)
    places = {number: place for number, place, _ in await read(bus, one)}
    bounds = {"start": Place.parse(places["2"]), "until": Place.parse(places["4"])}
    assert [number for number, _, _ in await read(bus, one, **bounds)] == ["2", "3", "4"]
    hour = timedelta(hours=1)
    # events bear the moment that the tests' clock tells; Kafka's records the one at which they were shipped
    told = utc_now() if bus.bootstrap else datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    assert len(await read(bus, one, start=told - hour, until=told + hour)) == 6
    assert await read(bus, one, start=told + hour) == []
    assert await read(bus, one, until=told - hour) == []


async def test_nothing_is_lost_between_one_reading_and_the_next(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 1))
        await bus.until(lambda: of(bus, one) == ["1"])
        async with history(bus) as log:
            first = [record.body async for records in log.batches() for record in records]
            assert await log.remaining() == 0
            await bus.tell(signal(one, 2))
            await bus.until(lambda: of(bus, one) == ["1", "2"])
            second = [record.body async for records in log.batches() for record in records]
    assert len(second) >= 1
    assert not set(first) & set(second)


async def test_what_broke_off_is_given_again_and_nothing_else(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.bus.history.BATCH", 2)
    one = fresh_customer()
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in range(7)))
        await bus.until(lambda: len(of(bus, one)) == 7)
    used: list[Record] = []
    async with history(bus) as log:
        whole = await log.remaining()
        async for records in log.batches():
            if used:
                break
            used += records
        assert await log.remaining() == whole - 2
        used += [record async for records in log.batches() for record in records]
        assert await log.remaining() == 0
    assert len(used) == len({(record.topic, record.position) for record in used}) == whole
    events = [decode(record.body) for record in used if record.body.startswith(b'{"s')]
    assert [e.data.signal for e in events if e is not None and e.data.customer_id.int == one] == list("0123456")


@pytest.mark.real
async def test_what_retention_drops_before_it_was_read_is_not_passed_over(kafka_server: Any) -> None:
    topic = f"history-{new_id().hex}.v1"
    await ensure_topics(kafka_server.bootstrap, [topic], partitions=1)
    async with AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap) as producer:
        for number in range(4):
            await producer.send_and_wait(topic, str(number).encode())
    async with KafkaHistory(kafka_server.bootstrap, [topic]) as log:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
        await admin.start()
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=2)})
        await admin.close()
        with pytest.raises(NoSuchPlace):
            [records async for records in log.batches()]
        assert await log.reaches_back() == [topic]


async def test_lag_is_told_while_nobody_reads_and_is_gone_when_all_is_handled(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 1))
        await bus.until(lambda: of(bus, one) == ["1"])
    reader: Any = bus.reader
    await bus.tell(signal(one, 2), signal(one, 3))
    if bus.bootstrap is not None:
        stop = asyncio.Event()
        shipping = asyncio.create_task(KafkaRelay(bus.source, bus.bootstrap).run(stop))
        async with asyncio.timeout(60):
            while not any(number == "3" for number, _, _ in await read(bus, one)):
                await asyncio.sleep(0.1)
        stop.set()
        await shipping
    [behind] = [each for each in await reader.behind() if each.topic == TOPIC]
    assert behind.events >= 2
    assert behind.seconds > 0
    async with bus.running():
        await bus.until(lambda: len(of(bus, one)) == 3)
        async with asyncio.timeout(60):
            while any(each.events for each in await bus.reader.behind()):  # type: ignore[union-attr]
                await asyncio.sleep(0.1)
    for each in (reader, bus.reader):
        if isinstance(each, KafkaReader):
            await each.close()


def test_a_topic_that_is_not_read_or_never_replayed_is_refused() -> None:
    async def handle(_: Any) -> None:
        raise AssertionError

    reads = Consumer("one", (TOPIC, "identity.people.v1"), handle)
    refuse_unfit(TOPIC, reads)
    for topic in ("identity.v1", "identity.people.v1"):
        with pytest.raises(NotReplayed) as refusal:
            refuse_unfit(topic, reads)
        assert isinstance(refusal.value, Refusal)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("3:1200", Place(3, 1200)),
        ("seq=7", Place(None, 7)),
        ("42", Place(None, 42)),
        ("2026-11-20T15:00:00+00:00", datetime(2026, 11, 20, 15, 0, tzinfo=UTC)),
    ],
)
def test_a_bound_is_a_place_or_a_moment(words: str, meant: Place | datetime) -> None:
    assert Place.parse(words) == meant


def test_a_bound_that_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        Place.parse("yesterday")


async def test_a_place_that_this_log_does_not_have_is_refused(bus: Bus) -> None:
    in_outboxes = (("3:1200", None), (None, "3:1200"))
    on_kafka = (
        ("seq=7", None),
        (None, "7"),
        ("0:7", "1:9"),
        ("0:7", "9"),
        ("99:0", None),
        ("2026-11-20T00:00", "99:5"),
    )
    for start, until in in_outboxes if bus.bootstrap is None else on_kafka:
        bounds = {name: Place.parse(words) for name, words in (("start", start), ("until", until)) if words is not None}
        with pytest.raises(NoSuchPlace):
            await read(bus, 1, **bounds)
