import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, text

from common.clock import utc_now
from common.contracts.identity import LinksChanged, Move
from common.db import Database, inbox_table, outbox_table
from common.ids import new_id
from common.outbox import Position, agrees, move_cursor, read, still_to_read
from common.partitions import (
    INBOX,
    OUTBOX,
    Partitioned,
    attach,
    divide,
    drop,
    first_id_of,
    partitions_of,
    passed,
    unite,
    wanted,
)
from common.uow import UnitOfWork
from common.worker import Retention

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday
ALL_READ = "false"
on_postgresql = pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.real)], indirect=True)


def links(number: int) -> LinksChanged:
    move = Move(trace_id=UUID(int=number), customer_id=UUID(int=1), revision=number)
    return LinksChanged(decision_id=UUID(int=number), kind="link", moves=[move])


async def write(database: Database, *numbers: int, at: datetime = NOW) -> None:
    async with UnitOfWork(database) as uow:
        uow.outbox.add_all([links(number) for number in numbers], at=at)
        await uow.commit()


async def claimed(database: Database, *ids: UUID, at: datetime) -> None:
    async with UnitOfWork(database) as uow:
        rows = [{"event_id": each, "consumer": "c", "at": at} for each in ids]
        await uow.session.execute(insert(inbox_table), rows)
        await uow.commit()


async def run(database: Database, step: Callable[..., Any], *given: Any) -> Any:
    async with database.engine.begin() as connection:
        return await connection.run_sync(step, *given)


async def names(database: Database, plan: Partitioned) -> list[str]:
    return [one.name for one in await run(database, partitions_of, plan)]


async def rows_in(database: Database, table: str) -> int:
    return int(await run(database, lambda c: c.scalar(text(f"SELECT count(*) FROM {table}"))))


async def read_by_relay(database: Database, count: int) -> Position:
    async with UnitOfWork(database) as uow:
        entries = await read(uow.session, after=Position(), limit=count)
        await move_cursor(uow.session, "relay", entries[-1].position, at=NOW)
        await uow.commit()
    return entries[-1].position


def retention(database: Database, now: datetime) -> Retention:
    return Retention(database, clock=lambda: now, outbox_days=14, inbox_days=30)


@on_postgresql
async def test_a_row_outside_every_range_is_taken_in_and_carried_over_when_its_range_is_made(
    database: Database,
) -> None:
    await write(database, 1, 2, 3)
    assert await rows_in(database, "outbox_default") == 3
    assert await run(database, attach, OUTBOX, 1, 11)
    assert await rows_in(database, "outbox_default") == 0
    assert await rows_in(database, "outbox_1") == 3
    await write(database, *range(4, 13))
    assert (await rows_in(database, "outbox_1"), await rows_in(database, "outbox_default")) == (10, 2)


@on_postgresql
async def test_maintenance_makes_the_ranges_that_will_be_needed_and_then_wants_no_more(database: Database) -> None:
    await write(database, 1)
    await retention(database, NOW).shorten()
    assert await names(database, INBOX) == ["inbox_20261116", "inbox_20261123", "inbox_default"]
    assert await names(database, OUTBOX) == ["outbox_1", "outbox_100001", "outbox_200001", "outbox_default"]
    assert await run(database, wanted, INBOX, NOW) == []
    assert await run(database, wanted, OUTBOX, NOW) == []
    assert await rows_in(database, "outbox_default") == 0
    await retention(database, NOW + timedelta(weeks=1)).shorten()
    assert "inbox_20261130" in await names(database, INBOX)


@on_postgresql
async def test_a_log_is_cut_by_years(database: Database) -> None:
    log = Partitioned("history", "event_id", "at", "year")
    await run(database, lambda c: c.execute(text("CREATE TABLE history (event_id uuid PRIMARY KEY, at timestamptz)")))
    await run(database, divide, log, NOW)
    assert await names(database, log) == ["history_2026", "history_2027", "history_default"]


@on_postgresql
async def test_two_workers_at_once_make_each_range_once(database: Database) -> None:
    await asyncio.gather(*(retention(database, NOW).shorten() for _ in range(4)))
    await retention(database, NOW).shorten()
    assert len(await names(database, INBOX)) == 3


