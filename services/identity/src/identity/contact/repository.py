"""Every query on preferences and consents."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from common.ids import new_id
from identity.contact.domain import Consent, Preference
from identity.contact.models import consent, preference


class Contact:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_consent(self, entry: Consent) -> None:
        await insert_rows(self._session, consent, [vars(entry)])

    async def entry(self, consent_id: UUID) -> Consent | None:
        row = (await self._session.execute(sa.select(consent).where(consent.c.consent_id == consent_id))).one_or_none()
        return None if row is None else Consent(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def consents_of(self, traces: Collection[UUID]) -> list[Consent]:
        rows = await self._rows(consent, traces)
        return [Consent(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented access

    async def ledger(self, traces: Collection[UUID], *, after: UUID | None, limit: int) -> list[Consent]:
        """All entries, the newest first."""
        c = consent.c
        query = sa.select(consent).where(among(c.trace_id, traces))
        if after is not None:
            query = query.where(c.consent_id < after)
        rows = (await self._session.execute(query.order_by(c.consent_id.desc()).limit(limit))).all()
        return [Consent(**row._mapping) for row in rows]  # noqa: SLF001

    async def add_preference(self, wanted: Preference) -> None:
        await insert_rows(self._session, preference, [{"preference_id": new_id(), **vars(wanted)}])

    async def preferences_of(self, traces: Collection[UUID]) -> list[Preference]:
        rows = await self._rows(preference, traces)
        return [Preference(row.trace_id, row.body, row.at, row.by) for row in rows]

    async def _rows(self, table: sa.Table, traces: Collection[UUID]) -> list[Any]:
        query = sa.select(table).where(among(table.c.trace_id, traces))
        return list((await self._session.execute(query)).all())
