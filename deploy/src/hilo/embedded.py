"""The embedded stack: the whole system in one process, SQLite files under var/, no server of any kind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from common.auth import first_credential, first_secret
from common.bus.local import LocalReader, sources_of
from common.bus.turns import Turns
from common.clock import Clock, utc_now
from common.company import Company
from common.db import PATIENCE_SECONDS, Database
from common.health import backlog_checks, consumer_goes_on, worker_goes_on
from common.service import Runtime, Service, make_ready, shared_parts, tune_garbage_collection
from common.settings import Settings
from common.worker import Worker
from hilo.front import front_page
from hilo.services import SERVICES

RUNNING = "running"  # the file under var/ that the one process holds


def embedded_app(var: Path, *, clock: Clock = utc_now) -> "Embedded":
    """The four applications and their workers, with their data under `var`, made ready when the application starts."""
    return Embedded(SERVICES, embedded_runtimes(var, clock=clock))


def embedded_runtimes(var: Path, *, clock: Clock = utc_now, patience: float = PATIENCE_SECONDS) -> dict[str, Runtime]:
    """The runtime of each service over its file under `var`. Whoever asks disposes of their databases."""
    secret = first_secret(var)
    _, key_hash = first_credential(var, secret)
    return {service.name: _runtime(service, var, secret, key_hash, clock, patience) for service in SERVICES}


def _runtime(service: Service, var: Path, secret: str, key_hash: str, clock: Clock, patience: float) -> Runtime:
    settings: Settings = service.settings().model_copy(
        update={
            "database_url": f"sqlite+aiosqlite:///{var}/{service.name}.db",
            "secret": secret,
            "first_key_hash": key_hash,
        }
    )
    database = Database.connect(settings.database_url, patience=patience)
    return Runtime(settings, database, Company.load(settings.company_file), clock)


def spoilt_files(var: Path) -> dict[str, str]:
    """The services whose file under `var` cannot be read, and why. Looks at the first page of each table: it takes milliseconds."""
    found = {}
    for service in SERVICES:
        file = var / f"{service.name}.db"
        try:
            if file.exists():
                _look_into(file)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            found[service.name] = str(error)
    return found


def _look_into(file: Path) -> None:
    with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for [table] in tables:
            connection.execute(f'SELECT * FROM "{table}" LIMIT 1').fetchall()  # noqa: S608 - the names of our own tables


class Embedded:
    """One ASGI application that hands each request to the service whose path it is.

    A mounted sub-application would lose its lifespan and its paths, so the four stay whole applications. A worker that fails
    ends alone, and readiness tells of it: if the process ended, nobody could post to the other services either.
    """

    def __init__(self, services: Sequence[Service], runtimes: dict[str, Runtime]) -> None:
        self._services = services
        self._runtimes = runtimes
        self._apps: dict[str, FastAPI] = {}
        self._turns = Turns()
        self._front = front_page(services, lifespan=self._lifespan)

    @property
    def settings(self) -> Settings:
        """The settings that all four share."""
        return self._runtimes[self._services[0].name].settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._front(scope, receive, send)
            return
        app: Any = self._apps.get(scope["path"].split("/", 2)[1], self._front)
        with self._turns.request():
            await app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        for service in self._services:
            await make_ready(service, self._runtimes[service.name])  # one after another: alembic's context is one
        async with AsyncExitStack() as stack:
            for service in self._services:
                runtime = self._runtimes[service.name]
                stack.push_async_callback(runtime.database.dispose)
                app = self._apps[service.name] = service.create_app(runtime)
                await stack.enter_async_context(app.router.lifespan_context(app))
            readers = {service.name: self._reader(service) for service in self._services}
            workers = {
                each.name: Worker(
                    [readers[each.name], *shared_parts(each, self._runtimes[each.name])], service=each.name
                )
                for each in self._services
            }
            self._watch(readers, workers)
            stops = [asyncio.Event() for _ in workers]  # one each: a worker that fails sets its own
            working = [asyncio.create_task(each.run(stop)) for each, stop in zip(workers.values(), stops, strict=True)]
            tune_garbage_collection()
            try:
                yield
            finally:
                for stop in stops:
                    stop.set()
                await asyncio.gather(*working, return_exceptions=True)  # what failed was told when it did

    def _watch(self, readers: dict[str, LocalReader], workers: dict[str, Worker]) -> None:
        """Each application tells of its own worker, and of those that read its outbox: they are all in this process."""
        for service in self._services:
            state, reader = self._apps[service.name].state, readers[service.name]
            state.backlog.consumers.append(reader)
            state.backlog.readers += [each for each in readers.values() if each.listens_to(service.name)]
            for name, check in backlog_checks(state.backlog, state.settings, strict=True).items():
                state.readings.add(name, check)
            state.readings.add("consumer", consumer_goes_on(partial(list, [reader]), needed=False))
            state.readings.add("worker", worker_goes_on(partial(getattr, workers[service.name], "failed")))

    def _reader(self, service: Service) -> LocalReader:
        runtime = self._runtimes[service.name]
        consumer = service.create_consumer(runtime)
        databases = {name: other.database for name, other in self._runtimes.items()}
        sources = sources_of(consumer.topics, databases)
        return LocalReader(consumer, runtime.database, sources, clock=runtime.clock, turns=self._turns)
