"""Who was erased, and since when: what was told of him before is dropped wherever it turns up, a replay included."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Column, Table, Uuid, cast, delete, select, update
from sqlalchemy import Text as SqlText
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, find_rows, insert_rows
from common.contracts.identity import CustomerChanged, CustomerErased
from common.db import COMMON, UtcDateTime, outbox_table, parked_table
from common.events import Event
from common.idempotency import idempotency_table
from common.revisions import if_newer

PAGE = 500
BY_ERASURE = "erasure"

# Ids of traces and of customers, which tell nobody a phone number; the one thing that stays of a person in every service.
erased_table = Table(
    "erased",
    COMMON,
    Column("subject_id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

# What was told of a person for a few days stays as an event that nobody knows how to read, so that no cursor loses its place.
_EMPTIED = {"specversion": "1.0", "source": "/hilo", "type": "hilo.erased.v1", "data": {}}


async def list_erased(session: AsyncSession, subjects: Iterable[UUID], *, at: datetime) -> None:
    """Put traces and customers on the list; of two moments the later stays."""
    rows = [{"subject_id": subject, "at": at} for subject in sorted(set(subjects))]
    await insert_rows(session, erased_table, rows, on_conflict=if_newer("erased", ["at"], by="at"))


async def erased_among(session: AsyncSession, subjects: Collection[UUID]) -> dict[UUID, datetime]:
    """Those of the subjects that are on the list, each with its moment."""
    rows = await find_rows(session, erased_table, ("subject_id", "at"), {"subject_id": list(subjects)})
    return {row.subject_id: row.at for row in rows}


async def note_erasures(events: Sequence[Event], session: AsyncSession) -> list[CustomerErased]:
    """The erasures among the events, with everybody they concern put on the list. Call it before `without_erased`."""
    told = [event.data for event in events if isinstance(event.data, CustomerErased)]
    for each in told:
        await list_erased(session, [*each.traces, *each.customers], at=each.erased_at)
    return told


async def without_erased(events: Sequence[Event], session: AsyncSession) -> list[Event]:
    """The events without those that tell what was before somebody's erasure. That he was erased is told all the same."""
    subjects = {event.id: subject for event in events if (subject := _subject(event.data)) is not None}
    erased = await erased_among(session, set(subjects.values()))
    if not erased:
        return list(events)
    return [event for event in events if not _is_before(event, erased.get(subjects.get(event.id, event.id)))]


def _subject(data: Any) -> UUID | None:
    if isinstance(data, CustomerChanged | CustomerErased):
        return None
    subject = getattr(data, "trace_id", None) or getattr(data, "customer_id", None)
    return subject if isinstance(subject, UUID) else None


def _is_before(event: Event, erased_at: datetime | None) -> bool:
    """An event on a trace by the earliest moment that it names. A customer's id is never given out again."""
    if erased_at is None:
        return False
    if not hasattr(event.data, "trace_id"):
        return True
    named = (getattr(event.data, name, None) for name in ("recorded_at", "occurred_at", "made_at", "at"))
    moments = [moment for moment in named if moment is not None]
    # told anew, an old event has a new time: where it names its own moments, only those count
    return bool(min(moments or [event.time]) <= erased_at)


# --- what common keeps of a person ------------------------------------------------------------------------------------


async def empty_people_events(session: AsyncSession, topic: str, keys: Iterable[object]) -> int:
    """Empty what the outbox holds of the subjects on a people topic; gives how many events lost their content."""
    o = outbox_table.c
    where = (o.aggregatetype == topic, among(o.aggregateid, [str(key) for key in keys]))
    rows = (await session.execute(select(o.seq, o.id, o.at).where(*where))).all()
    for row in rows:
        emptied = _EMPTIED | {"id": str(row.id), "time": row.at.isoformat(), "subject": BY_ERASURE}
        await session.execute(
            update(outbox_table).where(o.seq == row.seq).values(payload=orjson.dumps(emptied).decode())
        )
    return len(rows)


async def empty_parked(session: AsyncSession, is_his: Callable[[str, str], bool], *, at: datetime) -> int:
    """Empty and drop parked bodies that are his, by their origin and their text; gives how many there were."""
    p = parked_table.c
    emptied, after = 0, UUID(int=0)
    while rows := (
        await session.execute(
            select(p.id, p.origin, p.body).where(p.id > after, p.body != "").order_by(p.id).limit(PAGE)
        )
    ).all():
        his = [row.id for row in rows if is_his(row.origin, row.body)]
        changes = {
            "body": "",
            "problem": {},
            "state": "dropped",
            "moved_by": BY_ERASURE,
            "moved_at": at,
            "reason": None,
        }
        if his:
            await session.execute(update(parked_table).where(among(p.id, his)).values(**changes))
        emptied, after = emptied + len(his), rows[-1].id
    return emptied


def naming(words: Iterable[object]) -> Callable[[str, str], bool]:
    """For `empty_parked`: whether a body names one of the words."""
    wanted = [str(word) for word in words]
    return lambda _, body: any(word in body for word in wanted)


async def forget_answers(session: AsyncSession, words: Collection[str]) -> int:
    """Forget answers under an Idempotency-Key that name one of the words; gives how many there were."""
    c = idempotency_table.c
    rows = (await session.execute(select(c.id, cast(c.answer, SqlText).label("answer")))).all()
    named = [row.id for row in rows if any(word in row.answer for word in words)]
    if named:
        await session.execute(delete(idempotency_table).where(among(c.id, named)))
    return len(named)
