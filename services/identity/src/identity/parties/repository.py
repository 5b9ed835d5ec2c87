"""Every query on roles of parties and on the directory."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from identity.linking.models import trace
from identity.parties.domain import Entry, PartyRole
from identity.parties.models import directory, party_role


class Parties:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_role(self, said: PartyRole) -> None:
        await insert_rows(self._session, party_role, [vars(said)])

    async def roles_of(self, traces: Collection[UUID]) -> list[PartyRole]:
        rows = (await self._session.execute(sa.select(party_role).where(among(party_role.c.trace_id, traces)))).all()
        return [PartyRole(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented access

    async def ever(self, role: str, *, after: UUID | None, limit: int) -> list[UUID]:
        """Customers of whom the role was ever said, by id; whether they have it still, `roles_of` tells."""
        owned = party_role.join(trace, trace.c.trace_id == party_role.c.trace_id)
        owner = trace.c.customer_id
        query = sa.select(owner).select_from(owned).where(party_role.c.role == role, owner.is_not(None)).distinct()
        if after is not None:
            query = query.where(owner > after)
        return list((await self._session.scalars(query.order_by(owner).limit(limit))).all())

    async def entry(self, kind: str, code: str) -> Entry | None:
        d = directory.c
        row = (await self._session.execute(sa.select(directory).where(d.kind == kind, d.code == code))).one_or_none()
        return None if row is None else Entry(**row._mapping)  # noqa: SLF001

    async def entries(self, kind: str, *, after: str | None = None, limit: int | None = None) -> list[Entry]:
        """Our people or our places, by code."""
        query = sa.select(directory).where(directory.c.kind == kind).order_by(directory.c.code).limit(limit)
        if after is not None:
            query = query.where(directory.c.code > after)
        return [Entry(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def put_entry(self, entry: Entry) -> None:
        row: dict[str, Any] = vars(entry)
        if entry.version == 1:
            await insert_rows(self._session, directory, [row])
            return
        d = directory.c
        changed = {name: row[name] for name in ("body", "version", "by", "at")}
        await self._session.execute(
            sa.update(directory).where(d.kind == entry.kind, d.code == entry.code).values(**changed)
        )
