"""What a reader of other services' outboxes owes them: it holds back none of their logs, and none of them holds up another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from common.bulk import insert_columns
from common.bus.delivery import FEWEST_FAILURES, Consumer, ConsumerStopped, Held
from common.bus.local import BATCH, TELL_SOURCE_EVERY, LocalReader
from common.contracts import identity, scoring
from common.contracts.identity import CustomerChanged
from common.contracts.scoring import SignalMoved
from common.db import COMMON, Database, outbox_table
from common.errors import Transient
from common.events import Event
from common.ids import new_id
from common.outbox import drop_before, position_of
from common.testing import FakeClock
from common.uow import UnitOfWork

Make = Callable[[str], Any]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Database] = []

    async def database(name: str) -> Database:
        made.append(Database.connect(f"sqlite+aiosqlite:///{tmp_path}/{name}.db"))
        async with made[-1].engine.begin() as connection:
            await connection.run_sync(COMMON.create_all)
        return made[-1]

    yield database
    for each in made:
        await each.dispose()


class Quiet:
    """A consumer of a topic on which hardly anything is told, beside another of the same source on which much is."""

    def __init__(self, source: Database, sink: Database) -> None:
        self.source, self.sink, self.clock = source, sink, FakeClock()
        self.heard: list[Event] = []
        self.away_after: int | None = None  # so many events its database is away
        self.reader = self.started()

    def started(self) -> LocalReader:
        consumer = Consumer("sink", (scoring.TOPIC,), self.handle)
        return LocalReader(consumer, self.sink, {"scoring": self.source}, clock=self.clock)

    async def handle(self, events: Sequence[Event]) -> None:
        if len(self.heard) == self.away_after:
            raise ConnectionError
        self.heard += events

    async def tell(self) -> None:
        async with UnitOfWork(self.source) as uow:
            uow.outbox.add(signal(1), at=self.clock())
            await uow.commit()

    async def tell_others(self, count: int) -> None:
        row = {
            "xid": 0, "aggregatetype": scoring.ERASURES, "aggregateid": "k", "type": "x", "payload": "{}",
            "at": self.clock(),
        }  # fmt: skip
        async with UnitOfWork(self.source) as uow:
            columns: dict[str, Sequence[Any]] = {name: [value] * count for name, value in row.items()}
            await insert_columns(uow.session, outbox_table, {**columns, "id": [new_id() for _ in range(count)]})
            await uow.commit()

    async def look(self, after: timedelta = TELL_SOURCE_EVERY) -> None:
        self.clock.advance(after)
        await self.reader.drain()

    async def cursors(self) -> list[int]:
        """Where the reader stands by its own database, and as far as the source knows."""
        return [await _cursor(self.sink, "sink<scoring"), await _cursor(self.source, "sink")]

    async def drop(self) -> int:
        """How many entries the source's retention leaves when all of them are old."""
        async with UnitOfWork(self.source) as uow:
            await drop_before(uow.session, self.clock() + timedelta(days=1))
            await uow.commit()
            return int(await uow.session.scalar(text("SELECT count(*) FROM outbox")))


async def _cursor(database: Database, reader: str) -> int:
    async with UnitOfWork(database, reading=True) as uow:
        return (await position_of(uow.session, reader)).seq


def signal(customer: int) -> SignalMoved:
    return SignalMoved(customer_id=UUID(int=customer), signal="x", move="raised", at=FakeClock()())


@pytest.fixture
async def quiet(make: Make) -> Quiet:
    return Quiet(await make("source"), await make("sink"))


@pytest.mark.parametrize("told", [0, 1])
async def test_a_reader_of_a_quiet_topic_does_not_hold_back_its_sources_retention(quiet: Quiet, told: int) -> None:
    for _ in range(told):
        await quiet.tell()
    await quiet.look()
    await quiet.tell_others(100)
    await quiet.look()
    assert await quiet.cursors() == [100 + told] * 2
    assert await quiet.drop() == 1  # by the one at its cursor it knows its log again
    await quiet.tell()
    await quiet.look()
    assert len(quiet.heard) == told + 1


async def test_a_source_learns_also_of_the_last_that_was_read_before_it_fell_silent(quiet: Quiet) -> None:
    await quiet.tell()
    await quiet.look()
    await quiet.tell()
    await quiet.look(timedelta(0))
    assert await quiet.cursors() == [2, 1]  # within a minute it is told once
    await quiet.look()
    assert await quiet.cursors() == [2, 2]


