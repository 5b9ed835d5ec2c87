"""Every query on what was bought, paid and spent."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, among_given, insert_rows
from scoring.links.models import trace_link
from scoring.values.domain import ANONYMOUS, COUNTED, Day, Tally, Window
from scoring.values.models import category_value, day_value

Slot = tuple[UUID, date, str]  # trace, day, currency

_LINKED = trace_link.join(day_value, day_value.c.trace_id == trace_link.c.trace_id)
_ADDED = {name: f"day_value.{name} + excluded.{name}" for name in COUNTED}
_DAYS = (
    sa.select(trace_link.c.customer_id, day_value.c.day, day_value.c.currency, *(day_value.c[name] for name in COUNTED))
    .select_from(_LINKED)
    .where(among_given(trace_link.c.customer_id, "customers"))
)
_SUMS = [sa.cast(sa.func.sum(day_value.c[name]), sa.BigInteger).label(name) for name in COUNTED]


def _in_order(change: tuple[Slot, Tally]) -> tuple[int, date, str]:
    """The order in which rows are locked. A UUID as its number: of objects each comparison is a call."""
    trace, day, currency = change[0]
    return trace.int, day, currency


class ValueRepository:
    """Rows by trace, day and currency; a customer's are those that his traces reach."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, changes: Mapping[Slot, Tally]) -> None:
        """Add tallies to their days; a negative tally takes back. In any order."""
        rows = [
            {"trace_id": trace, "day": day, "currency": currency} | dict(zip(COUNTED, tally, strict=True))
            for (trace, day, currency), tally in sorted(changes.items(), key=_in_order)
            if not tally.is_nothing
        ]
        await insert_rows(self._session, day_value, rows, on_conflict=_ADDED)

    async def add_categories(self, changes: Mapping[tuple[UUID, str], int]) -> None:
        rows = [
            {"trace_id": trace, "category": category, "purchases": purchases}
            for (trace, category), purchases in sorted(changes.items())
            if purchases
        ]
        added = {"purchases": "category_value.purchases + excluded.purchases"}
        await insert_rows(self._session, category_value, rows, on_conflict=added)

    async def days_of(self, customers: Iterable[UUID], *, until: date | None = None) -> dict[UUID, list[Day]]:
        """The days of each customer, over all of his traces."""
        query = _DAYS if until is None else _DAYS.where(day_value.c.day <= until)
        found: dict[UUID, list[Day]] = {}
        rows = await self._session.execute(query, {"customers": list(customers)})
        for customer_id, day, currency, *counts in rows.all():
            found.setdefault(customer_id, []).append(Day(day, currency, Tally._make(counts)))
        return found

    async def categories_of(self, customers: Collection[UUID]) -> dict[UUID, tuple[tuple[str, int], ...]]:
        """What each customer buys, the most bought first."""
        if not customers:
            return {}
        bought = sa.cast(sa.func.sum(category_value.c.purchases), sa.BigInteger).label("purchases")
        query = (
            sa.select(trace_link.c.customer_id, category_value.c.category, bought)
            .join(category_value, category_value.c.trace_id == trace_link.c.trace_id)
            .group_by(trace_link.c.customer_id, category_value.c.category)
            .having(sa.func.sum(category_value.c.purchases) > 0)
        )
        found: dict[UUID, list[tuple[str, int]]] = {}
        for row in await self._session.execute(query.where(among(trace_link.c.customer_id, customers))):
            found.setdefault(row[0], []).append((row[1], row[2]))
        return {
            customer: tuple(sorted(bought, key=lambda item: (-item[1], item[0]))) for customer, bought in found.items()
        }

    async def population(self, window: Window) -> dict[UUID, dict[str, Tally]]:
        """The sums of every customer in a window, by currency: one pass in the database."""
        query = (
            sa.select(trace_link.c.customer_id, day_value.c.currency, *_SUMS)
            .select_from(_LINKED)
            .where(trace_link.c.customer_id.is_not(None), day_value.c.day.between(window.first, window.last))
            .group_by(trace_link.c.customer_id, day_value.c.currency)
        )
        found: dict[UUID, dict[str, Tally]] = {}
        for row in await self._session.execute(query):
            found.setdefault(row[0], {})[row[1]] = Tally(*row[2:])
        return found

    async def is_sold_in(self, window: Window) -> bool:
        """Whether any known customer bought anything in the window."""
        query = (
            sa.select(sa.literal(1))
            .select_from(_LINKED)
            .where(
                trace_link.c.customer_id.is_not(None),
                day_value.c.purchases > 0,
                day_value.c.day.between(window.first, window.last),
            )
            .limit(1)
        )
        return await self._session.scalar(query) is not None

    async def totals(self, window: Window) -> dict[str, dict[str, Tally]]:
        """The sums of all, by who bought (customers, unlinked traces, anonymous) and by currency."""
        who: sa.Case[Any] = sa.case(
            (day_value.c.trace_id == ANONYMOUS, "anonymous"),
            (trace_link.c.customer_id.is_not(None), "customers"),
            else_="unlinked",
        )
        query = (
            sa.select(who.label("who"), day_value.c.currency, *_SUMS)
            .select_from(day_value.outerjoin(trace_link, trace_link.c.trace_id == day_value.c.trace_id))
            .where(day_value.c.day.between(window.first, window.last))
            .group_by(who, day_value.c.currency)
        )
        found: dict[str, dict[str, Tally]] = {"customers": {}, "unlinked": {}, "anonymous": {}}
        for row in await self._session.execute(query):
            found[row[0]][row[1]] = Tally(*row[2:])
        return found

    async def customer_ids(self, *, after: UUID | None, limit: int) -> list[UUID]:
        """The customers who have a trace, in the order of their ids."""
        query = sa.select(trace_link.c.customer_id).where(trace_link.c.customer_id.is_not(None)).distinct()
        if after is not None:
            query = query.where(trace_link.c.customer_id > after)
        return list((await self._session.scalars(query.order_by(trace_link.c.customer_id).limit(limit))).all())
