"""Every query on signals."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows, update_rows
from common.ids import new_id
from scoring.signals.domain import Cleared, Raised
from scoring.signals.models import signal


class SignalRepository:
    """Which signals hold, and which once did."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def open_of(self, customers: Collection[UUID]) -> dict[UUID, dict[UUID, Raised]]:
        """The signals that hold for each customer, by the id of their row."""
        if not customers:
            return {}
        query = sa.select(signal).where(signal.c.cleared_at.is_(None), among(signal.c.customer_id, customers))
        found: dict[UUID, dict[UUID, Raised]] = {}
        for row in await self._session.execute(query.order_by(signal.c.id)):
            raised = Raised(row.signal, row.since, row.evidence, row.announced)
            found.setdefault(row.customer_id, {})[row.id] = raised
        return found

    async def last_cleared_of(self, customers: Collection[UUID]) -> dict[UUID, dict[str, Cleared]]:
        """Of each customer the last time that each signal held and holds no more."""
        if not customers:
            return {}
        query = sa.select(signal).where(signal.c.cleared_at.is_not(None), among(signal.c.customer_id, customers))
        found: dict[UUID, dict[str, Cleared]] = {}
        for row in await self._session.execute(query.order_by(signal.c.id)):
            raised = Raised(row.signal, row.since, row.evidence, row.announced)
            found.setdefault(row.customer_id, {})[row.signal] = Cleared(row.id, raised, row.cleared_at)
        return found

    async def add(self, raised: Sequence[tuple[UUID, Raised]], *, at: datetime) -> None:
        rows = [
            {
                "id": new_id(),
                "customer_id": customer_id,
                "signal": each.signal,
                "since": each.since,
                "raised_at": at,
                "announced": each.announced,
                "evidence": dict(each.evidence),
                "cleared_at": None,
                "cleared_evidence": None,
            }
            for customer_id, each in raised
        ]
        await insert_rows(self._session, signal, rows)

    async def renew(self, rows: Mapping[UUID, Raised]) -> None:
        """Have signals that hold, again or still, say since when and on what evidence they do by what is known today, by the ids of their rows."""
        open_ = {"cleared_at": None, "cleared_evidence": None}
        renewed = [
            {"id": row, "since": each.since, "evidence": dict(each.evidence), **open_} for row, each in rows.items()
        ]
        await update_rows(self._session, signal, renewed, keys=("id",))

    async def clear(self, rows: Mapping[UUID, Mapping[str, Any]], *, at: datetime) -> None:
        """Close signals by the ids of their rows, each with the evidence that it holds no more."""
        cleared = [{"id": row, "cleared_at": at, "cleared_evidence": dict(evidence)} for row, evidence in rows.items()]
        await update_rows(self._session, signal, cleared, keys=("id",))

    async def page(self, customer_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
        """The signals of a customer, past and present, the newest first."""
        query = sa.select(signal).where(signal.c.customer_id == customer_id)
        if after is not None:
            query = query.where(signal.c.id < after)
        return list((await self._session.execute(query.order_by(signal.c.id.desc()).limit(limit))).all())

    async def counts(self) -> dict[str, int]:
        """How many customers each signal holds for."""
        query = (
            sa.select(signal.c.signal, sa.func.count()).where(signal.c.cleared_at.is_(None)).group_by(signal.c.signal)
        )
        return {row[0]: row[1] for row in await self._session.execute(query)}
