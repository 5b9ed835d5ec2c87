"""Every query on facts and questions."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import Written, among, insert_rows
from common.contracts.interactions import CaseMoved
from common.ids import new_id
from common.revisions import if_newer
from identity.knowledge.domain import Fact, Put
from identity.knowledge.models import case_seen, fact, question_put

_NOTHING = Written("null")  # None would be no value at all, which the column refuses
_COMPLAINING = frozenset({"complaint", "claim"})
_OVER = frozenset({"verified", "closed", "retracted"})


class Knowledge:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, facts: Iterable[Fact]) -> None:
        rows = [vars(each) for each in facts]
        await insert_rows(
            self._session, fact, [row if row["value"] is not None else row | {"value": _NOTHING} for row in rows]
        )

    async def get(self, fact_id: UUID) -> Fact | None:
        row = (await self._session.execute(sa.select(fact).where(fact.c.fact_id == fact_id))).one_or_none()
        return None if row is None else Fact(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def facts_of(self, traces: Collection[UUID]) -> list[Fact]:
        rows = (await self._session.execute(sa.select(fact).where(among(fact.c.trace_id, traces)))).all()
        return [Fact(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented access

    async def put(self, puts: Iterable[tuple[Put, UUID | None]]) -> None:
        """Questions that were put or declined, each with the touchpoint in which it happened, where there was one."""
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for each, touchpoint_id in puts:
            row = {**vars(each), "put_id": touchpoint_id or new_id()}
            rows[(each.trace_id, each.question_id, row["put_id"])] = row
        await insert_rows(self._session, question_put, list(rows.values()), on_conflict="nothing")

    async def puts_of(self, traces: Collection[UUID]) -> list[Put]:
        c = question_put.c
        query = sa.select(c.trace_id, c.question_id, c.state, c.at)
        rows = (await self._session.execute(query.where(among(c.trace_id, traces)))).all()
        return [Put(*row) for row in rows]

    async def forget(self, touchpoint_id: UUID) -> None:
        """What one touchpoint taught and asked goes."""
        await self._session.execute(sa.delete(fact).where(fact.c.touchpoint_id == touchpoint_id))
        await self._session.execute(sa.delete(question_put).where(question_put.c.put_id == touchpoint_id))

    async def series(
        self,
        traces: Collection[UUID],
        *,
        keys: Collection[str] | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Fact]:
        """The dated series, the newest first. `keys`: of these alone; None: all."""
        c = fact.c
        query = sa.select(fact).where(among(c.trace_id, traces))
        if keys is not None:
            query = query.where(c.key.in_(keys))
        if after is not None:
            query = query.where(sa.tuple_(c.observed_at, c.fact_id) < sa.tuple_(*after))
        rows = (await self._session.execute(query.order_by(c.observed_at.desc(), c.fact_id.desc()).limit(limit))).all()
        return [Fact(**row._mapping) for row in rows]  # noqa: SLF001

    async def note_cases(self, moves: Iterable[CaseMoved]) -> None:
        """Whether each complaint or claim is open, by its latest move, in whatever order the moves arrive."""
        latest: dict[str, dict[str, Any]] = {}
        for move in sorted(moves, key=lambda m: m.at):
            if move.kind in _COMPLAINING and move.move != "contacted":  # coming back on it opens and closes nothing
                row = {
                    "case_number": move.case_number,
                    "trace_id": move.trace_id,
                    "open": move.move not in _OVER,
                    "at": move.at,
                }
                latest[move.case_number] = row
        changes = if_newer("case_seen", ("trace_id", "open", "at"), by="at", than=">=")
        await insert_rows(self._session, case_seen, [latest[key] for key in sorted(latest)], on_conflict=changes)

    async def has_open_case(self, traces: Collection[UUID]) -> bool:
        mine = among(case_seen.c.trace_id, traces)
        return bool(await self._session.scalar(sa.select(sa.exists().where(mine, case_seen.c.open))))
