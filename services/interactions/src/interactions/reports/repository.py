"""Sums over the log, for reports."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from interactions.touchpoints.models import touchpoint, trace

NO_TALK = ("note", "campaign_send")  # nobody speaks with anybody in these


class Dependency(NamedTuple):
    """A customer who speaks with one employee before all others. `contacts`: all of his, by whomever and by no person."""

    customer_id: UUID
    staff_id: str
    staff_name: str | None
    with_him: int
    contacts: int
    last_at: datetime  # of those with him


class ReportRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def dependencies(
        self, *, since: datetime, above: float, fewest: int, staff_id: str | None, after: UUID | None, limit: int
    ) -> list[Dependency]:
        """Customers more than the share `above` of whose contacts since then were with one employee, by their ids.

        Those with fewer contacts than `fewest` are left out. The whole stretch of the log is read.
        """
        t, owner = touchpoint.c, trace.c.customer_id
        his = sa.and_(t.actor_kind == "staff", t.actor_id.is_not(None))
        said = (
            sa.select(
                owner.label("customer_id"),
                sa.case((his, t.actor_id)).label("staff_id"),
                sa.func.max(sa.case((his, t.actor_name))).label("staff_name"),
                sa.func.count().label("with_him"),
                sa.func.max(t.occurred_at).label("last_at"),
            )
            .select_from(touchpoint.join(trace, trace.c.trace_id == t.trace_id))
            .where(t.state == "live", t.direction != "internal", t.kind.not_in(NO_TALK), t.occurred_at >= since)
            .where(owner > after if after is not None else owner.is_not(None))
            .group_by(owner, sa.case((his, t.actor_id)))
            .subquery()
        )
        contacts = sa.func.sum(said.c.with_him).over(partition_by=said.c.customer_id)
        every = sa.select(said, contacts.label("contacts")).subquery()
        e = every.c
        query = (
            sa.select(e.customer_id, e.staff_id, e.staff_name, e.with_him, e.contacts, e.last_at)
            .where(e.staff_id.is_not(None), e.contacts >= fewest, e.with_him > above * e.contacts)
            .order_by(e.customer_id)
            .limit(limit)
        )
        if staff_id is not None:
            query = query.where(e.staff_id == staff_id)
        return [Dependency(*row) for row in (await self._session.execute(query)).all()]
