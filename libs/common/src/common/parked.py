"""Parked: one store for all that could not be handled, refused touchpoints and events alike: read, repaired, sent again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from common.db import parked_table
from common.errors import Conflict, NotFound, Stale
from common.ids import new_id

Kind = Literal["touchpoint", "event"]


class UnknownParked(NotFound):
    code = "unknown-parked"
    title = "Nothing is parked under that id"


class AlreadyMoved(Conflict):
    code = "already-moved"
    title = "It was sent again or dropped before"


@dataclass(frozen=True)
class ParkedItem:
    """Something that could not be handled: its bytes as text, why, and what became of it."""

    id: UUID
    kind: Kind
    origin: str
    code: str
    problem: dict[str, Any]
    body: str
    state: Literal["parked", "replayed", "dropped"]
    parked_at: datetime
    moved_at: datetime | None
    moved_by: str | None
    reason: str | None
    version: int


class Parked:
    """What this service could not handle."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def park(
        self,
        *,
        kind: Kind,
        origin: str,
        body: str,
        code: str,
        problem: Mapping[str, Any],
        at: datetime,
        under: UUID | None = None,
    ) -> UUID:
        """Keep what could not be handled; gives the id under which it is found again.

        What is kept `under` that id already stays as it is, whatever became of it. NUL, which PostgreSQL's text cannot hold, is
        kept as the visible sign U+2400.
        """
        parked_id = under or new_id()
        row = {
            "id": parked_id,
            "kind": kind,
            "origin": origin[:200].replace("\x00", "\u2400"),
            "code": code[:60],
            "problem": _without_nul(dict(problem)),
            "body": body.replace("\x00", "\u2400"),
            "state": "parked",
            "parked_at": at,
            "version": 1,
        }
        await insert_rows(self._session, parked_table, [row], on_conflict="nothing")
        return parked_id

    async def get(self, parked_id: UUID, *, locked: bool = False) -> ParkedItem:
        query = select(parked_table).where(parked_table.c.id == parked_id)
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        if row is None:
            raise UnknownParked
        return ParkedItem(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def page(
        self, *, state: str | None, kind: str | None, code: str | None, after: UUID | None, limit: int
    ) -> list[ParkedItem]:
        """Items in the order of parking, the newest first."""
        c = parked_table.c
        query = select(parked_table).order_by(c.id.desc()).limit(limit)
        for column, value in ((c.state, state), (c.kind, kind), (c.code, code)):
            if value is not None:
                query = query.where(column == value)
        if after is not None:
            query = query.where(c.id < after)
        return [ParkedItem(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def repair(self, parked_id: UUID, *, body: str, version: int, by: str, at: datetime) -> ParkedItem:
        """Put a mended body in the place of the old one. `version` is the one that was read."""
        item = await self._still_parked(parked_id)
        if item.version != version:
            raise Stale
        changes = {"body": body, "version": version + 1, "moved_by": by, "moved_at": at}
        await self._session.execute(update(parked_table).where(parked_table.c.id == parked_id).values(**changes))
        return await self.get(parked_id)

    async def settle(
        self, parked_id: UUID, *, state: Literal["replayed", "dropped"], by: str, reason: str | None, at: datetime
    ) -> ParkedItem:
        """Say what became of it. What was settled once is not settled again."""
        await self._still_parked(parked_id)
        changes = {"state": state, "moved_by": by, "moved_at": at, "reason": reason}
        await self._session.execute(update(parked_table).where(parked_table.c.id == parked_id).values(**changes))
        return await self.get(parked_id)

    async def _still_parked(self, parked_id: UUID) -> ParkedItem:
        item = await self.get(parked_id, locked=True)
        if item.state != "parked":
            raise AlreadyMoved
        return item

    async def count(self) -> int:
        """How many wait to be looked at."""
        query = select(func.count()).select_from(parked_table).where(parked_table.c.state == "parked")
        return int(await self._session.scalar(query) or 0)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\u2400")
    if isinstance(value, dict):
        return {key: _without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value
