"""What a reader of other services' outboxes owes them: it holds back none of their logs, and none of them holds up another."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from common.bulk import insert_columns
from common.bus.delivery import Consumer
from common.bus.local import BATCH, TELL_SOURCE_EVERY, LocalReader
from common.contracts import scoring
from common.contracts.scoring import SignalMoved
from common.db import COMMON, Database, outbox_table
from common.events import Event
from common.ids import new_id
from common.outbox import drop_before
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
        self.reader = self.started()

    def started(self) -> LocalReader:
        consumer = Consumer("sink", (scoring.TOPIC,), self.handle)
        return LocalReader(consumer, self.sink, {"scoring": self.source}, clock=self.clock)

    async def handle(self, events: Sequence[Event]) -> None:
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
        return [await _cursor(database) for database in (self.sink, self.source)]

    async def drop(self) -> int:
        """How many entries the source's retention leaves when all of them are old."""
        async with UnitOfWork(self.source) as uow:
            await drop_before(uow.session, self.clock() + timedelta(days=1))
            await uow.commit()
            return int(await uow.session.scalar(text("SELECT count(*) FROM outbox")))


async def _cursor(database: Database) -> int:
    async with UnitOfWork(database, reading=True) as uow:
        return int(await uow.session.scalar(text("SELECT seq FROM cursor WHERE reader = 'sink<scoring'")) or 0)


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
