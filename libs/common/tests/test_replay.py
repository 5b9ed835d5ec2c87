"""Replay gives again what was missed; what the inbox may have forgotten it leaves alone."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from common.bus.delivery import Consumer, Record
from common.clock import utc_now
from common.contracts.scoring import TOPIC, SignalMoved
from common.db import Database
from common.events import Event, encode
from common.ids import id_at, new_id
from common.replay import Replayed, replay_range
from common.uow import UnitOfWork

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Log:
    """A topic of one batch."""

    def __init__(self, *told: datetime) -> None:
        self._records = [_record(at) for at in told]

    async def remaining(self) -> int:
        return len(self._records)

    async def batches(self) -> AsyncIterator[list[Record]]:
        yield self._records

    async def reaches_back(self) -> list[str]:
        return []


def _record(at: datetime) -> Record:
    data = SignalMoved(customer_id=UUID(int=1), signal="dormant", move="raised", at=at)
    _, body = encode(data, at=at, event_id=id_at(at, new_id()))
    return Record(TOPIC, data.key(), body, "0:1")


async def test_what_the_inbox_may_have_forgotten_is_left_alone_and_told(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database, seen = await make_database("scoring"), list[datetime]()

    async def handle(events: Sequence[Event]) -> None:
        async with UnitOfWork(database) as uow:
            seen.extend(event.time for event in await uow.inbox.claim(events, consumer="sink"))
            await uow.commit()

    log = Log(NOW - timedelta(days=40), NOW - timedelta(days=29), NOW)
    consumer = Consumer("sink", (TOPIC,), handle)
    since = NOW - timedelta(days=30)
    again = await replay_range(log, consumer, database, clock=utc_now, known_since=since)
    assert again == Replayed(read=3, applied=2, too_old=1)
    assert seen == [NOW - timedelta(days=29), NOW]
    assert "1 left alone" in str(again)
    new = await replay_range(log, consumer, database, clock=utc_now)  # the database was made anew: nothing is forgotten
    assert new == Replayed(read=3, applied=1)
    assert len(seen) == 3
