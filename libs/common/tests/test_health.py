"""Readiness tells of a database that takes nothing, and of a clock that is off."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from common.contracts import scoring
from common.db import COMMON, Database
from common.health import Readings, clock_agrees, database_answers
from common.uow import UnitOfWork


async def write(database: Database, *, at: datetime | None = None, words: str = "1") -> None:
    at = at or datetime.now(UTC)
    async with UnitOfWork(database) as uow:
        uow.outbox.add(scoring.TierChanged(customer_id=UUID(int=1), new="MVC", rules_version=words, at=at), at=at)
        await uow.commit()


async def verdict(check: Any) -> tuple[str, str]:
    readings = Readings()
    readings.add("it", check)
    found = await readings.read()
    return found.status, found.checks["it"]


async def allow_writes(database: Database, *, yes: bool) -> None:
    """A file that may not grow, a server that only reads: what a full disk is to whoever writes."""
    async with database.engine.execution_options(hilo_reading=True).connect() as connection:
        if database.dialect == "sqlite":
            pages = 2_000_000 if yes else (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        else:
            mode = "WRITE" if yes else "ONLY"
            await connection.exec_driver_sql(f"SET SESSION CHARACTERISTICS AS TRANSACTION READ {mode}")
            await connection.commit()


async def test_a_database_that_takes_no_writes_is_not_ready_until_it_takes_one_again(database: Database) -> None:
    ready = database_answers(lambda: database)
    await write(database)
    await allow_writes(database, yes=False)
    assert await verdict(ready) == ("ready", "ok")
    with pytest.raises(sa.exc.DBAPIError):
        await write(database, words="x" * 100_000)
    why = "its disk is full" if database.dialect == "sqlite" else "it is read-only"
    assert await verdict(ready) == ("not-ready", f"takes no writes: {why}")
    await allow_writes(database, yes=True)
    await write(database)
    assert await verdict(ready) == ("ready", "ok")


async def test_nobody_is_to_wait_for_a_file_that_another_program_holds(tmp_path: Path) -> None:
    database = Database.connect(f"sqlite+aiosqlite:///{tmp_path}/held.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(COMMON.create_all)
    async with database.engine.execution_options(hilo_reading=True).connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(tmp_path / "held.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert await database.answers(1)
        with pytest.raises(sa.exc.OperationalError):
            await write(database)
        assert not await database.answers(1)
    await write(database)
    assert await database.answers(1)
    await database.dispose()


async def test_a_row_that_is_refused_for_its_own_sake_says_nothing_of_the_database(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        async with UnitOfWork(database) as uow:
            await uow.session.execute(sa.text("INSERT INTO cursor (reader) VALUES (NULL)"))
    assert await verdict(database_answers(lambda: database)) == ("ready", "ok")


async def test_a_clock_that_is_behind_is_told(database: Database) -> None:
    now = datetime.now(UTC)
    assert await verdict(clock_agrees(lambda: database, lambda: now - timedelta(seconds=30))) == ("ready", "ok")
    await write(database, at=now)
    state, words = await verdict(clock_agrees(lambda: database, lambda: now - timedelta(days=1)))
    assert (state, words.partition(" s ")[2]) == ("degraded", "behind the database's")
    assert float(words.partition(" ")[0]) == pytest.approx(86_400, abs=20)


async def test_what_is_noted_with_a_clock_that_is_behind_does_not_hide_it(database: Database) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await write(database)
    check = clock_agrees(lambda: database, lambda: yesterday)
    for _ in range(3):
        await write(database, at=yesterday)
        assert (await verdict(check))[0] == "degraded"


async def test_a_clock_that_is_ahead_is_told_where_a_server_has_one_of_its_own(database: Database) -> None:
    ahead = datetime.now(UTC) + timedelta(days=1)
    await write(database)
    state, words = await verdict(clock_agrees(lambda: database, lambda: ahead))
    told = ("degraded", "ahead of the database's") if database.dialect == "postgresql" else ("ready", "")
    assert (state, words.partition(" s ")[2]) == told
