"""Every query on clean-up runs."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from identity.cleanup.domain import Cleanup, Item
from identity.cleanup.models import cleanup, cleanup_item
from identity.contact.models import preference
from identity.customers.models import customer
from identity.reviews.domain import Review
from identity.reviews.models import review


class Cleanups:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, run: Cleanup) -> None:
        await insert_rows(self._session, cleanup, [vars(run) | {"rule": dict(run.rule)}])

    async def change(self, cleanup_id: UUID, **values: Any) -> None:
        await self._session.execute(sa.update(cleanup).where(cleanup.c.cleanup_id == cleanup_id).values(**values))

    async def get(self, cleanup_id: UUID, *, locked: bool = False) -> Cleanup | None:
        query = sa.select(cleanup).where(cleanup.c.cleanup_id == cleanup_id)
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        return None if row is None else Cleanup(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def page(self, *, after: UUID | None, limit: int) -> list[Cleanup]:
        """The newest first."""
        query = sa.select(cleanup).order_by(cleanup.c.cleanup_id.desc()).limit(limit)
        if after is not None:
            query = query.where(cleanup.c.cleanup_id < after)
        return [Cleanup(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def counts(self, cleanups: Collection[UUID]) -> dict[UUID, dict[str, int]]:
        """Items of each run by state."""
        c = cleanup_item.c
        query = sa.select(c.cleanup_id, c.state, sa.func.count()).where(among(c.cleanup_id, cleanups))
        found: dict[UUID, dict[str, int]] = {}
        for run, state, number in (await self._session.execute(query.group_by(c.cleanup_id, c.state))).all():
            found.setdefault(run, {})[state] = number
        return found

    async def propose(self, items: Sequence[Item]) -> None:
        await insert_rows(self._session, cleanup_item, [vars(one) | {"figures": dict(one.figures)} for one in items])

    async def items(
        self,
        cleanup_id: UUID,
        *,
        state: str | None = None,
        after: UUID | None = None,
        limit: int,
        last_first: bool = False,
    ) -> list[Item]:
        """In the order in which they were found, or the other way round."""
        c = cleanup_item.c
        order = c.item_id.desc() if last_first else c.item_id
        query = sa.select(cleanup_item).where(c.cleanup_id == cleanup_id).order_by(order).limit(limit)
        if state is not None:
            query = query.where(c.state == state)
        if after is not None:
            query = query.where(c.item_id > after)
        return [Item(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def move(self, items: Collection[UUID], **values: Any) -> int:
        where = among(cleanup_item.c.item_id, items)
        result = await self._session.execute(sa.update(cleanup_item).where(where).values(**values))
        return int(getattr(result, "rowcount", 0))

    async def leave_out(self, cleanup_id: UUID, items: Collection[UUID]) -> int:
        c = cleanup_item.c
        where = (among(c.item_id, items), c.cleanup_id == cleanup_id, c.state == "proposed")
        result = await self._session.execute(sa.update(cleanup_item).where(*where).values(state="left-out"))
        return int(getattr(result, "rowcount", 0))

    async def forget_wishes(self, trace_id: UUID, *, by: str) -> None:
        """Take back what a run wished for the customer of the trace."""
        p = preference.c
        await self._session.execute(sa.delete(preference).where(p.trace_id == trace_id, p.by == by))

    # --- what is looked at --------------------------------------------------------------------------------------------

    async def active_after(self, after: UUID | None, *, limit: int) -> list[UUID]:
        """Active customers in the order of their ids."""
        c = customer.c
        query = sa.select(c.customer_id).where(c.state == "active").order_by(c.customer_id).limit(limit)
        if after is not None:
            query = query.where(c.customer_id > after)
        return list((await self._session.scalars(query)).all())

    async def pairs_after(self, after: UUID | None, *, limit: int) -> list[Review]:
        """Open pairs in doubt in the order in which they were opened."""
        c = review.c
        query = sa.select(*(c[name] for name in Review.__dataclass_fields__)).where(c.state == "open")
        if after is not None:
            query = query.where(c.review_id > after)
        rows = (await self._session.execute(query.order_by(c.review_id).limit(limit))).all()
        return [Review(**row._mapping) for row in rows]  # noqa: SLF001
