"""Every query that takes a person out of scoring."""

from collections.abc import Collection
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.belonging import Subjects
from common.bulk import among
from common.db import timer_table
from scoring.appraisals.models import standing, standing_change
from scoring.appraisals.reading import UnknownCustomer
from scoring.links.models import open_case, restriction, trace_link
from scoring.links.repository import LinkRepository
from scoring.signals.models import signal
from scoring.values.models import category_value, day_value

_OF_A_CUSTOMER = (standing, standing_change, signal, restriction)


async def find_subjects(session: AsyncSession, customer_id: UUID) -> Subjects:
    """The person behind the id. Raises UnknownCustomer."""
    links = LinkRepository(session)
    if not await links.is_known(customer_id):
        raise UnknownCustomer
    found = await links.survivor_of(customer_id)
    customers, asked = [found], [found]
    while asked:
        asked = [one for each in asked for one in await links.absorbed_by(each) if one not in customers]
        customers += asked
    query = sa.select(trace_link.c.trace_id).where(among(trace_link.c.customer_id, customers))
    return Subjects(found, customers, list((await session.scalars(query)).all()))


class ErasureRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def keep_sums(self, traces: Collection[UUID]) -> dict[str, int]:
        """Give what the traces brought and cost to a random key each, so that totals stay; gives how many rows are kept.

        Ids of traces are UUIDs of version 8, these keys of version 4: what is built anew from the log leaves them alone.
        """
        kept = {"day_value": 0, "category_value": 0}
        for trace_id in sorted(await self._valued(traces)):
            key = uuid4()
            for table in (day_value, category_value):
                statement = sa.update(table).where(table.c.trace_id == trace_id).values(trace_id=key)
                result = await self._session.execute(statement)
                kept[str(table.name)] += int(getattr(result, "rowcount", 0))
        return kept

    async def _valued(self, traces: Collection[UUID]) -> set[UUID]:
        query = sa.select(day_value.c.trace_id).where(among(day_value.c.trace_id, traces)).distinct()
        others = sa.select(category_value.c.trace_id).where(among(category_value.c.trace_id, traces)).distinct()
        return {*(await self._session.scalars(query)).all(), *(await self._session.scalars(others)).all()}

    async def take_out(self, traces: Collection[UUID], customers: Collection[UUID]) -> dict[str, int]:
        """Delete what is said of the customers, and the cases of the traces; gives counts of rows."""
        removed = {
            str(table.name): await self._gone(table, among(table.c.customer_id, customers)) for table in _OF_A_CUSTOMER
        }
        removed["open_case"] = await self._gone(open_case, among(open_case.c.trace_id, traces))
        keys = [str(customer_id) for customer_id in customers]
        removed["timer"] = await self._gone(timer_table, among(timer_table.c.key, keys))
        return removed

    async def _gone(self, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
        result = await self._session.execute(sa.delete(table).where(where))
        return int(getattr(result, "rowcount", 0))