@on_postgresql
@pytest.mark.parametrize(("years", "kept"), [(0, 0), (10, 1)])
async def test_a_clock_that_is_years_ahead_of_the_servers_drops_nothing(
    database: Database, years: int, kept: int
) -> None:
    """Of a claim that is old by any clock, the first is rid; with a clock that is off nobody can tell what is old."""
    await claimed(database, uuid4(), at=utc_now() - timedelta(days=60))
    clock = utc_now() + timedelta(days=365 * years)
    stop = asyncio.Event()
    at_work = asyncio.create_task(retention(database, clock).run(stop))
    await asyncio.sleep(0)  # it begins a round, and ends it whatever it is told meanwhile
    stop.set()
    await at_work
    assert await rows_in(database, "inbox") == kept


@on_postgresql
async def test_a_range_goes_when_it_is_old_and_everybody_has_read_it(database: Database) -> None:
    for low in (1, 4, 7):
        await run(database, attach, OUTBOX, low, low + 3)
    await write(database, 1, 2, 3)
    await write(database, 4, 5, 6)
    position = await read_by_relay(database, 5)
    later = NOW + timedelta(days=15)
    await write(database, 7, at=later)
    await retention(database, later).shorten()
    left = await names(database, OUTBOX)
    assert "outbox_1" not in left
    assert {"outbox_4", "outbox_7"} <= set(left)  # the relay stands in one; the other is young
    async with UnitOfWork(database, reading=True) as uow:
        assert await agrees(uow.session, position)
        assert len(await read(uow.session, after=position)) == 2


async def test_without_any_reader_nothing_is_dropped(database: Database) -> None:
    await write(database, 1, 2, 3)
    await retention(database, NOW + timedelta(days=100)).shorten()
    assert await rows_in(database, "outbox") == 3


@on_postgresql
async def test_a_range_in_which_one_row_is_young_stays(database: Database) -> None:
    await run(database, attach, OUTBOX, 1, 11)
    await write(database, *range(1, 5), at=NOW)
    await write(database, 5, at=NOW + timedelta(days=9))
    await write(database, *range(6, 13), at=NOW)
    assert await run(database, passed, OUTBOX, NOW + timedelta(days=1)) == []
    assert [one.name for one in await run(database, passed, OUTBOX, NOW + timedelta(days=10))] == ["outbox_1"]


@on_postgresql
async def test_a_range_into_which_a_reader_has_come_back_is_not_dropped(database: Database) -> None:
    await run(database, attach, OUTBOX, 1, 4)
    await write(database, 1, 2, 3, 4)
    [over] = await run(database, passed, OUTBOX, NOW + timedelta(days=1))
    refused = await run(database, lambda c: drop(c, OUTBOX, over, unread="seq >= 2"))
    assert not refused
    assert await run(database, lambda c: drop(c, OUTBOX, over, unread=ALL_READ))
    assert await rows_in(database, "outbox") == 1


@on_postgresql
async def test_whoever_writes_is_not_held_up_and_what_could_not_be_done_is_done_next_time(database: Database) -> None:
    async with database.engine.begin() as reader:
        await reader.execute(text("LOCK TABLE inbox_default IN ACCESS SHARE MODE"))  # a backup, for instance
        async with asyncio.timeout(60):  # it would wait for ever
            await retention(database, NOW).shorten()
        await claimed(database, new_id(), at=NOW)
    assert await names(database, INBOX) == ["inbox_default"]
    await retention(database, NOW).shorten()
    assert len(await names(database, INBOX)) == 3


@on_postgresql
async def test_ranges_come_and_go_under_writers_and_a_reader_and_nobody_fails(database: Database) -> None:
    writing = True

    async def writer(first: int) -> int:
        count = 0
        while writing:
            await write(database, *range(first + count, first + count + 5))
            await claimed(database, *(new_id() for _ in range(5)), at=NOW)
            count += 5
        return count

    async def reader() -> list[int]:
        seen: list[int] = []
        position, quiet = Position(), 0
        while quiet < 3:
            async with UnitOfWork(database) as uow:
                entries = await read(uow.session, after=position, limit=50)
                if entries:
                    position = entries[-1].position
                    await move_cursor(uow.session, "relay", position, at=NOW)
                await uow.commit()
            seen += [UUID(entry.key).int for entry in entries]
            quiet = 0 if writing or entries else quiet + 1
            await asyncio.sleep(0.005)
        return seen

    writers = [asyncio.create_task(writer(1_000_000 * each)) for each in range(1, 7)]
    reading = asyncio.create_task(reader())
    worker = retention(database, NOW + timedelta(days=15))
    low, made = 0, 0
    for _ in range(8):
        low += 60
        made += bool(await worker._step(attach, OUTBOX, low, low + 60))
        over = await worker._step(passed, OUTBOX, NOW + timedelta(days=1)) or []
        for one in over:
            async with UnitOfWork(database, reading=True) as uow:
                unread = await still_to_read(uow.session)
            await worker._step(partial(drop, unread=unread), OUTBOX, one)
        await asyncio.sleep(0.05)
    await worker.shorten()
    writing = False
    written = sum(await asyncio.gather(*writers))
    seen = await reading
    assert (len(seen), len(set(seen))) == (written, written)
    assert made > 2  # where writers are in the way at every moment, a step may be left for the next round


