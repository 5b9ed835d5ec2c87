"""A database that comes back as it was a while ago, or empty: what it lacks is read again from the topics."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from common.db import outbox_table

from .checks import HEARS
from .faults import Fault, Scene


def restored(service: str) -> Fault:
    """A backup is taken, work goes on, and the database comes back as it was in the backup."""

    async def fault(scene: Scene) -> int:
        backup = scene.arena.stack.var / f"{service}.backup"
        await scene.do(_dump, scene, service, backup)
        await asyncio.sleep(scene.seconds)
        await _replaced(scene, service, backup)
        await asyncio.sleep(scene.seconds)
        return 1

    return fault


def emptied(service: str) -> Fault:
    """The database is lost, and there is no backup: a new one is made, empty."""

    async def fault(scene: Scene) -> int:
        await asyncio.sleep(scene.seconds)
        await _replaced(scene, service, None)
        await asyncio.sleep(scene.seconds)
        return 1

    return fault


async def _replaced(scene: Scene, service: str, backup: Path | None) -> None:
    arena = scene.arena
    for role in (f"{service}-worker", f"{service}-api"):
        await scene.do(lambda role=role: arena.stop(role, within=20))
    async with scene.checker.databases() as databases, databases[service].session(reading=True) as session:
        scene.ledger.retold[service].update((await session.scalars(sa.select(outbox_table.c.id))).all())
    await scene.do(_replace, scene, service, backup)
    await read_again(arena.bootstrap, service)
    for role in (f"{service}-api", f"{service}-worker"):
        await scene.start(role)


def _dump(scene: Scene, service: str, to: Path) -> None:
    _with_postgres(scene, "pg_dump", "--format", "custom", "--file", to, "--dbname", service)


def _replace(scene: Scene, service: str, backup: Path | None) -> None:
    arena = scene.arena
    server, its = arena.stack.postgres, next(each for each in arena.stack.services if each.name == service)
    server.drop_database(its.database)
    server.create_database(its.database)
    if backup is not None:
        _with_postgres(scene, "pg_restore", "--dbname", its.database, "--no-owner", backup)
    arena.stack._migrate(its)


def _with_postgres(scene: Scene, program: str, *arguments: Any) -> None:
    server = scene.arena.stack.postgres
    address = ["-h", "127.0.0.1", "-p", server.port, "-U", "hilo"]
    command = [server.binaries / program, *address, *arguments]
    environment = {"PGPASSWORD": server.password, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed: {done.stderr.strip()[-500:]}")


async def read_again(bootstrap: str, service: str) -> None:
    """The service's group stands at the beginning of its topics again; what it knows its inbox drops."""
    module = HEARS[service]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=f"hilo.{module.CONSUMER}", enable_auto_commit=False
    )
    await consumer.start()
    try:
        await consumer._client.set_topics(list(module.TOPICS))
        every = [TopicPartition(t, n) for t in module.TOPICS for n in sorted(consumer.partitions_for_topic(t) or ())]
        consumer.assign(every)
        begun = await consumer.beginning_offsets(every)
        await consumer.commit({one: OffsetAndMetadata(offset, "") for one, offset in begun.items()})
    finally:
        await consumer.stop()
