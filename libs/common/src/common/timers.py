"""Timers: what happens by absence. A timer is a wake-up, never a fact: the rule is evaluated on the state of that moment."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from common.db import timer_table

_ALONE = text("SELECT pg_try_advisory_xact_lock(hashtext('hilo-timers'))")


@dataclass(frozen=True)
class Timer:
    """A wake-up of the kind `name` for `key`, due at `due_at`."""

    name: str
    key: str
    due_at: datetime
    payload: Mapping[str, Any]


class Timers:
    """The wake-ups of one service, set in the transaction of the effect that makes them needed."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._set: set[tuple[str, str]] = set()  # in this transaction

    async def set(self, name: str, key: object, due_at: datetime, payload: Mapping[str, Any] | None = None) -> None:
        """Wake `name` for `key` at `due_at`; an earlier setting of the same two is replaced."""
        await self.set_all([Timer(name, str(key), due_at, payload or {})])

    async def set_all(self, timers: Sequence[Timer]) -> None:
        latest = {(t.name, t.key): t for t in timers}
        self._set |= latest.keys()
        rows = [
            {"name": t.name, "key": t.key, "due_at": t.due_at, "payload": dict(t.payload)}
            for _, t in sorted(latest.items())
        ]
        changes = {"due_at": "excluded.due_at", "payload": "excluded.payload"}
        await insert_rows(self._session, timer_table, rows, on_conflict=changes)

    async def cancel(self, name: str, key: object) -> None:
        c = timer_table.c
        await self._session.execute(delete(timer_table).where(c.name == name, c.key == str(key)))

    async def get(self, name: str, key: object, *, locked: bool = False) -> Timer | None:
        """The wake-up of the kind `name` for `key`, if one is set; `locked` so that nobody sets it anew meanwhile."""
        c = timer_table.c
        query = select(c.name, c.key, c.due_at, c.payload).where(c.name == name, c.key == str(key))
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        return None if row is None else Timer(row.name, row.key, row.due_at, row.payload)

    async def keys(self, name: str) -> Sequence[str]:
        """For what a wake-up of the kind `name` is set."""
        return (await self._session.scalars(select(timer_table.c.key).where(timer_table.c.name == name))).all()

    async def alone(self) -> bool:
        """Whether no other worker wakes timers until this transaction ends. SQLite has one writer."""
        if self._session.get_bind().dialect.name == "sqlite":
            return True
        return bool(await self._session.scalar(_ALONE))

    async def due(self, *, now: datetime, limit: int = 100) -> list[Timer]:
        """The timers that are due, the longest overdue first."""
        c = timer_table.c
        query = select(c.name, c.key, c.due_at, c.payload).where(c.due_at <= now).order_by(c.due_at).limit(limit)
        return [Timer(row.name, row.key, row.due_at, row.payload) for row in (await self._session.execute(query)).all()]

    async def overdue(self, name: str, keys: Iterable[object], *, now: datetime) -> Collection[str]:
        """Those of the keys whose wake-up of the kind `name` is due and still to come."""
        c, wanted = timer_table.c, list(map(str, keys))
        query = select(c.key).where(c.name == name, among(c.key, wanted), c.due_at <= now)
        return set((await self._session.scalars(query)).all()) if wanted else set()

    async def done(self, timers: Sequence[Timer]) -> None:
        """They had their effect: gone, unless they were set anew, in this transaction or for another moment in another."""
        if over := [(t.name, t.key, t.due_at) for t in timers if (t.name, t.key) not in self._set]:
            c = timer_table.c
            fired = tuple_(c.name, c.key, c.due_at).in_(over)
            await self._session.execute(delete(timer_table).where(fired))


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next timer is due; None when none is set."""
    return await session.scalar(select(timer_table.c.due_at).order_by(timer_table.c.due_at).limit(1))