@on_postgresql
async def test_no_range_comes_while_a_reader_may_have_the_former_list_of_them(database: Database) -> None:
    """He would look for the rows that are carried over where they no longer are, and his cursor would pass over them."""
    await write(database, 1, 2, 3)
    async with database.engine.begin() as reader:
        await reader.execute(text("LOCK TABLE ONLY outbox IN ACCESS SHARE MODE"))  # no partition is opened yet
        assert await retention(database, NOW)._step(attach, OUTBOX, 1, 11) is None
    assert await run(database, attach, OUTBOX, 1, 11)


@on_postgresql
async def test_a_table_becomes_a_partitioned_one_without_copying_and_plain_again(database: Database) -> None:
    await write(database, 1, 2, 3)
    await run(database, unite, OUTBOX)
    assert await names(database, OUTBOX) == []
    await write(database, 4)
    file = await run(database, lambda c: c.scalar(text("SELECT relfilenode FROM pg_class WHERE relname = 'outbox'")))
    await run(database, divide, OUTBOX, NOW)
    first = "SELECT relfilenode FROM pg_class WHERE relname = 'outbox_first'"
    assert await run(database, lambda c: c.scalar(text(first))) == file
    await write(database, 5)
    async with UnitOfWork(database, reading=True) as uow:
        entries = await read(uow.session, after=Position())
    assert [UUID(entry.key).int for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.position.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert (await rows_in(database, "outbox_first"), await rows_in(database, "outbox_default")) == (4, 0)


@on_postgresql
async def test_claims_without_a_moment_in_their_id_do_not_hinder_the_division(database: Database) -> None:
    await run(database, unite, INBOX)
    beyond = UUID(int=first_id_of(NOW + timedelta(days=900)))
    await claimed(database, new_id(), beyond, at=NOW)
    await run(database, divide, INBOX, utc_now())
    assert (await rows_in(database, "inbox_first"), await rows_in(database, "inbox_default")) == (1, 1)


@pytest.mark.parametrize("count", [1, 4_500])
async def test_old_claims_go_and_young_ones_stay_whatever_their_ids_are(database: Database, count: int) -> None:
    now = utc_now()
    old = [uuid_at(now - timedelta(days=60)) for _ in range(count)]
    await claimed(database, *old, *(timeless() for _ in range(3)), at=now - timedelta(days=60))
    await claimed(database, new_id(), timeless(), at=now - timedelta(days=1))
    await retention(database, now).shorten()
    async with UnitOfWork(database, reading=True) as uow:
        assert await uow.session.scalar(select(func.count()).select_from(inbox_table)) == 2


async def test_what_a_range_holds_back_goes_row_by_row(database: Database) -> None:
    await write(database, *range(1, 51))
    later = NOW + timedelta(days=16)
    await write(database, 51, 52, at=later)
    await read_by_relay(database, 51)
    await retention(database, later).shorten()
    assert await rows_in(database, "outbox") == 2


@on_postgresql
async def test_reading_looks_into_each_range_by_its_index_only(database: Database) -> None:
    for low in range(1, 301, 10):
        await run(database, attach, OUTBOX, low, low + 10)
    await write(database, *range(1, 300))
    await run(database, lambda c: c.execute(text("ANALYZE outbox")))
    t = outbox_table.c
    query = select(t.payload).where(text("(xid, seq) > (0, 150)")).order_by(t.xid, t.seq).limit(500)
    compiled = str(query.compile(compile_kwargs={"literal_binds": True}))

    def plan(connection: Any) -> Sequence[str]:
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # thirty rows a range: only the shape is asked for
        return list(connection.scalars(text(f"EXPLAIN {compiled}")))

    lines = await run(database, plan)
    assert "Merge Append" in "".join(lines)
    assert not any("Sort  " in line and "Sort Key" not in line for line in lines)


def uuid_at(at: datetime) -> UUID:
    return UUID(int=first_id_of(at) | (uuid4().int & ((1 << 80) - 1)))


def timeless() -> UUID:
    """As of a record that was no event: beyond every moment."""
    return UUID(int=uuid4().int | (0xFF << 120))
