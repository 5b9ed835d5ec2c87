"""Every query on relationships."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from identity.linking.models import trace
from identity.relationships.domain import Relationship
from identity.relationships.models import relationship


class Relationships:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, said: Relationship) -> None:
        row = {name: value for name, value in vars(said).items() if name in relationship.c}
        await insert_rows(self._session, relationship, [row])

    async def get(self, relationship_id: UUID) -> Relationship | None:
        found = self._owned(relationship.c.relationship_id == relationship_id)
        row = (await self._session.execute(found)).one_or_none()
        return None if row is None else Relationship(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def of(self, traces: Collection[UUID]) -> list[Relationship]:
        """Whatever was said of the traces with others, in either direction, with the customers who own both ends by now."""
        if not traces:
            return []
        r = relationship.c
        # a half for each index: a condition with OR over both reads the whole table
        halves = [self._owned(among(end, traces)) for end in (r.from_trace, r.to_trace)]
        rows: dict[UUID, Any] = {}
        for half in halves:
            rows |= {row.relationship_id: row for row in (await self._session.execute(half)).all()}
        return [Relationship(**rows[key]._mapping) for key in sorted(rows)]  # noqa: SLF001

    async def beside(self, traces: Collection[UUID]) -> set[UUID]:
        """The customers to whom the traces are related."""
        these = set(traces)
        said = await self.of(these)
        near = {r.from_customer for r in said if r.to_trace in these}
        far = {r.to_customer for r in said if r.from_trace in these}
        return {each for each in near | far if each is not None}

    def _owned(self, where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        near, far = trace.alias(), trace.alias()
        ends = (near.c.customer_id.label("from_customer"), far.c.customer_id.label("to_customer"))
        joined = relationship.join(near, near.c.trace_id == relationship.c.from_trace).join(
            far, far.c.trace_id == relationship.c.to_trace
        )
        return sa.select(*relationship.c, *ends).select_from(joined).where(where)
