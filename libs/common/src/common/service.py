"""A service as one value: how its API, its consumer and its timers are made; and the commands that run it.

python -m <package> api [--port N] | worker | migrate | republish KIND
"""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
import uvicorn
from fastapi import FastAPI

from common.bus.delivery import Consumer
from common.bus.kafka import KafkaReader, KafkaRelay, ensure_topics
from common.clock import Clock, utc_now
from common.company import Company
from common.db import Database
from common.events import registered
from common.migrations import migrate
from common.partitions import KeptLog
from common.settings import Settings
from common.telemetry import configure_logging
from common.worker import Retention, Runs, TimerLoop, Worker
from common.worker_http import door_of, worker_app

log = structlog.get_logger()

CHANNELS_TOPIC = "channels.touchpoints.v1"


@dataclass(frozen=True)
class Runtime:
    """What a running service is made of. Tests make one with their own clock and database."""

    settings: Settings
    database: Database
    company: Company
    clock: Clock = utc_now


@dataclass(frozen=True)
class Service:
    """Everything that the distributed and the embedded stack need to know of a service."""

    name: str  # as in its paths and topics
    package: str
    settings: Callable[[], Settings]
    create_app: Callable[[Runtime], FastAPI]
    create_consumer: Callable[[Runtime], Consumer]
    create_timers: Callable[[Runtime], TimerLoop]
    # What the service can tell anew: kind -> a function that gives how many events it wrote.
    republish: Mapping[str, Callable[[Runtime], Awaitable[int]]] = field(default_factory=dict)
    # Work that is wanted once at each start, after the migration: shipped defaults, for instance.
    prepare: Callable[[Runtime], Awaitable[None]] | None = None
    # Its tables that are kept in partitions beside outbox and inbox, and how long each is kept.
    logs: Callable[[Runtime], Sequence[KeptLog]] | None = None


def runtime_of(service: Service) -> Runtime:
    """The runtime that the environment describes."""
    settings = service.settings()
    return Runtime(settings, Database.connect(settings.database_url), Company.load(settings.company_file))


async def make_ready(service: Service, runtime: Runtime) -> None:
    """Migrate, and load what is shipped. Safe at every start."""
    await migrate(runtime.database, service.package)
    if service.prepare is not None:
        await service.prepare(runtime)


def shared_parts(service: Service, runtime: Runtime) -> list[Runs]:
    """The parts of a worker that are the same on both stacks."""
    settings = runtime.settings
    return [
        service.create_timers(runtime),
        Retention(
            runtime.database,
            clock=runtime.clock,
            outbox_days=settings.outbox_retention_days,
            inbox_days=settings.inbox_retention_days,
            logs=() if service.logs is None else service.logs(runtime),
        ),
    ]


def kafka_worker(service: Service, runtime: Runtime) -> Worker:
    """Relay, reader and timers of one service on Kafka."""
    bootstrap = _bootstrap(runtime)
    consumer = service.create_consumer(runtime)
    relay = KafkaRelay(runtime.database, bootstrap, clock=runtime.clock)
    reader = KafkaReader(consumer, runtime.database, bootstrap, clock=runtime.clock)
    return Worker([relay, reader, *shared_parts(service, runtime)])


def all_topics() -> list[str]:
    """Every topic of the system: those of the contracts, and the one into which channel systems produce."""
    from common.contracts import identity, interactions, scoring, service_audit  # noqa: F401, PLC0415

    return sorted({cls.topic for cls in registered()} | {CHANNELS_TOPIC})


def run(service: Service, argv: Sequence[str] | None = None) -> None:
    """The command line of one service."""
    parser = argparse.ArgumentParser(prog=f"python -m {service.package}", description=f"The service {service.name}.")
    commands = parser.add_subparsers(dest="command", required=True)
    api = commands.add_parser("api", help="serve HTTP")
    api.add_argument("--host")
    api.add_argument("--port", type=int)
    work = commands.add_parser("worker", help="ship the outbox, consume, wake timers")
    work.add_argument("--host")
    work.add_argument("--port", type=int, help="serve the worker's health and figures there")
    commands.add_parser("migrate", help="bring the database to the newest version")
    republish = commands.add_parser("republish", help="tell current state anew, as events")
    republish.add_argument("kind", choices=sorted(service.republish) or ["nothing"])
    arguments = parser.parse_args(argv)
    runtime = runtime_of(service)
    configure_logging(runtime.settings.log_level)
    match arguments.command:
        case "api":
            serve(service.create_app(runtime), runtime.settings, host=arguments.host, port=arguments.port)
        case "worker":
            asyncio.run(_work(service, runtime, host=arguments.host, port=arguments.port))
        case "migrate":
            asyncio.run(_migrate(service, runtime))
        case "republish":
            asyncio.run(_republish(service, runtime, arguments.kind))


def serve(
    app: FastAPI | Callable[..., Awaitable[None]], settings: Settings, *, host: str | None, port: int | None
) -> None:
    """Serve an application until SIGTERM or Ctrl-C; requests under way are finished first, for ten seconds at most."""
    uvicorn.run(
        app,
        host=host or settings.host,
        port=settings.port if port is None else port,
        lifespan="on",  # with "auto" a failed start is swallowed, and every request answered 500
        timeout_graceful_shutdown=10,
        access_log=False,
        log_config=None,
        server_header=False,
    )


def tune_garbage_collection() -> None:
    """What the start made stays for ever: keep it out of every later collection, which decides the p99 of big batches."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@asynccontextmanager
async def stopping() -> AsyncIterator[asyncio.Event]:
    """An event that is set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _work(service: Service, runtime: Runtime, *, host: str | None, port: int | None) -> None:
    settings = runtime.settings
    await ensure_topics(_bootstrap(runtime), all_topics(), partitions=settings.kafka_partitions)
    worker = kafka_worker(service, runtime)
    state = {"database": runtime.database, "clock": runtime.clock, "company": runtime.company}
    door = (
        None
        if port is None
        else door_of(worker_app(service.name, settings, worker, state), host=host or settings.host, port=port)
    )
    tune_garbage_collection()
    log.info("worker_started", service=service.name)
    try:
        async with stopping() as stop, asyncio.TaskGroup() as group:
            if door is not None:
                group.create_task(door.run_beside(stop))
            group.create_task(_until_stopped(worker, stop))
    finally:
        await runtime.database.dispose()
    if worker.stopped:
        sys.exit("; ".join(worker.stopped))
    log.info("worker_stopped", service=service.name)


async def _until_stopped(worker: Worker, stop: asyncio.Event) -> None:
    """A worker whose consumer stopped itself goes on shipping and waking, and says so at its door."""
    try:
        await worker.run(stop)
    finally:
        stop.set()


async def _migrate(service: Service, runtime: Runtime) -> None:
    await make_ready(service, runtime)
    await runtime.database.dispose()


async def _republish(service: Service, runtime: Runtime, kind: str) -> None:
    count = await service.republish[kind](runtime)
    await runtime.database.dispose()
    sys.stdout.write(f"{count} events of {kind}\n")


def _bootstrap(runtime: Runtime) -> str:
    if runtime.settings.kafka_bootstrap is None:
        raise SystemExit("HILO_KAFKA_BOOTSTRAP names no broker; without one, run the embedded stack: hilo run")
    return runtime.settings.kafka_bootstrap
