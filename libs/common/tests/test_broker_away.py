"""While the broker is away or refuses, nobody is locked out, order is kept, and whoever is told to stop ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy import insert, text

from common import access  # noqa: F401
from common.bus.delivery import Consumer
from common.bus.kafka import KafkaReader, KafkaRelay, ensure_topics
from common.contracts.scoring import TOPIC, SignalMoved
from common.db import COMMON, Database, outbox_table
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


async def takes_records_up_to(bootstrap: str, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=wanted)])
    finally:
        await admin.close()


async def test_what_comes_behind_a_refused_batch_of_a_partition_does_not_pass_it(
    database: Database, kafka_server: Any
) -> None:
    topic, sizes = f"t{new_id().hex}.v1", [120_000, 120_000, 50_000]  # the first two fill a batch
    await ensure_topics(kafka_server.bootstrap, [topic], partitions=1)
    await takes_records_up_to(kafka_server.bootstrap, topic, 200_000)
    async with UnitOfWork(database) as uow:
        row = {"aggregatetype": topic, "aggregateid": "k", "type": "x", "at": NOW}
        for size in sizes:
            await uow.session.execute(insert(outbox_table).values(**row, id=new_id(), payload="x" * size))
        await uow.commit()
    stop, relay = asyncio.Event(), KafkaRelay(database, kafka_server.bootstrap)
    running = asyncio.create_task(relay.run(stop))
    reader = AIOKafkaConsumer(topic, bootstrap_servers=kafka_server.bootstrap, auto_offset_reset="earliest")
    try:
        await until(lambda: relay.trouble is not None)
        await takes_records_up_to(kafka_server.bootstrap, topic, 1_000_000)
        await reader.start()
        async with asyncio.timeout(60):
            assert [len((await reader.getone()).value) for _ in sizes] == sizes
    finally:
        await reader.stop()
        stop.set()
        await running
