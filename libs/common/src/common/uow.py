"""One transaction: what is written in it, what it tells the others, what it claims, all or nothing."""

import hashlib
from collections.abc import Iterable
from types import TracebackType
from typing import Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from common.db import Database
from common.inbox import Inbox
from common.outbox import Outbox
from common.parked import Parked
from common.statements import fetch
from common.timers import Timers

LOCK_SLOTS = 1024  # a lock for each of a thousand keys would exhaust PostgreSQL's lock table
# The inner query fixes the order in which the locks are taken: two transactions never wait for each other crosswise.
_LOCK = "SELECT pg_advisory_xact_lock($1::int, s.slot) FROM (SELECT unnest($2::int[]) AS slot) AS s"


class UnitOfWork:
    """`async with uow: ...; await uow.commit()`. Leaving without commit rolls back. One at a time; make a new one each time.

    A service subclasses it and sets its repositories in `_open`. `reading=True` takes no write lock and cannot commit.
    """

    session: AsyncSession
    outbox: Outbox
    inbox: Inbox
    timers: Timers
    parked: Parked

    def __init__(self, database: Database, *, reading: bool = False) -> None:
        self.database = database
        self._reading = reading
        self._holds_writer = False

    def _open(self) -> None:
        """Set the repositories; `self.session` is ready."""

    async def __aenter__(self) -> Self:
        if self.database.dialect == "sqlite" and not self._reading:
            await self.database.writer.acquire()
            self._holds_writer = True
        self.session = self.database.session(reading=self._reading)
        self.outbox = Outbox(self.session)
        self.inbox = Inbox(self.session)
        self.timers = Timers(self.session)
        self.parked = Parked(self.session)
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self._reading:
            self.database.broke_off(error)
        try:
            await self.session.close()  # rolls back what was not committed
        finally:
            if self._holds_writer:
                self._holds_writer = False
                self.database.writer.release()

    async def lock(self, keys: Iterable[object], *, space: int = 1) -> None:
        """Hold the keys until the transaction ends. Call it before the first write, or order per key is lost.

        Keys are hashed to 1,024 slots and taken in sorted order. `space` separates kinds of keys: whoever locks in
        several spaces takes them in ascending order. SQLite has one writer, and so has
        a projection that is being rebuilt: there is nothing to lock.
        """
        if self.database.dialect == "sqlite" or not self.database.is_shared:
            return
        # the last bits of all our ids are random
        slots = sorted({key.int % LOCK_SLOTS if isinstance(key, UUID) else _slot(key) for key in keys})
        if slots:
            await fetch(self.session, _LOCK, (space, slots))

    async def commit(self) -> None:
        """Write the outbox and commit. After it returns, everything in this transaction is durable."""
        if self._reading:
            raise RuntimeError("a reading unit of work has nothing to commit")
        await self.outbox.flush()
        await self.session.commit()
        self.database.committed()

    async def rollback(self) -> None:
        await self.session.rollback()


def _slot(key: object) -> int:
    return int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=4).digest()) % LOCK_SLOTS
