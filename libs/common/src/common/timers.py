"""Timers: what happens by absence. A timer is a wake-up, never a fact: the rule is evaluated on the state of that moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from common.db import timer_table


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

    async def set(self, name: str, key: object, due_at: datetime, payload: Mapping[str, Any] | None = None) -> None:
        """Wake `name` for `key` at `due_at`; an earlier setting of the same two is replaced."""
        await self.set_all([Timer(name, str(key), due_at, payload or {})])

    async def set_all(self, timers: Sequence[Timer]) -> None:
        latest = {(t.name, t.key): t for t in timers}
        rows = [
            {"name": t.name, "key": t.key, "due_at": t.due_at, "payload": dict(t.payload)}
            for _, t in sorted(latest.items())
        ]
        changes = {"due_at": "excluded.due_at", "payload": "excluded.payload"}
        await insert_rows(self._session, timer_table, rows, on_conflict=changes)

    async def cancel(self, name: str, key: object) -> None:
        c = timer_table.c
        await self._session.execute(delete(timer_table).where(c.name == name, c.key == str(key)))

    async def claim(self, *, now: datetime, limit: int = 100) -> list[Timer]:
        """Take the timers that are due: gone if this transaction commits, due again if it does not."""
        c = timer_table.c
        due = (
            select(c.name, c.key, c.due_at, c.payload)
            .where(c.due_at <= now)
            .order_by(c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)  # another worker's timers are not waited for; SQLite has one writer
        )
        timers = [Timer(row.name, row.key, row.due_at, row.payload) for row in (await self._session.execute(due)).all()]
        if timers:
            taken = tuple_(c.name, c.key).in_([(t.name, t.key) for t in timers])
            await self._session.execute(delete(timer_table).where(taken))
        return timers


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next timer is due; None when none is set."""
    return await session.scalar(select(timer_table.c.due_at).order_by(timer_table.c.due_at).limit(1))
