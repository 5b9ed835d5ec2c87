"""What is written down after the answer has left: who read what, and who asked whether he may write. In batches, never lost silently."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import sqlalchemy as sa
import structlog
from fastapi import FastAPI, Request

from common.bulk import insert_rows
from common.db import Database
from common.http import database_of, made_once
from common.telemetry import failure_of
from common.uow import UnitOfWork

GATHER_SECONDS = 0.2
RETRY_SECONDS = 2.0
BATCH = 1_000
MOST_WAITING = 50_000
LAST_TRIES = 3

log = structlog.get_logger()


class Journal:
    """Rows that wait for the next batch. Memory only in between: a crash may lose the last fraction of a second of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[sa.Table, Mapping[str, Any]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    def note(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """Have the row written soon. Does not wait; where the database is away for long, what is too much is dropped and told."""
        if len(self._waiting) >= MOST_WAITING:
            log.error("journal_row_dropped", table=table.name)
            return
        self._waiting.append((table, row))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def flush(self) -> None:
        """Write what waits, now. Raises what the database raises; nothing is forgotten then."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._write(batch)
            except BaseException:
                self._waiting.extendleft(reversed(batch))
                raise

    async def close(self) -> None:
        """Write the rest before the process ends."""
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        for _ in range(LAST_TRIES):
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again and then told
                log.warning("journal_not_written", rows=len(self._waiting), **failure_of(error))
                await asyncio.sleep(GATHER_SECONDS)
            else:
                return
        log.error("journal_lost", rows=len(self._waiting))

    async def _write_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - whatever it is, the rows stay and are tried again
                log.warning("journal_not_written", rows=len(self._waiting), **failure_of(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _write(self, batch: list[tuple[sa.Table, Mapping[str, Any]]]) -> None:
        by_table: dict[str, list[Mapping[str, Any]]] = {}
        tables = {table.name: table for table, _ in batch}
        for table, row in batch:
            by_table.setdefault(table.name, []).append(row)
        uow = UnitOfWork(self._database)
        async with uow:
            for name, rows in by_table.items():
                # a batch whose commit was not confirmed is written again: the same ids, so nothing is there twice
                await insert_rows(uow.session, tables[name], rows, on_conflict="nothing")
            await uow.commit()


async def journal_of(request: Request) -> Journal:
    """The application's journal, made when it is first needed."""
    return made_once(request, "journal", lambda: Journal(database_of(request)))


@asynccontextmanager
async def keeping_journal(app: FastAPI) -> AsyncIterator[None]:
    """For a router's lifespan: what waits is written before the process ends."""
    yield
    if hasattr(app.state, "journal"):
        await app.state.journal.close()
        del app.state.journal
