import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from common.bus.history import OutboxHistory
from common.contracts.identity import TOPIC, LinksChanged, Move
from common.db import Database, cursor_table, outbox_table
from common.events import decode
from common.outbox import (
    Position,
    TooMuchToTell,
    agrees,
    drop_before,
    end_of,
    move_cursor,
    oldest_unread,
    position_of,
    read,
    settle_restored,
)
from common.uow import UnitOfWork

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def links(number: int) -> LinksChanged:
    move = Move(trace_id=UUID(int=number), customer_id=UUID(int=1), revision=number)
    return LinksChanged(decision_id=UUID(int=number), kind="link", moves=[move])


async def write(database: Database, *numbers: int) -> None:
    async with UnitOfWork(database) as uow:
        uow.outbox.add_all([links(number) for number in numbers], at=NOW)
        await uow.commit()


async def numbers_after(database: Database, after: Position, limit: int = 500) -> list[int]:
    async with UnitOfWork(database, reading=True) as uow:
        entries = await read(uow.session, after=after, limit=limit)
    events = [decode(entry.body) for entry in entries]
    return [event.data.decision_id.int for event in events if event is not None]


async def test_events_are_read_in_the_order_of_writing(database: Database) -> None:
    await write(database, *range(1, 8))
    await write(database, 8, 9)
    assert await numbers_after(database, Position()) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_a_transaction_that_is_not_committed_tells_nothing(database: Database) -> None:
    async with UnitOfWork(database) as uow:
        uow.outbox.add(links(1), at=NOW)
        await uow.outbox.flush()
    assert await numbers_after(database, Position()) == []


async def test_a_reader_goes_on_where_it_stopped(database: Database) -> None:
    await write(database, 1, 2, 3)
    async with UnitOfWork(database) as uow:
        entries = await read(uow.session, after=Position(), limit=2)
        await move_cursor(uow.session, "relay", entries[-1].position, at=NOW)
        await uow.commit()
    async with UnitOfWork(database, reading=True) as uow:
        position = await position_of(uow.session, "relay")
        assert await oldest_unread(uow.session, "relay") == NOW
    assert await numbers_after(database, position) == [3]


async def test_nothing_is_skipped_that_began_earlier_and_committed_later(database: Database) -> None:
    if database.dialect == "sqlite":
        return  # writes are serial there: the second could not have begun
    async with UnitOfWork(database) as early:
        early.outbox.add(links(1), at=NOW)
        await early.outbox.flush()
        await write(database, 2)
        assert await numbers_after(database, Position()) == []  # 2 waits for 1, or 1 would be passed over
        await early.commit()
    assert await numbers_after(database, Position()) == [1, 2]


async def test_the_end_of_the_log_is_before_whoever_still_writes(database: Database) -> None:
    async def end() -> Position:
        async with UnitOfWork(database, reading=True) as uow:
            return await end_of(uow.session)

    assert await end() == Position()
    await write(database, 1)
    first = await end()
    assert await numbers_after(database, first) == []
    if database.dialect == "sqlite":
        return  # writes are serial there
    async with UnitOfWork(database) as early:
        early.outbox.add(links(2), at=NOW)
        await early.outbox.flush()
        await write(database, 3)
        assert await end() == first
        await early.commit()
    assert await numbers_after(database, await end()) == []


async def test_who_has_written_elsewhere_in_this_database_and_may_still_tell_holds_up_what_came_after_him(
    database: Database,
) -> None:
    if database.dialect == "sqlite":
        return
    async with UnitOfWork(database) as early:
        await early.timers.set("any", "key", NOW)  # he has his number now, and his place in the log
        await write(database, 2)
        assert await numbers_after(database, Position()) == []
        early.outbox.add(links(1), at=NOW)
        await early.commit()
    assert await numbers_after(database, Position()) == [1, 2]


