"""Every query of the cases. Takes and gives domain values; never commits."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, among_given, insert_rows
from common.ids import new_id
from interactions.cases.domain import TALKS, CaseFile, Done, Step, UnknownCase, number_of
from interactions.cases.models import case_counter, case_file, case_step
from interactions.conversations.models import conversation_entry
from interactions.resume.domain import Reader
from interactions.resume.repository import seen_by
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
        await insert_rows(self._session, case_step, [_step_row(step, new_id()) for step in steps])

    async def rewrite(self, gone: Collection[UUID], steps: Sequence[tuple[UUID, Step]]) -> None:
        """Drop the steps under the ids, and write others under their own ids, which give their places."""
        if gone:
            await self._session.execute(delete(case_step).where(among(case_step.c.step_id, gone)))
        await insert_rows(self._session, case_step, [_step_row(step, step_id) for step_id, step in steps])

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
        if not numbers:
            return {}
        return {one.number: one for one in await self._in(select(*_COLUMNS), case_file.c.number, numbers)}

    async def in_threads(self, conversation_ids: Collection[UUID]) -> list[tuple[UUID, CaseFile]]:
        """The cases whose complaint lies in one of the threads and of which it is not known yet whether they held."""
        if not conversation_ids:
            return []
        rows = await self._session.execute(_IN_THREADS, {"threads": list(conversation_ids)})
        return [(row.conversation_id, _case(row)) for row in rows.all()]

    async def of_traces(self, trace_ids: Collection[UUID]) -> list[CaseFile]:
        """The cases of the traces that were not taken back."""
        query = select(*_COLUMNS).where(case_file.c.state != "retracted").order_by(case_file.c.number)
        return await self._in(query, case_file.c.trace_id, trace_ids)

    async def logs(self, cases: Collection[CaseFile]) -> dict[str, list[Done]]:
        """What is on record of each case, in the order in which it was written."""
        s, first = case_step.c, touchpoint.alias("first")
        query = (
            select(
                *case_step.c,
                touchpoint.c.position,
                touchpoint.c.state,
                touchpoint.c.case_number,
                first.c.recorded_at,  # a correction is written later, and does not make the contact later
            )
            .outerjoin(touchpoint, touchpoint.c.touchpoint_id == s.touchpoint_id)
            .outerjoin(first, first.c.touchpoint_id == touchpoint.c.position)
            .where(among(s.number, [case.number for case in cases]))
            .order_by(s.step_id)
        )
        known = {case.number: case for case in cases}
        found: dict[str, list[Done]] = defaultdict(list)
        for row in (await self._session.execute(query)).all() if cases else ():
            found[row.number].append(_done(row, known[row.number]))
        return found

    async def contacts_by_thread(self, cases: Collection[CaseFile]) -> dict[str, list[Done]]:
        """The contacts that lie in the thread of each case's complaint, recorded after it, and name no case. In that order."""
        e, t = conversation_entry.c, touchpoint
        opening = await self._session.execute(
            select(e.touchpoint_id, e.conversation_id, t.c.position)
            .join(t, t.c.touchpoint_id == e.touchpoint_id)
            .where(among(e.touchpoint_id, [case.touchpoint_id for case in cases]))
        )
        places = {row.touchpoint_id: (row.conversation_id, row.position) for row in opening.all()} if cases else {}
        talks = await self._talks({conversation_id for conversation_id, _ in places.values()})
        found: dict[str, list[Done]] = {}
        for case in cases:
            thread, after = places.get(case.touchpoint_id, (None, None))
            own = [] if thread is None or after is None else [one for one in talks[thread] if one.position > after]
            found[case.number] = own
        return found

    async def _talks(self, conversation_ids: Collection[UUID]) -> dict[UUID, list[Done]]:
        e, t, first, own = conversation_entry.c, touchpoint.c, touchpoint.alias("first"), case_file.alias("own")
        query = (
            select(
                e.conversation_id, t.touchpoint_id, t.position, t.occurred_at, t.channel, t.source, first.c.recorded_at
            )
            .join(touchpoint, t.touchpoint_id == e.touchpoint_id)
            .join(first, first.c.touchpoint_id == t.position)
            .outerjoin(own, own.c.touchpoint_id == t.touchpoint_id)
            .where(t.state == "live", t.direction == "inbound", t.kind.in_(sorted(TALKS)))
            .where(or_(t.case_number.is_(None), own.c.number.is_not(None)))
            .order_by(t.position)
        )
        found: dict[UUID, list[Done]] = defaultdict(list)
        if conversation_ids:
            for row in (await self._session.execute(query.where(among(e.conversation_id, conversation_ids)))).all():
                found[row.conversation_id].append(_contact(row))
        return found

    async def opened_in(self, touchpoint_id: UUID) -> list[CaseFile]:
        return await self._in(select(*_COLUMNS), case_file.c.touchpoint_id, [touchpoint_id])

    async def moved_in(self, touchpoint_id: UUID) -> list[CaseFile]:
        """The cases on which a touchpoint did something, and that were not taken back."""
        moved = select(case_step.c.number).where(case_step.c.touchpoint_id == touchpoint_id)
        query = select(*_COLUMNS).where(case_file.c.number.in_(moved), case_file.c.state != "retracted")
        return [_case(row) for row in (await self._session.execute(query)).all()]

    async def steps(self, number: str) -> list[Any]:
        query = select(case_step).where(case_step.c.number == number).order_by(case_step.c.step_id)
        return list((await self._session.execute(query)).mappings().all())

    async def page(
        self,
        reader: Reader,
        *,
        customer_id: UUID | None,
        states: Collection[str],
        kind: str | None,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[CaseFile]:
        """The cases that the reader may see, the latest opened first."""
        c = case_file.c
        query = select(*_COLUMNS).order_by(c.opened_at.desc(), c.number.desc()).limit(limit)
        query = query.where(c.state.in_(states)) if states else query.where(c.state != "retracted")
        query = seen_by(reader, query, c.touchpoint_id)
        if customer_id is not None:
            query = query.where(c.trace_id.in_(select(trace.c.trace_id).where(trace.c.customer_id == customer_id)))
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
# Made once: it is asked with every group of contacts, and to put it together costs more than its answer.
_IN_THREADS = (
    select(conversation_entry.c.conversation_id, *_COLUMNS)
    .join(conversation_entry, conversation_entry.c.touchpoint_id == case_file.c.touchpoint_id)
    .where(
        case_file.c.state != "retracted",
        case_file.c.first_contact.is_(None),
        among_given(conversation_entry.c.conversation_id, "threads"),
    )
)


def _case(row: Any) -> CaseFile:
    return CaseFile(**{name: getattr(row, name) for name in _NAMES})


def _step_row(step: Step, step_id: UUID) -> dict[str, Any]:
    return {
        "step_id": step_id,
        "number": step.case.number,
        "move": step.move,
        "at": step.at,
        "by": step.by,
        "text": step.text,
        "touchpoint_id": step.touchpoint_id,
        "channel": step.channel,
    }


def _done(row: Any, case: CaseFile) -> Done:
    opening = row.touchpoint_id == case.touchpoint_id
    by_touchpoint = row.touchpoint_id is not None
    return Done(
        position=row.position if by_touchpoint and row.position is not None else row.step_id,
        noted_at=case.opened_at if opening else row.recorded_at or row.at,
        move=row.move,
        at=row.at,
        by=row.by,
        text=row.text,
        touchpoint_id=row.touchpoint_id,
        channel=row.channel,
        step_id=row.step_id,
        by_thread=row.move == "contacted" and row.case_number != case.number,
        stands=opening or not by_touchpoint or row.state == "live",
    )


def _contact(row: Any) -> Done:
    return Done(
        position=row.position,
        noted_at=row.recorded_at,
        move="contacted",
        at=row.occurred_at,
        by=row.source,
        touchpoint_id=row.touchpoint_id,
        channel=row.channel,
        by_thread=True,
    )
