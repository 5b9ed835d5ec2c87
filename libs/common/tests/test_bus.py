"""One behaviour suite for both buses: what a service may rely on, whether it runs embedded or on Kafka."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import TextClause, insert, text

from common import access  # noqa: F401
from common.bus.bell import Bell, hear
from common.bus.delivery import Consumer, Record
from common.bus.kafka import KafkaReader, KafkaRelay, ensure_topics
from common.bus.local import LocalReader
from common.contracts.scoring import TOPIC, SignalMoved
from common.db import COMMON, Database, outbox_table
from common.events import Event
from common.ids import new_id
from common.outbox import Position, drop_before, move_cursor, read
from common.uow import UnitOfWork
from common.worker import Worker

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def signal(customer: int, number: int) -> SignalMoved:
    return SignalMoved(customer_id=UUID(int=customer), signal=str(number), move="raised", at=NOW)


class Bus:
    """A source service with an outbox, a sink service with a consumer, and the bus between them."""

    def __init__(self, source: Database, sink: Database, bootstrap: str | None) -> None:
        self.source, self.sink, self.bootstrap = source, sink, bootstrap
        self.name = f"sink-{new_id().hex[-8:]}"
        self.seen: list[tuple[int, str]] = []
        self.raw: list[bytes] = []
        self.failing: set[str] = set()
        self.away = 0
        self.reader: LocalReader | KafkaReader | None = None

    async def handle(self, events: Sequence[Event]) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionError
        async with UnitOfWork(self.sink) as uow:
            fresh = await uow.inbox.claim(events, consumer=self.name)
            if self.failing & {event.data.signal for event in fresh}:
                raise ValueError("no")
            await uow.commit()
        self.seen += [(event.data.customer_id.int, event.data.signal) for event in fresh]

    async def handle_raw(self, records: Sequence[Record]) -> None:
        self.raw += [record.body for record in records]

    async def tell(self, *signals: SignalMoved) -> None:
        async with UnitOfWork(self.source) as uow:
            uow.outbox.add_all(signals, at=NOW)
            await uow.commit()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        raw = {"channels.touchpoints.v1": self.handle_raw} if self.bootstrap else {}
        consumer = Consumer(self.name, (TOPIC,), self.handle, raw)
        parts: list[Any]
        if self.bootstrap is None:
            self.reader = LocalReader(consumer, self.sink, {"scoring": self.source})
            parts = [self.reader]
        else:
            self.reader = KafkaReader(consumer, self.sink, self.bootstrap)
            parts = [KafkaRelay(self.source, self.bootstrap), self.reader]
        running = asyncio.create_task(Worker(parts).run(stop))
        try:
            yield
        finally:
            stop.set()
            await running

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def read_up_to_its_end(self) -> None:
        """Waits until whoever reads the source's log has put down that it came to its last entry."""
        async with asyncio.timeout(60):
            while not await self.is_read_up_to_its_end():
                await asyncio.sleep(0.02)

    async def is_read_up_to_its_end(self) -> bool:
        return await self._tells(text("SELECT (SELECT max(seq) FROM cursor) >= (SELECT max(seq) FROM outbox)"))

    async def _tells(self, question: TextClause) -> bool:
        async with UnitOfWork(self.source, reading=True) as uow:
            return bool(await uow.session.scalar(question))

    async def has_parked(self, *codes: str) -> None:
        async with asyncio.timeout(60):
            while not Counter(codes) <= Counter(await self.parked()):
                await asyncio.sleep(0.02)

    async def parked(self) -> list[str]:
        async with UnitOfWork(self.sink, reading=True) as uow:
            return [p.code for p in await uow.parked.page(state=None, kind=None, code=None, after=None, limit=100)]


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.real)])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    urls = [f"sqlite+aiosqlite:///{tmp_path}/{name}.db" for name in ("source", "sink")]
    bootstrap = None
    if request.param == "kafka":
        postgres: Any = request.getfixturevalue("postgres_server")
        bootstrap = request.getfixturevalue("kafka_server").bootstrap
        names = [f"bus_{new_id().hex}" for _ in range(2)]
        for name in names:
            postgres.create_database(name)
        urls = [postgres.url(name) for name in names]
        await ensure_topics(bootstrap, [TOPIC, "channels.touchpoints.v1"], partitions=3)
    source, sink = (Database.connect(url) for url in urls)
    for database in (source, sink):
        async with database.engine.begin() as connection:
            await connection.run_sync(COMMON.create_all)
    made = Bus(source, sink, bootstrap)
    yield made
    await source.dispose()
    await sink.dispose()


