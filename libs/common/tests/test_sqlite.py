import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from common.db import Database, is_transient
from common.statements import InLoopSession, fetch
from common.uow import UnitOfWork

# A recursion of some millions: it takes a fraction of a second on any machine.
LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
FEW_LAPS = 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "things.db"


@pytest.fixture
async def things(file: Path) -> AsyncIterator[Database]:
    database = Database.connect(f"sqlite+aiosqlite:///{file}", patience=60)
    async with UnitOfWork(database) as uow:
        await uow.session.execute(text("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"))
        await uow.session.execute(text("INSERT INTO thing (id, name) VALUES (1, 'one')"))
        await uow.commit()
    yield database
    await database.dispose()


async def count(database: Database) -> int:
    async with UnitOfWork(database, reading=True) as uow:
        return int(await uow.session.scalar(text("SELECT count(*) FROM thing")))


async def laps_during(work: Any) -> tuple[Any, int]:
    """What it gives, and how often others had their turn meanwhile."""
    under_way, laps = asyncio.ensure_future(work), 0
    while not under_way.done():
        await asyncio.sleep(0)
        laps += 1
    return await under_way, laps


async def test_statements_are_run_in_the_loop_unless_somebody_listens(things: Database) -> None:
    async with things.session() as session:
        assert isinstance(session, InLoopSession)
    event.listen(things.engine.sync_engine, "before_cursor_execute", lambda *_: None)
    async with things.session() as session:
        assert not isinstance(session, InLoopSession)
    assert await count(things) == 1


@pytest.mark.parametrize("straight", [True, False])
async def test_others_go_on_while_a_question_takes_long(things: Database, *, straight: bool) -> None:
    async def ask() -> int:
        async with UnitOfWork(things, reading=True) as uow:
            if straight:
                return int((await fetch(uow.session, LONG, ()))[0][0])
            return int((await (await uow.session.connection()).exec_driver_sql(LONG)).scalar_one())

    counted, laps = await laps_during(ask())
    assert counted == 3_000_000
    assert laps > FEW_LAPS


async def test_a_change_that_takes_long_is_not_broken_off(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await uow.session.execute(text(f"INSERT INTO thing (id, name) SELECT 2, ({LONG})"))
        await uow.commit()
    assert await count(things) == 2


async def test_others_go_on_while_another_program_holds_the_file(things: Database, file: Path) -> None:
    async def write() -> None:
        async with UnitOfWork(things) as uow:
            await uow.session.execute(text("INSERT INTO thing (id, name) VALUES (2, 'two')"))
            await uow.commit()

    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(write())
        for _ in range(FEW_LAPS):
            await asyncio.sleep(0.001)
        assert not writing.done()
        assert await count(things) == 1
        other.execute("ROLLBACK")
        await writing
    assert await count(things) == 2


async def test_a_file_that_another_program_keeps_may_be_tried_again(file: Path, things: Database) -> None:
    impatient = Database.connect(things.engine.url.render_as_string(), patience=0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError) as raised:
            async with UnitOfWork(impatient) as uow:
                await uow.session.execute(text("DELETE FROM thing"))
        assert is_transient(raised.value)
        assert impatient.takes_no_writes == "another program holds its file"
    async with UnitOfWork(impatient) as uow:
        await uow.session.execute(text("DELETE FROM thing"))
        await uow.commit()
    await impatient.dispose()
    assert await count(things) == 0


async def test_who_leaves_during_a_long_question_leaves_a_database_that_works(things: Database) -> None:
    async def ask() -> None:
        async with UnitOfWork(things, reading=True) as uow:
            await fetch(uow.session, LONG, ())

    asking = asyncio.create_task(ask())
    for _ in range(FEW_LAPS):
        await asyncio.sleep(0.001)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert await count(things) == 1


async def test_an_error_in_the_loop_is_the_databases(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        with pytest.raises(DBAPIError) as raised:
            await fetch(uow.session, "INSERT INTO thing (id, name) VALUES (?, ?)", [(2, "two"), (1, "again")])
        assert not is_transient(raised.value)
        await uow.rollback()
        await fetch(uow.session, "INSERT INTO thing (id, name) VALUES (?, ?)", [(3, "three")])
        await uow.commit()
    assert await count(things) == 2
