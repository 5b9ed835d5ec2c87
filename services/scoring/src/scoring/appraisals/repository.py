"""Every query on customers' standings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from scoring.appraisals.models import standing, standing_change
from scoring.signals.models import signal as signal_table

# Columns that nobody reads any more, and that may not be empty.
_UNREAD: dict[str, Any] = {
    "is_ranked": False, "in_best": False, "in_worst": False, "abc_profit": 0, "ranked_profit": 0, "contributed": 0,
}  # fmt: skip
_KEPT = [column.name for column in standing.columns if column.name not in ("customer_id", *_UNREAD)]
WRITTEN_SINCE = "(age(standing.xmin) <= age('{}'::xid))"
_READ = [column for column in standing.columns if column.name not in _UNREAD]


@dataclass(frozen=True)
class ListFilter:
    """Which customers a list shows; None is any."""

    tier: str | None = None
    abc: str | None = None
    signal: str | None = None


class StandingRepository:
    """What was last said of each customer, and the series of what was said before."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of(self, customers: Iterable[UUID]) -> dict[UUID, Any]:
        query = sa.select(*_READ).where(among(standing.c.customer_id, customers))
        return {row.customer_id: row for row in await self._session.execute(query)}

    async def untouched(self, customers: Iterable[UUID], *, since: int) -> list[Any]:
        """Those that were written before a moment of PostgreSQL's transactions (`census.moment`), and not again."""
        written_since = sa.literal_column(WRITTEN_SINCE.format(int(since) % 2**32), sa.Boolean())
        query = sa.select(*_READ).where(among(standing.c.customer_id, customers), ~written_since)
        return list((await self._session.execute(query)).all())

    async def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """The first standings of customers; the caller holds their locks, and has found none."""
        await insert_rows(self._session, standing, [row | _UNREAD for row in rows])

    async def save(self, rows: Sequence[dict[str, Any]]) -> None:
        changes = {name: f'excluded."{name}"' for name in _KEPT}
        await insert_rows(self._session, standing, [row | _UNREAD for row in rows], on_conflict=changes)

    async def set_revisions(self, revisions: Mapping[UUID, int]) -> None:
        s = standing.c
        query = sa.update(standing).where(s.customer_id == sa.bindparam("who")).values(revision=sa.bindparam("to"))
        if revisions:
            rows = [{"who": who, "to": revision} for who, revision in revisions.items()]
            await (await self._session.connection()).execute(query, rows)

    async def add_changes(self, rows: Sequence[dict[str, Any]]) -> None:
        await insert_rows(self._session, standing_change, rows)

    async def page(self, wanted: ListFilter, *, after: tuple[int, UUID] | None, limit: int) -> list[Any]:
        """Standings by profitability, the highest first."""
        s = standing.c
        query = sa.select(standing).where(~s.is_vacant)
        if wanted.tier is not None:
            query = query.where(s.tier == wanted.tier)
        if wanted.abc is not None:
            query = query.where(s.abc == wanted.abc)
        if wanted.signal is not None:
            holds = sa.select(signal_table.c.customer_id).where(
                signal_table.c.signal == wanted.signal, signal_table.c.cleared_at.is_(None)
            )
            query = query.where(s.customer_id.in_(holds))
        if after is not None:
            profitability, customer_id = after
            query = query.where(
                sa.or_(
                    s.profitability < profitability,
                    sa.and_(s.profitability == profitability, s.customer_id < customer_id),
                )
            )
        query = query.order_by(s.profitability.desc(), s.customer_id.desc()).limit(limit)
        return list((await self._session.execute(query)).all())

    async def changes(self, customer_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
        """What was said of a customer, the newest first."""
        c = standing_change.c
        query = sa.select(standing_change).where(c.customer_id == customer_id)
        if after is not None:
            query = query.where(c.id < after)
        return list((await self._session.execute(query.order_by(c.id.desc()).limit(limit))).all())

    async def all_ids(self, *, after: UUID | None, limit: int) -> list[UUID]:
        query = sa.select(standing.c.customer_id).order_by(standing.c.customer_id).limit(limit)
        if after is not None:
            query = query.where(standing.c.customer_id > after)
        return list((await self._session.scalars(query)).all())