def of(bus: Bus, customer: int) -> list[str]:
    return [number for who, number in bus.seen if who == customer]


def fresh_customer() -> int:
    return new_id().int  # the topic is shared by the tests of a run


async def put_on_the_channels_topic(bootstrap: str, body: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait("channels.touchpoints.v1", body)
    await producer.stop()


async def test_what_is_told_arrives_once_and_in_order_for_each_subject(bus: Bus) -> None:
    customers = [fresh_customer() for _ in range(3)]
    async with bus.running():
        for number in range(20):
            await bus.tell(*(signal(customer, number) for customer in customers))
        await bus.until(lambda: all(len(of(bus, customer)) == 20 for customer in customers))
    for customer in customers:
        assert of(bus, customer) == [str(number) for number in range(20)]


async def test_what_is_written_in_this_process_is_looked_for_at_once(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.bus.kafka.IDLE_SECONDS", (600.0,))
    monkeypatch.setattr("common.bus.local.IDLE_SECONDS", 600.0)
    one = fresh_customer()
    async with bus.running():
        for number in range(3):
            await bus.tell(signal(one, number))
            await bus.until(lambda: len(of(bus, one)) == number + 1)  # noqa: B023 - asked within the round


@pytest.mark.real
@pytest.mark.parametrize("bus", ["kafka"], indirect=True)
async def test_what_another_process_writes_is_shipped_when_it_rings(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.bus.kafka.IDLE_SECONDS", (600.0,))
    one, relays = fresh_customer(), bus.source
    other = Database.connect(relays.engine.url.render_as_string(hide_password=False))
    async with bus.running():
        await bus.tell(signal(one, 0))
        await bus.until(lambda: len(of(bus, one)) == 1)
        await bus.read_up_to_its_end()
        bus.source = other
        await bus.tell(signal(one, 1))
        await asyncio.sleep(1.0)
        assert len(of(bus, one)) == 1  # nobody has rung
        bell = Bell(other)
        other.on_commit(bell.ring)
        for number in range(2, 20):
            await bus.tell(signal(one, number))
        await bus.until(lambda: len(of(bus, one)) == 20)
    await bell.ended()
    await other.dispose()
    bus.source = relays
    assert of(bus, one) == [str(number) for number in range(20)]


@pytest.mark.real
@pytest.mark.parametrize("bus", ["kafka"], indirect=True)
async def test_what_a_worker_writes_that_does_not_lead_is_shipped_by_the_one_that_does(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.bus.kafka.IDLE_SECONDS", (600.0,))
    one, stop = fresh_customer(), asyncio.Event()
    other = Database.connect(bus.source.engine.url.render_as_string(hide_password=False))
    async with bus.running():
        await bus.tell(signal(one, 0))
        await bus.until(lambda: len(of(bus, one)) == 1)
        waits = asyncio.create_task(KafkaRelay(other, bus.bootstrap or "").run(stop))
        await asyncio.sleep(1.0)  # it asks for the lead, which another has
        await bus.read_up_to_its_end()
        bus.source, leads = other, bus.source
        await bus.tell(signal(one, 1))
        await bus.until(lambda: len(of(bus, one)) == 2)
        stop.set()
        await waits
        bus.source = leads
    await other.dispose()


@pytest.mark.real
@pytest.mark.parametrize("bus", ["kafka"], indirect=True)
async def test_a_bell_that_cannot_be_rung_is_silent_and_rings_again(bus: Bus) -> None:
    heard, url = asyncio.Event(), bus.source.engine.url.render_as_string(hide_password=False)
    crowded = Database.connect(url, pool_size=1, patience=0.1)
    bell = Bell(crowded)
    async with bus.source.engine.connect() as connection:
        await hear(connection, heard)
        async with crowded.engine.connect():
            bell.ring()
            await bell.ended()
        assert not heard.is_set()
        bell.ring()
        await asyncio.wait_for(heard.wait(), 30)
        await bell.ended()
        await connection.invalidate()
    await crowded.dispose()


async def test_a_restarted_consumer_goes_on_where_it_stopped(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 1))
        await bus.until(lambda: of(bus, one) == ["1"])
    await bus.tell(signal(one, 2))
    async with bus.running():
        await bus.until(lambda: of(bus, one) == ["1", "2"])


async def test_whoever_is_told_to_stop_has_nothing_left_that_would_be_given_to_him_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.bus.kafka.COMMIT_SECONDS", 3600.0)  # so that only the end commits
    one = fresh_customer()
    async with bus.running():
        for number in range(3):
            await bus.tell(signal(one, number))
            await bus.until(lambda: len(of(bus, one)) == number + 1)  # noqa: B023 - asked within the round
    assert bus.reader is not None
    assert {behind.events for behind in await bus.reader.behind()} == {0}
    if isinstance(bus.reader, KafkaReader):
        assert await bus.is_read_up_to_its_end()
        await bus.reader.close()


async def test_what_is_shipped_twice_counts_once(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 1))
        await bus.until(lambda: of(bus, one) == ["1"])
    async with UnitOfWork(bus.source) as uow:  # as after a kill between publishing and moving the cursor
        await move_cursor(uow.session, "relay", Position(), at=NOW)
        await uow.commit()
    async with UnitOfWork(bus.sink) as uow:
        await move_cursor(uow.session, f"{bus.name}<scoring", Position(), at=NOW)
        await uow.commit()
    async with bus.running():
        await bus.tell(signal(one, 2))
        await bus.until(lambda: "2" in of(bus, one))
    assert of(bus, one) == ["1", "2"]


async def test_a_database_that_is_away_delays_and_loses_nothing(bus: Bus) -> None:
    one = fresh_customer()
    bus.away = 3
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in range(5)))
        await bus.until(lambda: len(of(bus, one)) == 5)
    assert of(bus, one) == ["0", "1", "2", "3", "4"]
    assert await bus.parked() == []


