"""The outbox: what happened, written in the transaction of its effect, and kept as a log that readers follow by cursor."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Select, Text, bindparam, cast, delete, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_columns, insert_rows
from common.db import cursor_table, outbox_table
from common.errors import Invalid
from common.events import EventData, Following, Told, enveloped
from common.ids import new_id

_OLDEST_RUNNING = select(
    cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
).scalar_subquery()
MOST_TOLD = 500_000  # characters of an event: at four bytes each what our broker takes in one record
_COLUMNS = ("id", "aggregatetype", "aggregateid", "type", "payload", "at")
_o = outbox_table.c
# Made once: relays ask all the time, and to put the question together costs more than the answer that there is nothing.
_NEXT = (
    select(_o.xid, _o.seq, _o.id, _o.aggregatetype, _o.aggregateid, _o.type, _o.payload)
    .where(
        tuple_(_o.xid, _o.seq)
        > tuple_(bindparam("after_xid", type_=BigInteger), bindparam("after_seq", type_=BigInteger))
    )
    .order_by(_o.xid, _o.seq)
    .limit(bindparam("most", type_=Integer))
)
_NEXT_WITH_OLDEST = _NEXT.add_columns(_OLDEST_RUNNING.label("oldest"))
_NEXT_BEFORE = _NEXT.where(_o.xid < bindparam("bound", type_=BigInteger))
_LAST = select(_o.xid, _o.seq, _o.id).order_by(_o.xid.desc(), _o.seq.desc()).limit(1)
_LAST_SETTLED = _LAST.where(_o.xid < _OLDEST_RUNNING)
# The oldest transaction that writes to this database; if none does, the one that comes next. What goes on in the server's other
# databases holds nothing up. Asked in a statement of its own: who has ended by then is seen by the next, whatever he wrote.
_OLDEST_HERE = text("""
    SELECT n.next - coalesce(max(n.next - a.backend_xid::text::bigint & 4294967295)
        FILTER (WHERE (n.next - a.backend_xid::text::bigint & 4294967295) < 2147483648), 0)
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next, pg_stat_clear_snapshot()::text AS none OFFSET 0) n
    LEFT JOIN LATERAL pg_stat_get_activity(nullif(n.none, n.none)::int) a
        ON a.datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND a.backend_xid IS NOT NULL
    GROUP BY n.next
""")

# `scoring<identity` is where the service itself stands in the log of another one.
READS_THIS_LOG = cursor_table.c.reader.not_like("%<%")


class TooMuchToTell(Invalid):
    code = "too-much-to-tell"
    title = "What the others would be told of it is more than one event holds"


@dataclass(frozen=True)
class Position:
    """How far a reader has come: transaction id and sequence on PostgreSQL, (0, rowid) on SQLite, and the last event's id."""

    xid: int = 0
    seq: int = 0
    last_id: UUID | None = None


@dataclass(frozen=True)
class Entry:
    """One event of the log, as bytes that are shipped as they are."""

    position: Position
    topic: str
    key: str
    type: str
    body: bytes


