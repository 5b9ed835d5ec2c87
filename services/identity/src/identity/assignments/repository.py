"""Every query on who looks after whom."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from common.ids import new_id
from identity.assignments.models import assignment
from identity.customers.domain import Assigned


class Assignments:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, assigned: Assigned) -> None:
        await insert_rows(self._session, assignment, [{"assignment_id": new_id(), **vars(assigned)}])

    async def of(self, traces: Collection[UUID]) -> list[Assigned]:
        c = assignment.c
        query = sa.select(c.trace_id, c.role, c.staff_id, c.name, c.since, c.handover_note, c.by, c.at)
        rows = (await self._session.execute(query.where(among(c.trace_id, traces)))).all()
        return [Assigned(*row) for row in rows]

    async def series(
        self, traces: Collection[UUID], *, role: str | None, after: UUID | None, limit: int
    ) -> list[tuple[UUID, Assigned]]:
        """Whoever had a role, the newest first, each with the id of its entry."""
        c = assignment.c
        query = sa.select(
            c.assignment_id, c.trace_id, c.role, c.staff_id, c.name, c.since, c.handover_note, c.by, c.at
        ).where(among(c.trace_id, traces))
        if role is not None:
            query = query.where(c.role == role)
        if after is not None:
            query = query.where(c.assignment_id < after)
        rows = (await self._session.execute(query.order_by(c.assignment_id.desc()).limit(limit))).all()
        return [(row[0], Assigned(*row[1:])) for row in rows]
