"""While the broker is away nobody is locked out, and whoever is told to stop ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from common import access  # noqa: F401
from common.bus.delivery import Consumer
from common.bus.kafka import KafkaReader, KafkaRelay, ensure_topics
from common.contracts.scoring import TOPIC, SignalMoved
from common.db import COMMON, Database
from common.events import Event
from common.ids import new_id
from common.uow import UnitOfWork
from common.worker import Worker
from hilo.native.ports import LOOPBACK, free_port
from hilo.native.testing import real_kafka

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
pytestmark = pytest.mark.real


@pytest.fixture
async def database(postgres_server: Any) -> AsyncIterator[Database]:
    name = f"away_{new_id().hex}"
    postgres_server.create_database(name)
    database = Database.connect(postgres_server.url(name))
    async with database.engine.begin() as connection:
        await connection.run_sync(COMMON.create_all)
    yield database
    await database.dispose()
    postgres_server.drop_database(name)


async def tell(database: Database, number: int) -> None:
    async with UnitOfWork(database) as uow:
        told = SignalMoved(customer_id=UUID(int=1), signal=str(number), move="raised", at=NOW)
        uow.outbox.add(told, at=NOW)
        await uow.commit()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_relay_that_reaches_no_broker_leaves_the_lead_to_whoever_does(database: Database) -> None:
    stop, relay = asyncio.Event(), KafkaRelay(database, f"{LOOPBACK}:{free_port()}")
    running = asyncio.create_task(relay.run(stop))
    other = Database.connect(database.engine.url.render_as_string(hide_password=False))
    try:
        await until(lambda: relay.trouble is not None)
        async with asyncio.timeout(30), other.engine.connect() as connection:
            lead = text("SELECT pg_try_advisory_lock(hashtext('hilo-relay'))")
            while not (await connection.execute(lead)).scalar():
                await asyncio.sleep(0.02)
    finally:
        stop.set()
        await running
        await other.dispose()


async def test_relay_and_reader_end_when_told_to_though_the_broker_is_away(database: Database) -> None:
    seen: list[Event] = []
    may_go_on = asyncio.Event()

    async def handle(events: Sequence[Event]) -> None:
        seen.extend(events)
        await may_go_on.wait()

    with real_kafka() as kafka:
        await ensure_topics(kafka.bootstrap, [TOPIC], partitions=1)
        relay = KafkaRelay(database, kafka.bootstrap)
        reader = KafkaReader(Consumer(new_id().hex, (TOPIC,), handle), database, kafka.bootstrap)
        stop = asyncio.Event()
        running = asyncio.create_task(Worker([relay, reader]).run(stop))
        await tell(database, 1)
        await until(lambda: bool(seen))
        assert kafka.process is not None
        kafka.process.kill()
        await tell(database, 2)  # to be shipped
        may_go_on.set()  # and an offset to be committed
        await asyncio.sleep(1)
        stop.set()
        async with asyncio.timeout(60):  # it went on for ever
            await running
