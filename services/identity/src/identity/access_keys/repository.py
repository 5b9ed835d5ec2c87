"""Every query on access keys; they are written as every service writes them, by their event."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.access import access_key_table
from common.contracts.identity import AccessChanged


class AccessKeyRows:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, key_id: str) -> AccessChanged | None:
        query = sa.select(access_key_table).where(access_key_table.c.key_id == key_id)
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _read(row)

    async def of_subjects(self, subjects: Collection[str]) -> list[AccessChanged]:
        """The credentials that see the data of one of the subjects alone, revoked ones included."""
        c = access_key_table.c
        rows = (await self._session.execute(sa.select(access_key_table).where(c.subject.in_(subjects)))).all()
        return [_read(row) for row in rows]

    async def page(self, *, after: str | None, limit: int) -> list[AccessChanged]:
        """By id, revoked ones included."""
        c = access_key_table.c
        query = sa.select(access_key_table).order_by(c.key_id).limit(limit)
        if after is not None:
            query = query.where(c.key_id > after)
        return [_read(row) for row in (await self._session.execute(query)).all()]


def _read(row: Any) -> AccessChanged:
    return AccessChanged(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access
