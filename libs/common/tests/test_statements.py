import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Column,
    Float,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    bindparam,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from common.bulk import FEW, among, find_rows, insert_rows
from common.db import Database, Json, UtcDateTime, is_transient
from common.statements import DirectSession, fetch_alone
from common.uow import UnitOfWork

METADATA = MetaData()
thing = Table(
    "thing",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", String(50)),
    Column("share", Float),
    Column("price", Numeric(10, 2)),
    Column("at", UtcDateTime),
    Column("body", Json),
)
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
NOON = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=-5)))


def rows(*ids: UUID) -> list[dict[str, Any]]:
    return [{"id": each, "name": f"n{each.int}", "share": 0.5, "at": NOON, "body": {"a": [1, None]}} for each in ids]


@pytest.fixture
async def things(database: Database) -> Database:
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    async with UnitOfWork(database) as uow:
        await insert_rows(uow.session, thing, rows(ONE))
        await uow.commit()
    return database


@pytest.fixture
def server(things: Database) -> Database:
    if things.dialect == "sqlite":
        pytest.skip("of connections to a server")
    return things


async def ids(database: Database) -> list[UUID]:
    async with UnitOfWork(database, reading=True) as uow:
        return list((await uow.session.scalars(select(thing.c.id).order_by(thing.c.id))).all())


async def ended(database: Database, pid: int) -> None:
    async with UnitOfWork(database, reading=True) as uow:
        await uow.session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


async def pid_of(uow: UnitOfWork) -> int:
    return int(await uow.session.scalar(text("SELECT pg_backend_pid()")))


async def test_postgresql_is_spoken_to_directly_unless_somebody_listens(things: Database) -> None:
    async with things.session() as session:
        assert isinstance(session, DirectSession) == (things.dialect == "postgresql")
    heard: list[str] = []
    event.listen(things.engine.sync_engine, "before_cursor_execute", lambda *given: heard.append(given[2]))
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, rows(TWO))
        await uow.session.execute(select(thing.c.id))
        await uow.commit()
    assert len([sql for sql in heard if "thing" in sql]) == 2


async def test_values_are_read_as_their_columns_say(things: Database) -> None:
    c = thing.c
    async with UnitOfWork(things) as uow:
        found = (await uow.session.execute(select(c.id, c.share, c.at, c.body, c.price.label("cost")))).one()
        assert tuple(found) == (ONE, 0.5, NOON, {"a": [1, None]}, None)
        assert found.at.tzinfo is UTC
        assert found.cost is None
        mapped = (await uow.session.execute(select(thing))).mappings().one()
        assert (mapped["name"], mapped[c.name]) == ("n1", "n1")


async def test_one_statement_with_other_values_gives_other_rows(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, rows(TWO, THREE))
        for wanted in ([ONE], [TWO, THREE], []):
            found = await uow.session.scalars(select(thing.c.id).where(among(thing.c.id, wanted)).order_by(thing.c.id))
            assert found.all() == wanted
        named = select(thing.c.name).where(thing.c.id == bindparam("of"))
        assert [await uow.session.scalar(named, {"of": each}) for each in (TWO, ONE)] == ["n2", "n1"]
        assert await uow.session.scalar(named, {"of": UUID(int=9)}) is None
        assert await uow.session.scalar(text("SELECT name FROM thing WHERE share > :much"), {"much": 7.0}) is None
        assert (await uow.session.execute(select(thing.c.id).where(thing.c.id.in_([ONE, TWO])))).all() == [
            (ONE,),
            (TWO,),
        ]


async def test_changes_tell_how_many_rows_they_changed(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, rows(TWO, THREE))
        changed = await uow.session.execute(update(thing).where(thing.c.id != ONE).values(name="x"))
        gone = await uow.session.execute(delete(thing).where(thing.c.id == UUID(int=9)))
        assert (changed.rowcount, gone.rowcount) == (2, 0)  # type: ignore[attr-defined]
        again = await uow.session.execute(
            update(thing).where(thing.c.name == "x").values(share=1).returning(thing.c.id)
        )
        assert {row.id for row in again} == {TWO, THREE}
        await uow.session.execute(insert(thing), [{"id": UUID(int=4)}, {"id": UUID(int=5)}])
        assert await uow.session.scalar(select(func.count()).select_from(thing)) == 5


async def test_what_is_not_committed_is_gone(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, rows(TWO))
        await uow.rollback()
        await insert_rows(uow.session, thing, rows(THREE))
        await uow.commit()
        await insert_rows(uow.session, thing, rows(UUID(int=4)))
    assert await ids(things) == [ONE, THREE]


@pytest.mark.parametrize("many", [1, FEW + 1])
async def test_a_conflict_within_a_savepoint_leaves_the_transaction_usable(things: Database, many: int) -> None:
    more = [UUID(int=100 + number) for number in range(many - 1)]
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, rows(TWO))
        with pytest.raises(IntegrityError):
            async with uow.session.begin_nested():
                await insert_rows(uow.session, thing, rows(ONE, *more))
        await insert_rows(uow.session, thing, rows(THREE))
        await uow.commit()
    assert await ids(things) == [ONE, TWO, THREE]


@pytest.mark.parametrize("many", [1, FEW + 1])
async def test_a_value_that_no_column_takes_is_an_error_of_the_database(server: Database, many: int) -> None:
    wrong = [row | {"share": "much"} for row in rows(*[UUID(int=100 + number) for number in range(many)])]
    async with UnitOfWork(server) as uow:
        with pytest.raises(DBAPIError) as raised:
            await insert_rows(uow.session, thing, wrong)
    assert not is_transient(raised.value)
    assert await ids(server) == [ONE]