class Outbox:
    """What one transaction will tell the others. Buffered, and written in one statement when the transaction commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._rows: list[tuple[Any, ...]] = []

    def add(self, data: EventData | Told, *, at: datetime, part_of: Following | None = None) -> UUID:
        """Tell that `data` happened at `at`, as a part of the present request or of another; gives the event's id.

        Raises TooMuchToTell: a record that the broker never takes would hold up all that is told after it.
        """
        event_id = new_id()
        words = enveloped(data, event_id, at=at, part_of=part_of)
        if len(words) > MOST_TOLD:
            raise TooMuchToTell
        self._rows.append((event_id, data.topic, data.key(), data.type, words, at))
        return event_id

    def add_all(self, happened: Iterable[EventData | Told], *, at: datetime) -> None:
        for data in happened:
            self.add(data, at=at)

    async def flush(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        columns: dict[str, Sequence[Any]] = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
        if self._session.get_bind().dialect.name == "sqlite":
            columns["xid"] = [0] * len(rows)  # files made by the first version have no default for it
        await insert_columns(self._session, outbox_table, columns)


async def read(session: AsyncSession, *, after: Position, topics: Sequence[str] = (), limit: int = 500) -> list[Entry]:
    """The next entries of the log after a position, oldest first; only those of `topics` where given.

    On PostgreSQL nothing at or beyond the oldest transaction that is writing is given: a sequence number taken early and
    committed late would otherwise be passed over for ever.
    """
    asked = {"after_xid": after.xid, "after_seq": after.seq, "most": limit}
    if session.get_bind().dialect.name == "sqlite":
        rows = (await session.execute(_of(_NEXT, topics), asked)).all()
    else:
        found = (await session.execute(_of(_NEXT_WITH_OLDEST, topics), asked)).all()
        rows = [row for row in found if row.xid < row.oldest]
        if found and not rows:  # held up by somebody on this server: by whom costs more to find out than all else
            asked["bound"] = await session.scalar(_OLDEST_HERE)
            rows = (await session.execute(_of(_NEXT_BEFORE, topics), asked)).all()
    return [
        Entry(Position(row.xid, row.seq, row.id), row.aggregatetype, row.aggregateid, row.type, row.payload.encode())
        for row in rows
    ]


def _of(query: Select[Any], topics: Sequence[str]) -> Select[Any]:
    return query.where(_o.aggregatetype.in_(topics)) if topics else query


async def end_of(session: AsyncSession) -> Position:
    """How far the log is settled: no entry comes before this any more. The start where it is empty."""
    last = _LAST if session.get_bind().dialect.name == "sqlite" else _LAST_SETTLED
    row = (await session.execute(last)).one_or_none()
    return Position() if row is None else Position(row.xid, row.seq, row.id)


async def position_of(session: AsyncSession, reader: str) -> Position:
    """Where a reader stands; the start for one that has never read."""
    c = cursor_table.c
    row = (await session.execute(select(c.xid, c.seq, c.last_id).where(c.reader == reader))).one_or_none()
    return Position() if row is None else Position(row.xid, row.seq, row.last_id)


async def move_cursor(session: AsyncSession, reader: str, to: Position, *, at: datetime) -> None:
    """Remember how far a reader has come. Call it after what was read has taken effect, never before."""
    row = {"reader": reader, "xid": to.xid, "seq": to.seq, "last_id": to.last_id, "moved_at": at}
    changes = {name: f"excluded.{name}" for name in ("xid", "seq", "last_id", "moved_at")}
    await insert_rows(session, cursor_table, [row], on_conflict=changes)


async def agrees(session: AsyncSession, position: Position) -> bool:
    """Whether the log still is the one that `position` was taken from.

    A restored backup or a new cluster gives the same numbers to other events, or stops before the position. Entries that
    retention has dropped do not disagree: then the log begins after the position.
    """
    if position.last_id is None:
        return True
    t = outbox_table
    found = await session.scalar(select(t.c.id).where(t.c.xid == position.xid, t.c.seq == position.seq))
    if found is not None:
        return bool(found == position.last_id)
    later = select(t.c.seq).where(tuple_(t.c.xid, t.c.seq) > tuple_(position.xid, position.seq)).limit(1)
    earlier = select(t.c.seq).where(tuple_(t.c.xid, t.c.seq) < tuple_(position.xid, position.seq)).limit(1)
    return await session.scalar(earlier) is None and await session.scalar(later) is not None


async def settle_restored(session: AsyncSession, *, limit: int = 20_000) -> int:
    """Make a log readable that a backup has brought into another PostgreSQL cluster; gives how many entries it settled.

    Such entries carry transaction ids that this cluster has still to reach: they would lie after everything that is written
    now, and readers would wait for them. All of them were committed, so they go to the beginning in the order of their
    numbers, and each cursor to before the first that its reader had still to read. Repeat until it gives 0.
    """
    t = outbox_table
    if session.get_bind().dialect.name == "sqlite":
        return 0
    newest = await session.scalar(select(func.max(t.c.xid)))
    present = await session.scalar(
        select(cast(cast(func.pg_current_xact_id(), Text), BigInteger))
    )  # asked last: greater
    if newest is None or newest < present:
        return 0
    await _step_back(session)
    last = await session.scalar(select(func.max(t.c.seq)).where(t.c.xid >= present))
    some = select(t.c.seq).where(t.c.seq <= last, t.c.xid > 0).order_by(t.c.seq).limit(limit).scalar_subquery()
    result = await session.execute(update(t).where(t.c.seq.in_(some)).values(xid=0))
    return int(getattr(result, "rowcount", 0))


async def _step_back(session: AsyncSession) -> None:
    t, c = outbox_table.c, cursor_table.c
    for row in (await session.execute(select(c.reader, c.xid, c.seq))).all():
        unread = select(func.min(t.seq)).where(tuple_(t.xid, t.seq) > tuple_(row.xid, row.seq))
        known = select(t.seq, t.id).order_by(t.seq.desc()).limit(1)
        if (first := await session.scalar(unread)) is not None:
            known = known.where(t.seq < first)
        before = (await session.execute(known)).one_or_none()
        seq, last_id = (0, None) if before is None else (before.seq, before.id)
        await session.execute(
            update(cursor_table).where(c.reader == row.reader).values(xid=0, seq=seq, last_id=last_id)
        )


async def oldest_unread(session: AsyncSession, reader: str) -> datetime | None:
    """When the first entry that a reader has not shipped yet was written; None when it is up to date."""
    position = await position_of(session, reader)
    t = outbox_table
    query = select(t.c.at).where(tuple_(t.c.xid, t.c.seq) > tuple_(position.xid, position.seq))
    return await session.scalar(query.order_by(t.c.xid, t.c.seq).limit(1))


async def still_to_read(session: AsyncSession) -> str:
    """A condition on entries: those at and beyond the reader that is furthest behind. True of all where nobody has read yet.

    The entry at the cursor stays as well: by it a reader knows its log again.
    """
    c = cursor_table.c
    query = select(c.xid, c.seq).where(READS_THIS_LOG).order_by(c.xid, c.seq).limit(1)
    behind = (await session.execute(query)).one_or_none()
    return "true" if behind is None else f"(xid, seq) >= ({behind.xid}, {behind.seq})"


async def drop_before(session: AsyncSession, moment: datetime, *, limit: int = 2_000) -> int:
    """Retention row by row: drop the entries written before `moment` among the first `limit`, but never one still to be read.

    Gives how many; none means that the log begins with what has to stay.
    """
    t = outbox_table
    first = select(t.c.seq).order_by(t.c.seq).limit(limit).subquery()
    last = await session.scalar(select(func.max(first.c.seq)))
    if last is None:
        return 0
    read_by_all = text(f"NOT ({await still_to_read(session)})")
    result = await session.execute(delete(t).where(t.c.seq <= last, t.c.at < moment, read_by_all))
    return int(getattr(result, "rowcount", 0))
