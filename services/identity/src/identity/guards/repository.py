"""Every query on guards that bit, and the counts by which one does."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from identity.guards.domain import SHARED_IDENTIFIER, Trip
from identity.guards.models import guard_trip
from identity.linking.models import trace
from identity.sightings.models import identifier, trace_identifier


class Guards:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def note(self, trips: Collection[Trip]) -> list[Trip]:
        """Store those that are new, and give them; what was said before about the same is not said again."""
        if not trips:
            return []
        once = {trip.about: trip for trip in reversed(list(trips))}
        query = sa.select(guard_trip.c.about).where(guard_trip.c.about.in_(once))
        known = set((await self._session.scalars(query)).all())
        fresh = [once[about] for about in sorted(once) if about not in known]
        rows = [{**vars(trip), "figures": dict(trip.figures)} for trip in fresh]
        await insert_rows(self._session, guard_trip, rows, on_conflict="nothing", keys=("about",))
        return fresh

    async def shared_since(self, moment: datetime, identifiers: Collection[UUID]) -> set[UUID]:
        """Those of the identifiers that prove no identity any more since a moment, and did until then."""
        if not identifiers:
            return set()
        c = guard_trip.c
        query = sa.select(c.identifier_id).where(
            c.guard == SHARED_IDENTIFIER, among(c.identifier_id, identifiers), c.at >= moment
        )
        return set((await self._session.scalars(query)).all())

    async def gathered(self, customers: Collection[UUID], *, since: datetime) -> list[tuple[UUID, str, datetime]]:
        """Customer, scheme and moment of each identifier that a customer is first seen with since then."""
        ti, t = trace_identifier.c, trace.c
        first = sa.func.min(ti.first_seen)
        query = (
            sa.select(t.customer_id, identifier.c.scheme, first)
            .select_from(trace.join(trace_identifier, ti.trace_id == t.trace_id))
            .join(identifier, identifier.c.identifier_id == ti.identifier_id)
            .where(among(t.customer_id, customers))
            .group_by(t.customer_id, identifier.c.scheme, ti.identifier_id)
            .having(first >= since)
        )
        return [(row[0], row[1], row[2]) for row in (await self._session.execute(query)).all()]

    async def page(
        self, *, guard: str | None, customers: Collection[UUID] | None, after: UUID | None, limit: int
    ) -> Sequence[Trip]:
        """Guards that bit, the newest first. `customers`: on them, on their traces, or on what these carry."""
        c = guard_trip.c
        query = sa.select(guard_trip).order_by(c.trip_id.desc()).limit(limit)
        if guard is not None:
            query = query.where(c.guard == guard)
        if customers is not None:
            mine = sa.select(trace.c.trace_id).where(among(trace.c.customer_id, customers))
            carried = sa.select(trace_identifier.c.identifier_id).where(trace_identifier.c.trace_id.in_(mine))
            his = among(c.customer_id, customers), c.trace_id.in_(mine), c.identifier_id.in_(carried)
            query = query.where(sa.or_(*his))
        if after is not None:
            query = query.where(c.trip_id < after)
        return [Trip(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001 - SQLAlchemy's documented access
