"""What the others say of customers is built anew; the log and its threads are nobody's projection and stay."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from common.bus.history import OutboxHistory
from common.bus.local import LocalReader
from common.company import Company
from common.contracts.identity import AccessChanged, ContactChanged, CustomerChanged, CustomerErased, LinksChanged, Move
from common.db import Database
from common.events import EventData
from common.ids import new_id
from common.service import Runtime, rebuild_projections
from common.testing import FakeClock, settings_for
from common.uow import UnitOfWork
from interactions.parts.models import part
from interactions.service import SERVICE
from interactions.settings import InteractionsSettings
from interactions.worker import create_consumer

WHO, TRACE, OTHER = UUID(int=5), UUID(int=6), UUID(int=7)
TABLES = {
    "customer": "customer_id, state, revision",
    "access_key": "key_id, revoked, revision",
    "trace": "trace_id, customer_id, revision",
    "inbox": "event_id, consumer",
}


async def rows(database: Database) -> dict[str, list[str]]:
    async with database.session(reading=True) as session:
        return {
            table: sorted(str(row) for row in (await session.execute(text(f"SELECT {columns} FROM {table}"))).all())
            for table, columns in TABLES.items()
        }


@pytest.mark.parametrize("hours", [0, 2])
async def test_states_are_mended_and_a_link_that_is_still_to_be_followed_is_followed_afterwards(
    make_database: Callable[[str], Awaitable[Database]], clock: FakeClock, hours: int
) -> None:
    source, database = await make_database("interactions"), await make_database("interactions")
    runtime = Runtime(settings_for(InteractionsSettings), database, Company.load(), clock)
    reader = LocalReader(create_consumer(runtime), database, {"identity": source}, clock=clock)

    async def tell(*data: EventData) -> None:
        async with UnitOfWork(source) as uow:
            uow.outbox.add_all(data, at=clock())
            await uow.commit()

    def linked(revision: int, to: UUID | None) -> LinksChanged:
        moves = [Move(trace_id=TRACE, customer_id=to, revision=revision)]
        return LinksChanged(decision_id=new_id(), kind="link", moves=moves)

    key = AccessChanged(key_id="k", hash="h", scopes=[], name="till", revoked=False, revision=3)
    await tell(linked(1, WHO), CustomerChanged(customer_id=WHO, revision=1, state="active"), key)
    await reader.drain()
    before = await rows(database)
    assert all(before.values())
    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM access_key"))
        await connection.execute(text("UPDATE customer SET state = 'merged'"))
    await tell(linked(2, None))  # told, and not heard yet when the rebuild reads it
    clock.advance(timedelta(hours=hours))
    async with OutboxHistory({"identity": source}, create_consumer(runtime).topics) as history:
        await rebuild_projections(SERVICE, runtime, history, tell=lambda _: None)
    assert await rows(database) == before
    await reader.drain()
    assert (await rows(database))["trace"] != before["trace"]


async def test_what_was_said_of_the_erased_does_not_come_back(
    make_database: Callable[[str], Awaitable[Database]], clock: FakeClock
) -> None:
    """The log holds it as it was told, before anybody asked to be forgotten."""
    source, database = await make_database("interactions"), await make_database("interactions")
    runtime = Runtime(settings_for(InteractionsSettings), database, Company.load(), clock)
    reader = LocalReader(create_consumer(runtime), database, {"identity": source}, clock=clock)
    erasure = CustomerErased(
        erasure_id=new_id(), customer_id=WHO, customers=[WHO], traces=[TRACE], erased_at=clock() + timedelta(hours=1)
    )
    async with UnitOfWork(source) as uow:
        said = [ContactChanged(customer_id=who, revision=1, topics_out=["offers"]) for who in (WHO, OTHER)]
        uow.outbox.add_all([*said, erasure], at=clock())
        await uow.commit()
    clock.advance(timedelta(hours=2))
    await reader.drain()
    assert await said_of(database) == {OTHER}
    async with OutboxHistory({"identity": source}, create_consumer(runtime).topics) as history:
        await rebuild_projections(SERVICE, runtime, history, tell=lambda _: None)
    assert await said_of(database) == {OTHER}


async def said_of(database: Database) -> set[UUID]:
    async with database.session(reading=True) as session:
        return set((await session.scalars(select(part.c.customer_id))).all())