ASK: list[Callable[[UnitOfWork], Awaitable[Any]]] = [
    lambda uow: uow.session.execute(select(thing.c.id)),
    lambda uow: find_rows(uow.session, thing, ("id",), {"id": [ONE]}),
    lambda uow: insert_rows(uow.session, thing, rows(*[UUID(int=100 + number) for number in range(FEW + 1)])),
]


@pytest.mark.parametrize("ask", ASK)
async def test_a_connection_that_is_ended_may_be_tried_again_on_another(
    server: Database, ask: Callable[[UnitOfWork], Awaitable[Any]]
) -> None:
    async with UnitOfWork(server) as uow:
        await insert_rows(uow.session, thing, rows(TWO))
        await ended(server, await pid_of(uow))
        with pytest.raises((DBAPIError, OSError)) as raised:
            await ask(uow)
    assert is_transient(raised.value)
    async with UnitOfWork(server) as uow:
        await ask(uow)
    assert await ids(server) == [ONE]


async def test_the_victim_of_a_deadlock_may_be_tried_again(server: Database) -> None:
    async with UnitOfWork(server) as first:
        await insert_rows(first.session, thing, rows(TWO))
        await first.commit()

    both = asyncio.Barrier(2)

    async def crosswise(*order: UUID) -> None:
        async with UnitOfWork(server) as uow:
            await uow.session.execute(update(thing).where(thing.c.id == order[0]).values(name="x"))
            await both.wait()
            await uow.session.execute(update(thing).where(thing.c.id == order[1]).values(name="x"))
            await uow.commit()

    ends = await asyncio.gather(crosswise(ONE, TWO), crosswise(TWO, ONE), return_exceptions=True)
    (victim,) = [end for end in ends if end is not None]
    assert isinstance(victim, DBAPIError)
    assert is_transient(victim)
    assert getattr(victim.orig, "sqlstate", None) == "40P01"


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(server: Database) -> None:
    async with UnitOfWork(server) as uow:
        await uow.session.execute(text("SET LOCAL statement_timeout = 20"))
        with pytest.raises(DBAPIError) as raised:
            await uow.session.execute(text("SELECT pg_sleep(30)"))
    assert getattr(raised.value.orig, "sqlstate", None) == "57014"
    assert await ids(server) == [ONE]


async def test_the_connection_of_a_task_that_is_cancelled_is_not_used_again(server: Database) -> None:
    pid = 0

    async def work() -> None:
        nonlocal pid
        async with UnitOfWork(server) as uow:
            pid = await pid_of(uow)
            await insert_rows(uow.session, thing, rows(TWO))
            await uow.session.execute(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(work())
    async with asyncio.timeout(20), UnitOfWork(server, reading=True) as uow:
        asleep = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = :pid")
        while not await uow.session.scalar(asleep, {"pid": pid}):
            await asyncio.sleep(0.01)
            await uow.rollback()  # what is going on is looked up once in a transaction
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with UnitOfWork(server, reading=True) as one, UnitOfWork(server, reading=True) as other:
        assert pid not in {await pid_of(one), await pid_of(other)}
    assert await ids(server) == [ONE]


@pytest.fixture
def alone(server: Database) -> AsyncEngine:
    return server.engine.execution_options(isolation_level="AUTOCOMMIT")


async def test_what_is_asked_alone_leaves_no_transaction_open(alone: AsyncEngine) -> None:
    async with alone.connect() as connection:
        (row,) = await fetch_alone(connection, "SELECT name FROM thing WHERE share > $1", [0.1])
        driver: Any = (await connection.get_raw_connection()).driver_connection
        assert row[0] == "n1"
        assert not driver.is_in_transaction()


async def test_what_is_asked_alone_is_heard_by_who_listens(alone: AsyncEngine) -> None:
    heard: list[str] = []
    event.listen(alone.sync_engine, "before_cursor_execute", lambda *given: heard.append(given[2]))
    async with alone.connect() as connection:
        (row,) = await fetch_alone(connection, "SELECT name FROM thing WHERE share > $1", [0.1])
    assert row[0] == "n1"
    assert len(heard) == 1


async def test_a_long_statement_is_prepared_once(alone: AsyncEngine) -> None:
    long = f"SELECT name FROM thing WHERE share > $1 /* {'long ' * 10_000} */"
    async with alone.connect() as connection:
        for _ in range(2):
            await fetch_alone(connection, long, [0.1])
        prepared = "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement = $1"
        assert [tuple(row) for row in await fetch_alone(connection, prepared, [long])] == [(2,)]


async def test_what_is_asked_alone_fails_as_any_statement_does(server: Database, alone: AsyncEngine) -> None:
    async with alone.connect() as connection:
        with pytest.raises(DBAPIError) as wrong:
            await fetch_alone(connection, "SELECT 1 / $1::int", [0])
        assert not is_transient(wrong.value)
        (pid,) = (await fetch_alone(connection, "SELECT pg_backend_pid()", []))[0]
        await ended(server, pid)
        with pytest.raises(DBAPIError) as lost:
            await fetch_alone(connection, "SELECT 1", [])
        assert is_transient(lost.value)
    async with alone.connect() as connection:
        assert (await fetch_alone(connection, "SELECT pg_backend_pid()", []))[0][0] != pid


async def test_an_error_tells_no_value_of_the_statement_that_failed(database):
    async with database.engine.connect() as connection:
        with pytest.raises(DBAPIError) as error:
            await connection.execute(text("SELECT name FROM nowhere WHERE name = :name"), {"name": "Ana López"})
    assert "nowhere" in str(error.value)
    assert "Ana" not in str(error.value)
