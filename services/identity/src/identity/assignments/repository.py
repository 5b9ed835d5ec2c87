"""Every query on who looks after whom."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from common.ids import new_id
from identity.assignments.models import assignment
from identity.customers.domain import Assigned
from identity.linking.models import trace


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

    async def ever_with(self, staff_id: str, *, after: UUID | None, limit: int) -> list[UUID]:
        """Customers whom he ever looked after, by id; whether he does still, `of` tells."""
        owned, owner = assignment.join(trace, trace.c.trace_id == assignment.c.trace_id), trace.c.customer_id
        query = sa.select(owner).select_from(owned).distinct()
        query = query.where(assignment.c.staff_id == staff_id, owner.is_not(None))
        if after is not None:
            query = query.where(owner > after)
        return list((await self._session.scalars(query.order_by(owner).limit(limit))).all())

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