async def test_who_writes_to_another_database_of_the_server_holds_nothing_up(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database, other = await make_database("scoring"), await make_database("identity")
    if database.dialect == "sqlite":
        return
    async with UnitOfWork(other) as elsewhere:
        await elsewhere.timers.set("any", "key", NOW)
        await write(database, 1)
        async with UnitOfWork(database) as early:
            await early.timers.set("any", "key", NOW)
            await write(database, 2)
            assert await numbers_after(database, Position()) == [1]
            await early.commit()
        assert await numbers_after(database, Position()) == [1, 2]


async def test_within_one_transaction_it_is_asked_anew_who_is_writing(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database, other = await make_database("scoring"), await make_database("identity")
    if database.dialect == "sqlite":
        return
    async with UnitOfWork(other) as elsewhere, UnitOfWork(database) as reader, UnitOfWork(database) as first:
        await elsewhere.timers.set("any", "key", NOW)
        await first.timers.set("any", "key", NOW)
        await write(database, 1)
        assert await read(reader.session, after=Position()) == []
        async with UnitOfWork(database) as second:
            await second.timers.set("any", "other", NOW)
            await first.commit()
            await write(database, 2)
            entries = await read(reader.session, after=Position())
            assert [UUID(entry.key).int for entry in entries] == [1]


async def test_sixty_four_writers_and_a_reader_that_follows_them_skip_no_row(database: Database) -> None:
    writers, each = (64, 5) if database.dialect == "postgresql" else (4, 5)

    async def writer(first: int) -> None:
        for number in range(first, first + each):
            async with UnitOfWork(database) as uow:
                uow.outbox.add(links(number), at=NOW)
                await uow.outbox.flush()
                await asyncio.sleep(0.001 * (number % 7))
                await uow.commit()

    tasks = [asyncio.create_task(writer(1 + each * n)) for n in range(writers)]
    seen: list[int] = []
    position = Position()
    while len(seen) < writers * each:
        finished = all(task.done() for task in tasks)
        async with UnitOfWork(database, reading=True) as uow:
            entries = await read(uow.session, after=position, limit=50)
        seen += [UUID(entry.key).int for entry in entries]
        position = entries[-1].position if entries else position
        if not entries and finished:
            break
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    assert sorted(seen) == list(range(1, writers * each + 1))


async def test_a_cursor_of_another_log_does_not_agree(database: Database) -> None:
    await write(database, 1, 2, 3)
    async with UnitOfWork(database) as uow:
        last = (await read(uow.session, after=Position()))[-1].position
        assert await agrees(uow.session, last)
        await uow.session.execute(update(outbox_table).where(outbox_table.c.seq == last.seq).values(id=UUID(int=99)))
        assert not await agrees(uow.session, last)  # the same numbers, another event
        await uow.session.execute(delete(outbox_table).where(outbox_table.c.seq == last.seq))
        assert not await agrees(uow.session, last)  # a log that stops before the cursor


async def test_what_no_broker_would_take_is_refused_before_it_is_written(database: Database) -> None:
    moves = [Move(trace_id=UUID(int=n), customer_id=UUID(int=1), revision=1) for n in range(6_000)]
    async with UnitOfWork(database) as uow:
        with pytest.raises(TooMuchToTell):
            uow.outbox.add(LinksChanged(decision_id=UUID(int=1), kind="link", moves=moves), at=NOW)


async def test_retention_never_passes_a_cursor(database: Database) -> None:
    await write(database, 1, 2, 3)
    async with UnitOfWork(database) as uow:
        entries = await read(uow.session, after=Position(), limit=2)
        await move_cursor(uow.session, "relay", entries[-1].position, at=NOW)
        await drop_before(uow.session, NOW + timedelta(days=30))
        await uow.commit()
    remaining = await numbers_after(database, Position())
    assert 3 in remaining
    assert 1 not in remaining


async def test_retention_waits_for_whoever_is_furthest_behind(database: Database) -> None:
    await write(database, *range(1, 6))
    async with UnitOfWork(database) as uow:
        entries = await read(uow.session, after=Position())
        for reader, place in (("scoring", 1), ("identity", 4), ("service-audit", 2)):
            await move_cursor(uow.session, reader, entries[place].position, at=NOW)
        await drop_before(uow.session, NOW + timedelta(days=30))
        await uow.commit()
    assert await numbers_after(database, Position()) == [2, 3, 4, 5]


async def test_where_the_service_itself_stands_in_the_log_of_another_holds_back_nothing_of_its_own(
    database: Database,
) -> None:
    await write(database, 1, 2, 3)
    async with UnitOfWork(database) as uow:
        await move_cursor(uow.session, "identity<scoring", Position(seq=1), at=NOW)
        assert await drop_before(uow.session, NOW + timedelta(days=30)) == 0  # nobody has read of this log yet
        entries = await read(uow.session, after=Position())
        await move_cursor(uow.session, "scoring", entries[-1].position, at=NOW)
        assert await drop_before(uow.session, NOW + timedelta(days=30)) == 2
        await uow.commit()


async def test_a_service_that_has_told_nothing_has_a_whole_log_wherever_it_stands_in_the_logs_of_others(
    database: Database,
) -> None:
    async with UnitOfWork(database) as uow:
        await move_cursor(uow.session, "identity<scoring", Position(seq=7), at=NOW)
        await uow.commit()
    async with OutboxHistory({"identity": database}, [TOPIC]) as history:
        assert await history.reaches_back() == []


async def test_a_log_that_was_restored_into_another_cluster_is_read_on_where_its_reader_stood(
    database: Database,
) -> None:
    await write(database, 1, 2, 3, 4)
    async with UnitOfWork(database) as uow:
        entries = await read(uow.session, after=Position())
        await move_cursor(uow.session, "relay", entries[1].position, at=NOW)
        if database.dialect == "postgresql":  # as of a cluster that has seen many more transactions
            for table in (outbox_table, cursor_table):
                await uow.session.execute(update(table).values(xid=table.c.xid + 10**12))
        await uow.commit()
    await write(database, 5)
    while await settled(database):
        pass
    await write(database, 6)
    async with UnitOfWork(database, reading=True) as uow:
        position = await position_of(uow.session, "relay")
        assert await agrees(uow.session, position)
    assert await numbers_after(database, position) == [3, 4, 5, 6]


async def settled(database: Database) -> int:
    async with UnitOfWork(database) as uow:
        count = await settle_restored(uow.session, limit=3)
        await uow.commit()
    return count


async def test_a_log_at_home_is_left_as_it_is(database: Database) -> None:
    await write(database, 1, 2, 3)
    assert await settled(database) == 0
