"""SQLite's driver in the thread of the loop: a statement is done at once, and only what waits goes to a thread of its own."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aiosqlite import Connection

QUICK_SECONDS = 0.005  # a question that takes longer is asked again in the thread
LOOKED_EVERY = 20_000  # steps of SQLite's machine, about a millisecond
BEGIN = "BEGIN IMMEDIATE"
_WAITS = frozenset({"commit", "close"})
_WORKS = frozenset({"execute", "executemany"})
Row = tuple[Any, ...]


class InLoop(Connection):
    """A connection of aiosqlite that does not hand every call to its thread.

    SQLite lets Python's lock go at each row, and a thread beside a busy loop waits up to five milliseconds until it has it
    again: a hundred rows could take half a second, and each call costs more than most statements. So a statement is run where
    it is asked for, and the others have their turn before it. To the thread go what waits for the disk (a commit, which ends
    in fsync) or for another program (the file's lock), and a question that turns out to be long.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection], patience: float) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True
        self._patience = round(patience * 1000)
        self._is_reading = False
        self._late_at: float | None = None
        self._in_thread: set[object] = set()  # work that the thread has still to do, or does

    async def configure(self, statements: Sequence[str]) -> None:
        """What is to be said on a new connection."""
        for statement in statements:
            await self._handed_over(self._conn.execute, statement)
        self._conn.set_progress_handler(self._is_late, LOOKED_EVERY)

    def begins(self, *, reading: bool) -> bool:
        """Whether a transaction has begun at once. It has not where another program writes, for instance: that is to be waited for."""
        self._is_reading = reading
        try:
            if reading:
                self._conn.execute("BEGIN")
            else:
                self._conn.execute("PRAGMA busy_timeout=0")
                self._conn.execute(BEGIN)
        except sqlite3.Error:
            return False
        finally:
            if not reading:
                self._conn.execute(f"PRAGMA busy_timeout={self._patience}")
        return True

    async def fetch(self, sql: str, values: Any) -> tuple[list[Row], sqlite3.Cursor]:
        """The rows that a statement gives, and its cursor; it is repeated for each of a list of values."""
        await asyncio.sleep(0)
        if isinstance(values, list):
            cursor = self._conn.executemany(sql, values)
            return [], cursor
        found: tuple[list[Row], sqlite3.Cursor] = await self._asked(partial(_fetched, self._conn, sql, values))
        return found

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = fn.__name__
        # Behind what the thread has still to do for somebody who has left, too: the file's connection is one.
        if name in _WAITS or args[:1] == (BEGIN,) or self._in_thread:
            return await self._handed_over(fn, *args, **kwargs)
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        if name in _WORKS:
            await asyncio.sleep(0)
            return await self._asked(partial(fn, *args, **kwargs))
        return fn(*args, **kwargs)

    async def _handed_over(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        place = object()

        def work() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._in_thread.discard(place)

        self._in_thread.add(place)
        return await super()._execute(work)  # type: ignore[no-untyped-call]

    async def _asked(self, work: Callable[[], Any]) -> Any:
        if not self._is_reading:  # a change that is broken off ends its transaction
            return work()
        self._late_at = time.perf_counter() + QUICK_SECONDS
        try:
            return work()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
        finally:
            self._late_at = None
        return await self._handed_over(work)

    def _is_late(self) -> bool:
        return self._late_at is not None and time.perf_counter() > self._late_at


def _fetched(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> tuple[list[Row], sqlite3.Cursor]:
    cursor = connection.execute(sql, values)
    return cursor.fetchall(), cursor


def connecting(patience: float) -> Callable[..., InLoop]:
    """What SQLAlchemy calls for a new connection."""

    def connect(*given: Any, **options: Any) -> InLoop:
        options["check_same_thread"] = False  # the thread and the loop never work on it at once
        return InLoop(partial(sqlite3.connect, *given, timeout=patience, **options), patience)

    return connect
