"""Every query of the promises. Takes and gives domain values; never commits."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from interactions.commitments.domain import Commitment, UnknownCommitment
from interactions.commitments.models import commitment
from interactions.resume.domain import Reader
from interactions.resume.repository import seen_by
from interactions.touchpoints.models import trace


class CommitmentRepository:
    """The promises, keyed by trace: merges and undos move them by moving their traces."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, made: Sequence[Commitment]) -> None:
        await insert_rows(self._session, commitment, [vars(one) for one in made])

    async def save(self, moved: Sequence[Commitment]) -> None:
        rows = [vars(one) for one in sorted(moved, key=lambda one: one.commitment_id)]
        await insert_rows(self._session, commitment, rows, on_conflict=_CHANGES)

    async def get(self, commitment_id: UUID) -> Commitment:
        """Raises UnknownCommitment."""
        found = await self.some([commitment_id])
        if commitment_id not in found:
            raise UnknownCommitment
        return found[commitment_id]

    async def some(self, ids: Collection[UUID]) -> dict[UUID, Commitment]:
        rows = await self._in(commitment.c.commitment_id, ids)
        return {one.commitment_id: one for one in rows}

    async def made_in(self, touchpoint_id: UUID) -> list[Commitment]:
        return await self._in(commitment.c.touchpoint_id, [touchpoint_id])

    async def kept_in(self, touchpoint_id: UUID) -> list[Commitment]:
        query = select(*_COLUMNS).where(commitment.c.kept_by == touchpoint_id, commitment.c.state == "kept")
        return [_commitment(row) for row in (await self._session.execute(query)).all()]

    async def page(
        self,
        reader: Reader,
        *,
        customer_id: UUID | None,
        state: str | None,
        by: str | None,
        now: datetime,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Commitment]:
        """The promises that the reader may see, the latest made first."""
        c = commitment.c
        query = select(*_COLUMNS).order_by(c.made_at.desc(), c.commitment_id.desc()).limit(limit)
        query = seen_by(reader, query.where(c.state != "retracted", *_in_state(state, now)), c.touchpoint_id)
        if customer_id is not None:
            query = query.where(c.trace_id.in_(select(trace.c.trace_id).where(trace.c.customer_id == customer_id)))
        if by is not None:
            query = query.where(c.by == by)
        if after is not None:
            query = query.where(tuple_(c.made_at, c.commitment_id) < tuple_(*after))
        return [_commitment(row) for row in (await self._session.execute(query)).all()]

    async def _in(self, column: Any, values: Collection[UUID]) -> list[Commitment]:
        if not values:
            return []
        query = select(*_COLUMNS).where(among(column, values))
        return [_commitment(row) for row in (await self._session.execute(query)).all()]


_COLUMNS = tuple(commitment.c)
_CHANGES = {column.name: f'excluded."{column.name}"' for column in _COLUMNS if column.name != "commitment_id"}


def _in_state(state: str | None, now: datetime) -> list[Any]:
    c = commitment.c
    overdue = and_(c.state == "open", c.due_at <= now)
    if state is None:
        return []
    if state == "late":
        return [or_(c.state == "late", overdue)]
    if state == "open":
        return [c.state == "open", or_(c.due_at.is_(None), c.due_at > now)]
    return [c.state == state]


def _commitment(row: Any) -> Commitment:
    values: Mapping[str, Any] = row._mapping  # noqa: SLF001 - SQLAlchemy's documented access
    lists = {name: tuple(values[name] or ()) for name in ("earlier_dates", "also_kept_by")}
    return Commitment(**{**values, **lists})