async def test_what_could_not_be_handled_until_the_end_is_given_again_after_it(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 0))
        await bus.until(lambda: of(bus, one) == ["0"])
        bus.away = 1_000_000
        await bus.tell(signal(one, 1))
        await bus.until(lambda: bus.reader is not None and bus.reader.trouble is not None)
    bus.away = 0
    async with bus.running():
        await bus.until(lambda: of(bus, one) == ["0", "1"], seconds=30)


async def test_an_unreadable_record_and_a_failing_event_are_parked_and_hold_up_nobody(bus: Bus) -> None:
    one = fresh_customer()
    bus.failing = {"13"}
    async with UnitOfWork(bus.source) as uow:
        row = {"xid": 0, "id": new_id(), "aggregatetype": TOPIC, "aggregateid": "k", "type": "x", "at": NOW}
        await uow.session.execute(insert(outbox_table).values(**row, payload="{broken"))
        await uow.commit()
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in (12, 13, 14)))
        await bus.until(lambda: of(bus, one) == ["12", "14"])
        await bus.has_parked("bad-json", "handler-failed")


async def test_beside_failing_events_every_subject_gets_all_of_its_own_once_and_in_order(bus: Bus) -> None:
    subjects = [fresh_customer() for _ in range(6)]
    bus.failing = {"507", "520", "521"}  # the topic is shared: numbers that no other test tells
    async with bus.running():
        await bus.tell(*(signal(subjects[number % 6], 500 + number) for number in range(36)))
        await bus.until(lambda: len([who for who, _ in bus.seen if who in subjects]) == 33)
        await bus.has_parked(*["handler-failed"] * 3)
    for place, one in enumerate(subjects):
        due = [str(number) for number in range(500 + place, 536, 6) if str(number) not in bus.failing]
        assert of(bus, one) == due
    assert (await bus.parked()).count("handler-failed") == 3


