import asyncio
from datetime import UTC, datetime
from uuid import UUID

from common.db import Database
from common.events import Event
from common.ids import new_id
from common.uow import UnitOfWork


def event(event_id: UUID | None = None) -> Event:
    return Event(id=event_id or new_id(), type="t", source="/s", time=datetime.now(UTC), subject="x", data=None)


async def claim(database: Database, events: list[Event], consumer: str = "scoring") -> list[UUID]:
    async with UnitOfWork(database) as uow:
        fresh = await uow.inbox.claim(events, consumer=consumer)
        await uow.commit()
    return [e.id for e in fresh]


async def test_an_event_is_claimed_once(database: Database) -> None:
    events = [event(), event(), event()]
    assert await claim(database, events) == [e.id for e in events]
    assert await claim(database, [*events, event(UUID(int=5))]) == [UUID(int=5)]


async def test_each_consumer_claims_for_itself(database: Database) -> None:
    events = [event()]
    assert await claim(database, events, "scoring")
    assert await claim(database, events, "identity")


async def test_twice_in_one_batch_is_once(database: Database) -> None:
    one = event()
    assert await claim(database, [one, one]) == [one.id]


async def test_who_claims_again_hears_when_it_was_claimed_first(database: Database) -> None:
    one, two = UUID(int=1), UUID(int=2)
    told = []
    for ids in ({one}, {one, two}, set[UUID]()):
        async with UnitOfWork(database) as uow:
            told.append(await uow.inbox.claimed_at(ids, consumer="scoring"))
            await uow.commit()
    assert told[0] == {one: told[1][one]}
    assert told[1][one] < told[1][two]
    assert told[2] == {}


async def test_a_claim_without_commit_is_no_claim(database: Database) -> None:
    one = event()
    async with UnitOfWork(database) as uow:
        await uow.inbox.claim([one], consumer="scoring")
    assert await claim(database, [one]) == [one.id]


async def test_two_workers_with_the_same_batch_claim_each_event_once_between_them(database: Database) -> None:
    events = [event() for _ in range(50)]
    first, second = await asyncio.gather(claim(database, events), claim(database, list(reversed(events))))
    assert sorted([*first, *second]) == sorted(e.id for e in events)
