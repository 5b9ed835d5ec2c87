"""The inbox: an event's id is claimed in the transaction of its effect, so a redelivered event has no second one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import insert_rows
from common.clock import utc_now
from common.db import inbox_table
from common.events import Event


class Inbox:
    """What this service has handled already."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

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
        rows = [{"event_id": event_id, "consumer": consumer, "at": now} for event_id in sorted(set(ids))]
        written = await insert_rows(self._session, inbox_table, rows, on_conflict="nothing", returning=["event_id"])
        return {row.event_id for row in written}

    async def forget_before(self, moment: datetime) -> None:
        """Retention. Kept longer than any outbox, so that a replay still finds what it once claimed."""
        await self._session.execute(delete(inbox_table).where(inbox_table.c.at < moment))
