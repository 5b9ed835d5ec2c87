"""What every test may ask for. A real server that cannot be had is a skip here, and a failure where it is required."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import pytest
from hypothesis import settings

from common.db import Database
from common.telemetry import configure_logging
from common.testing import Databases, FakeClock
from hilo.native.errors import NativeError
from hilo.native.kafka import KafkaServer
from hilo.native.postgres import PostgresServer
from hilo.native.testing import real_kafka, real_postgres

Server = TypeVar("Server")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL of this test run's own. `create_database(name)` makes a database, `url(name)` leads to it."""
    yield from _required(real_postgres())


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """A real Apache Kafka of this test run's own, at `bootstrap`. Topics are not made by themselves."""
    yield from _required(real_kafka())


configure_logging("error")
# A busy machine is no fault: what takes how long is measured by the benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

MakeDatabase = Callable[[str], Awaitable[Database]]


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return Databases(tmp_path_factory.mktemp("sqlite"), None)


@pytest.fixture(scope="session")
def postgres_databases(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Databases:
    return Databases(tmp_path_factory.mktemp("postgresql"), postgres_server.url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
async def make_database(request: pytest.FixtureRequest) -> AsyncIterator[MakeDatabase]:
    """Makes a fresh, migrated database of the service that is named. The test runs on SQLite and on PostgreSQL."""
    databases: Databases = request.getfixturevalue(f"{request.param.replace('postgresql', 'postgres')}_databases")
    made: list[Database] = []

    async def make(package: str) -> Database:
        made.append(await databases.make(package))
        return made[-1]

    yield make
    for database in made:
        await databases.drop(database)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def _required(server: AbstractContextManager[Server]) -> Iterator[Server]:
    try:
        running = server.__enter__()
    except NativeError as reason:
        if os.environ.get("HILO_REQUIRE_REAL") == "1":
            pytest.fail(f"HILO_REQUIRE_REAL=1, but: {reason}")
        pytest.skip(str(reason))
    try:
        yield running
    finally:
        server.__exit__(None, None, None)
