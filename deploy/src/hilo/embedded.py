"""The embedded stack: the whole system in one process, SQLite files under var/, no server of any kind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI

from common.auth import first_credential, first_secret
from common.bus.local import LocalReader, sources_of
from common.clock import Clock, utc_now
from common.company import Company
from common.db import Database
from common.service import Runtime, Service, make_ready, shared_parts, tune_garbage_collection
from common.settings import Settings
from common.worker import Worker
from hilo.front import front_page
from hilo.services import SERVICES

log = structlog.get_logger()


def embedded_app(var: Path, *, clock: Clock = utc_now) -> "Embedded":
    """The four applications and their workers, with their data under `var`, made ready when the application starts."""
    secret = first_secret(var)
    _, key_hash = first_credential(var, secret)
    runtimes = {service.name: _runtime(service, var, secret, key_hash, clock) for service in SERVICES}
    return Embedded(SERVICES, runtimes)


def _runtime(service: Service, var: Path, secret: str, key_hash: str, clock: Clock) -> Runtime:
    settings: Settings = service.settings().model_copy(
        update={
            "database_url": f"sqlite+aiosqlite:///{var}/{service.name}.db",
            "secret": secret,
            "first_key_hash": key_hash,
        }
    )
    database = Database.connect(settings.database_url)
    return Runtime(settings, database, Company.load(settings.company_file), clock)


class Embedded:
    """One ASGI application that hands each request to the service whose path it is.

    A mounted sub-application would lose its lifespan and its paths, so the four stay whole applications.
    """

    def __init__(self, services: Sequence[Service], runtimes: dict[str, Runtime]) -> None:
        self._services = services
        self._runtimes = runtimes
        self._apps: dict[str, FastAPI] = {}
        self._front = front_page(services, lifespan=self._lifespan)

    @property
    def settings(self) -> Settings:
        """The settings that all four share."""
        return self._runtimes[self._services[0].name].settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].split("/", 2)[1] if scope["type"] == "http" else ""
        app: Any = self._apps.get(name, self._front)
        await app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        for service in self._services:
            await make_ready(service, self._runtimes[service.name])  # one after another: alembic's context is one
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            for service in self._services:
                runtime = self._runtimes[service.name]
                stack.push_async_callback(runtime.database.dispose)
                app = self._apps[service.name] = service.create_app(runtime)
                await stack.enter_async_context(app.router.lifespan_context(app))
            workers = [asyncio.create_task(self._worker(service).run(stop)) for service in self._services]
            tune_garbage_collection()
            try:
                yield
            finally:
                stop.set()
                for outcome in await asyncio.gather(*workers, return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        log.error("worker_failed", reason=repr(outcome))

    def _worker(self, service: Service) -> Worker:
        runtime = self._runtimes[service.name]
        consumer = service.create_consumer(runtime)
        databases = {name: other.database for name, other in self._runtimes.items()}
        sources = sources_of(consumer.topics, databases)
        reader = LocalReader(consumer, runtime.database, sources, clock=runtime.clock)
        return Worker([reader, *shared_parts(service, runtime)])
