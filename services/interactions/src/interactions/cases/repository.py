"""Every query of the cases. Takes and gives domain values; never commits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from common.bulk import among, insert_rows
from interactions.cases.domain import CaseFile, Step, UnknownCase, number_of
from interactions.cases.models import case_counter, case_file, case_step
from interactions.conversations.models import conversation_entry
from interactions.touchpoints.models import touchpoint, trace


class CaseRepository:
    """The cases, keyed by trace: merges and undos move them by moving their traces."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def numbers(self, year: int, count: int) -> list[str]:
        """So many new case numbers of the year. The counter's row is held until the transaction ends."""
        written = await insert_rows(
            self._session,
            case_counter,
            [{"year": year, "last": count}],
            on_conflict={"last": 'case_counter."last" + excluded."last"'},
            returning=["last"],
        )
        last = int(written[0][0])
        return [number_of(year, one) for one in range(last - count + 1, last + 1)]

    async def save(self, steps: Sequence[Step]) -> None:
        """Write the cases as they stand after the steps, and the steps."""
        latest = {step.case.number: step.case for step in steps}
        await self.put(list(latest.values()))
        rows = [
            {
                "step_id": uuid7(),
                "number": step.case.number,
                "move": step.move,
                "at": step.at,
                "by": step.by,
                "text": step.text,
                "touchpoint_id": step.touchpoint_id,
                "channel": step.channel,
            }
            for step in steps
        ]
        await insert_rows(self._session, case_step, rows)

    async def put(self, cases: Sequence[CaseFile]) -> None:
        rows = [vars(one) for one in sorted(cases, key=lambda one: one.number)]
        await insert_rows(self._session, case_file, rows, on_conflict=_CHANGES)

    async def get(self, number: str) -> CaseFile:
        """Raises UnknownCase; a case that was taken back with its touchpoint is none."""
        found = await self.some([number])
        if number not in found or found[number].state == "retracted":
            raise UnknownCase
        return found[number]

    async def some(self, numbers: Collection[str]) -> dict[str, CaseFile]:
        return {one.number: one for one in await self._in(select(*_COLUMNS), case_file.c.number, numbers)}

    async def in_threads(self, conversation_ids: Collection[UUID]) -> list[tuple[UUID, CaseFile]]:
        """The cases whose complaint lies in one of the threads and of which it is not known yet whether they held."""
        e, c = conversation_entry.c, case_file.c
        query = (
            select(e.conversation_id, *_COLUMNS)
            .join(conversation_entry, e.touchpoint_id == c.touchpoint_id)
            .where(c.state != "retracted", c.first_contact.is_(None))
        )
        if not conversation_ids:
            return []
        rows = await self._session.execute(query.where(among(e.conversation_id, conversation_ids)))
        return [(row.conversation_id, _case(row)) for row in rows.all()]

    async def opened_in(self, touchpoint_id: UUID) -> list[CaseFile]:
        return await self._in(select(*_COLUMNS), case_file.c.touchpoint_id, [touchpoint_id])

    async def moved_in(self, touchpoint_id: UUID) -> list[tuple[str, str]]:
        """(number, move) of what a touchpoint did to cases."""
        c = case_step.c
        query = select(c.number, c.move).where(c.touchpoint_id == touchpoint_id)
        return [(row.number, row.move) for row in (await self._session.execute(query)).all()]

    async def steps(self, number: str) -> list[Any]:
        query = select(case_step).where(case_step.c.number == number).order_by(case_step.c.step_id)
        return list((await self._session.execute(query)).mappings().all())

    async def page(
        self,
        *,
        customer_id: UUID | None,
        proven: bool,
        partner: str | None,
        customer_visible: bool,
        states: Collection[str],
        kind: str | None,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[CaseFile]:
        """The cases, the latest opened first. `proven`: only of traces that open a customer's own view; `partner`: only what came through him."""
        c = case_file.c
        query = select(*_COLUMNS).order_by(c.opened_at.desc(), c.number.desc()).limit(limit)
        query = query.where(c.state.in_(states)) if states else query.where(c.state != "retracted")
        if customer_id is not None:
            query = query.join(trace, trace.c.trace_id == c.trace_id).where(trace.c.customer_id == customer_id)
            if proven:
                query = query.where(trace.c.proof.in_(("attested", "person")))
        if customer_visible:
            query = query.join(touchpoint, touchpoint.c.touchpoint_id == c.touchpoint_id)
            query = query.where(touchpoint.c.visibility == "customer")
            if partner is not None:
                query = query.where(touchpoint.c.partner == partner)
        if kind is not None:
            query = query.where(c.kind == kind)
        if after is not None:
            query = query.where(tuple_(c.opened_at, c.number) < tuple_(*after))
        return [_case(row) for row in (await self._session.execute(query)).all()]

    async def _in(self, query: Any, column: Any, values: Collection[Any]) -> list[CaseFile]:
        if not values:
            return []
        return [_case(row) for row in (await self._session.execute(query.where(among(column, values)))).all()]


_COLUMNS = tuple(case_file.c)
_NAMES = tuple(column.name for column in _COLUMNS)
_CHANGES = {name: f'excluded."{name}"' for name in _NAMES if name != "number"}


def _case(row: Any) -> CaseFile:
    return CaseFile(**{name: getattr(row, name) for name in _NAMES})