async def test_a_failing_event_that_comes_alone_is_parked_when_another_has_come(bus: Bus) -> None:
    subjects = [fresh_customer() for _ in range(4)]
    bus.failing = {"601"}
    async with bus.running():
        await bus.tell(signal(subjects[0], 600))
        await bus.until(lambda: of(bus, subjects[0]) == ["600"])
        await bus.tell(signal(subjects[0], 601))
        await bus.until(lambda: bus.reader is not None and bus.reader.trouble is not None)
        assert "handler-failed" not in await bus.parked()
        await bus.tell(*(signal(one, 602) for one in subjects[1:]))
        await bus.until(lambda: all(of(bus, one) == ["602"] for one in subjects[1:]))
        await bus.has_parked("handler-failed")


async def test_a_consumer_that_fails_on_everything_stops_and_parks_nothing(bus: Bus) -> None:
    one = fresh_customer()
    bus.failing = {str(number) for number in range(40)}
    async with bus.running():
        await bus.tell(*(signal(one, number) for number in range(40)))
        await bus.until(lambda: bus.reader is not None and bus.reader.stopped is not None, seconds=40)
    assert "handler-failed" not in await bus.parked()


async def test_the_sources_retention_knows_how_far_its_reader_is(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 1), signal(one, 2))
        await bus.until(lambda: of(bus, one) == ["1", "2"])
        await bus.read_up_to_its_end()
    await bus.tell(signal(one, 3))
    async with UnitOfWork(bus.source) as uow:
        assert await drop_before(uow.session, NOW + timedelta(days=30)) > 0
        left = await read(uow.session, after=Position())
        await uow.commit()
    assert any(b'"3"' in entry.body for entry in left)
    async with bus.running():
        await bus.until(lambda: of(bus, one) == ["1", "2", "3"])


async def test_a_source_that_has_lost_its_database_is_read_from_its_new_beginning(bus: Bus) -> None:
    one = fresh_customer()
    async with bus.running():
        await bus.tell(signal(one, 1), signal(one, 2))
        await bus.until(lambda: of(bus, one) == ["1", "2"])
        await bus.read_up_to_its_end()
    async with UnitOfWork(bus.source) as uow:
        sqlite = bus.source.dialect == "sqlite"
        emptied = (
            ("DELETE FROM outbox", "DELETE FROM sqlite_sequence") if sqlite else ("TRUNCATE outbox RESTART IDENTITY",)
        )
        for statement in (*emptied, "DELETE FROM cursor"):
            await uow.session.execute(text(statement))
        await uow.commit()
    async with bus.running():
        await asyncio.sleep(0.3)  # its readers find nothing yet, and stand further than it reaches
        for number in (3, 4, 5):
            await bus.tell(signal(one, number))
        await bus.until(lambda: of(bus, one) == ["1", "2", "3", "4", "5"])


async def test_records_of_a_raw_topic_go_to_their_own_function(bus: Bus) -> None:
    if bus.bootstrap is None:
        pytest.skip("channel systems produce to Kafka; the embedded stack takes HTTP only")
    body = new_id().hex.encode()
    await put_on_the_channels_topic(bus.bootstrap, body)
    async with bus.running():
        await bus.until(lambda: body in bus.raw)


async def test_what_channels_put_on_their_topic_does_not_wait_for_an_event_that_is_held(bus: Bus) -> None:
    if bus.bootstrap is None:
        pytest.skip("channel systems produce to Kafka; the embedded stack takes HTTP only")
    one, body = fresh_customer(), new_id().hex.encode()
    bus.failing = {"611"}
    async with bus.running():
        await bus.tell(signal(one, 610))
        await bus.until(lambda: of(bus, one) == ["610"])
        await bus.tell(signal(one, 611))
        await bus.until(lambda: bus.reader is not None and bus.reader.trouble is not None)
        await put_on_the_channels_topic(bus.bootstrap, body)
        await bus.until(lambda: body in bus.raw)
        assert "handler-failed" not in await bus.parked()  # so it is held still
        await asyncio.sleep(1.5)  # it is delivered a few times more
        assert bus.raw.count(body) == 1
