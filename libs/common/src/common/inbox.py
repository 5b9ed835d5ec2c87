"""The inbox: an event's id is claimed in the transaction of its effect, so a redelivered event has no second one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from sqlalchemy import delete, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from common.clock import utc_now
from common.db import inbox_table
from common.events import Event
from common.partitions import first_id_of

_number = attrgetter("int")  # the order of UUIDs: objects are compared at ten times the price of their numbers
_ENTER = text("LOCK TABLE ONLY inbox IN ROW EXCLUSIVE MODE")  # as the claim does; no transaction id is taken for it


class Inbox:
    """What this service has handled already."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def enter(self) -> None:
        """For a consumer that reads its projections before it claims: called first of all, it waits here for a rebuild that changes places.

        The rebuild holds this table and then needs those. Whoever had read them and only then waited here would wait crosswise with
        it, for as long as there is work, and no rebuild would ever end.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(_ENTER)

    async def claim(self, events: Sequence[Event], *, consumer: str) -> list[Event]:
        """The events that `consumer` never handled before, in the order given; the others are dropped.

        Two workers that claim the same event at once: the second waits for the first's commit and then gets nothing.
        """
        by_id = {event.id: event for event in events}
        fresh = await self.claim_ids(by_id, consumer=consumer)
        return [event for event_id, event in by_id.items() if event_id in fresh]

    async def claim_ids(self, ids: Iterable[UUID], *, consumer: str) -> set[UUID]:
        """Those of the ids that were never claimed before: for what is no readable event, and has an effect all the same."""
        now = utc_now()
        # Sorted, so that two workers with overlapping batches queue up instead of locking each other.
        rows = [{"event_id": event_id, "consumer": consumer, "at": now} for event_id in sorted(set(ids), key=_number)]
        written = await insert_rows(self._session, inbox_table, rows, on_conflict="nothing", returning=["event_id"])
        return {row.event_id for row in written}

    async def claimed_at(self, ids: Collection[UUID], *, consumer: str) -> dict[UUID, datetime]:
        """Claims the ids, and tells of each when it was claimed first: just now, or before."""
        if not ids:
            return {}
        await self.claim_ids(ids, consumer=consumer)
        c = inbox_table.c
        rows = await self._session.execute(
            select(c.event_id, c.at).where(among(c.event_id, ids), c.consumer == consumer)
        )
        return {row.event_id: row.at for row in rows}

    async def forget_before(self, moment: datetime, *, limit: int = 2_000) -> int:
        """Retention row by row: the claims made before `moment` among the first `limit`; gives how many.

        Kept longer than any outbox, so that a replay still finds what it once claimed.
        """
        c = inbox_table.c
        first = select(c.event_id).order_by(c.event_id).limit(limit).subquery()
        last = await self._session.scalar(select(first.c.event_id).order_by(first.c.event_id.desc()).limit(1))
        # Ids that begin with no moment (of records that were no events) lie beyond all others.
        timeless = c.event_id >= UUID(int=first_id_of(utc_now() + timedelta(days=1)))
        front = timeless if last is None else or_(c.event_id <= last, timeless)
        result = await self._session.execute(delete(inbox_table).where(c.at < moment, front))
        return int(getattr(result, "rowcount", 0))