async def test_a_reader_that_finds_nothing_writes_at_most_once_a_minute_and_not_at_all_where_nothing_is_told(
    quiet: Quiet,
) -> None:
    written: list[str] = []
    for name, database in (("sink", quiet.sink), ("source", quiet.source)):
        database.on_commit(partial(written.append, name))
    for _ in range(10):
        await quiet.look()
    assert written == []
    for _ in range(10):
        await quiet.tell_others(1)
        await quiet.look(TELL_SOURCE_EVERY / 10)
    assert written == ["source", "sink", "source", *["source"] * 9]  # ten by those who tell
    for _ in range(10):
        await quiet.look()
    assert written[12:] == ["sink", "source"]


async def test_a_look_does_not_begin_before_much_that_was_looked_through(quiet: Quiet) -> None:
    await quiet.tell_others(1)
    await quiet.look()
    await quiet.tell_others(BATCH)
    await quiet.look(timedelta(0))
    assert await quiet.cursors() == [BATCH + 1, 1]


async def test_a_reader_that_is_started_again_goes_on_behind_what_it_had_looked_through(quiet: Quiet) -> None:
    await quiet.tell()
    await quiet.tell_others(100)
    await quiet.look()
    quiet.reader = quiet.started()
    await quiet.tell()
    await quiet.look()
    assert len(quiet.heard) == 2
    assert await quiet.cursors() == [102, 102]


async def test_where_more_waits_than_is_read_at_once_neither_the_reader_nor_its_source_is_told_of_the_end_before_it_came(
    quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.bus.local.BATCH", 3)
    for _ in range(7):
        await quiet.tell()
    quiet.away_after = 3
    with pytest.raises(Transient):
        await quiet.look()
    assert await quiet.cursors() == [3, 3]
    quiet.away_after = None
    await quiet.look()
    assert len(quiet.heard) == 7


class Two:
    """A consumer of two services that cannot handle what the first of them tells."""

    def __init__(self, identity_database: Database, scoring_database: Database, sink: Database) -> None:
        self.identity, self.scoring, self.sink = identity_database, scoring_database, sink
        self.heard: list[Event] = []
        self.failure: Exception = ValueError("no")
        consumer = Consumer("sink", (identity.TOPIC, scoring.TOPIC), self.handle)
        self.reader = LocalReader(consumer, sink, {"identity": identity_database, "scoring": scoring_database})

    async def handle(self, events: Sequence[Event]) -> None:
        if any(isinstance(event.data, CustomerChanged) for event in events):
            raise self.failure
        self.heard += events

    async def tell(self, *, bad: int = 0, good: int = 0) -> None:
        at = FakeClock()()
        async with UnitOfWork(self.identity) as uow:
            told = [CustomerChanged(customer_id=UUID(int=one), revision=1, state="active") for one in range(bad)]
            uow.outbox.add_all(told, at=at)
            await uow.commit()
        async with UnitOfWork(self.scoring) as uow:
            uow.outbox.add_all([signal(one) for one in range(good)], at=at)
            await uow.commit()

    async def parked(self) -> list[str]:
        async with UnitOfWork(self.sink, reading=True) as uow:
            return [p.code for p in await uow.parked.page(state=None, kind=None, code=None, after=None, limit=100)]


@pytest.fixture
async def two(make: Make) -> Two:
    return Two(await make("identity"), await make("scoring"), await make("sink"))


async def test_what_another_service_tells_does_not_wait_for_an_event_that_is_held_and_lets_it_be_judged(
    two: Two,
) -> None:
    await two.tell(bad=1)
    with pytest.raises(Held):
        await two.reader.drain()
    assert await two.parked() == []
    await two.tell(good=3)
    with pytest.raises(Held):
        await two.reader.drain()
    assert len(two.heard) == 3
    await two.reader.drain()
    assert await two.parked() == ["handler-failed"]


async def test_whoever_comes_next_is_not_kept_waiting_by_what_is_held(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.bus.local.pause_after", lambda *_: 600.0)
    stop = asyncio.Event()
    await two.tell(bad=1)
    running = asyncio.create_task(two.reader.run(stop))
    async with asyncio.timeout(60):
        while two.reader.trouble is None:
            await asyncio.sleep(0.01)
        await two.tell(good=1)
        while not two.heard:
            await asyncio.sleep(0.01)
        stop.set()
        await running


async def test_what_has_to_be_tried_again_of_one_service_holds_up_no_other(two: Two) -> None:
    two.failure = ConnectionError()
    await two.tell(bad=1, good=3)
    with pytest.raises(Transient):
        await two.reader.drain()
    assert len(two.heard) == 3


async def test_a_consumer_that_has_stopped_itself_is_given_nothing_more(two: Two) -> None:
    await two.tell(bad=FEWEST_FAILURES, good=3)
    with pytest.raises(ConsumerStopped):
        await two.reader.drain()
    assert two.heard == []
