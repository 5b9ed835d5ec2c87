"""A service as one value: how its API, its consumer and its timers are made; and the commands that run it.

python -m <package> api [--port N] | worker | migrate | republish KIND | replay --topic T | rebuild
"""

import argparse
import asyncio
import gc
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.loops.auto import auto_loop_factory

from common.bus.bell import Bell
from common.bus.delivery import Consumer, ConsumerStopped
from common.bus.history import History, KafkaHistory, Place
from common.bus.kafka import KafkaReader, KafkaRelay, ensure_topics
from common.clock import Clock, utc_now
from common.company import Company
from common.db import Database, tried_again
from common.errors import Refusal
from common.events import registered
from common.migrations import migrate
from common.mishaps import told_in_a_line
from common.partitions import KeptLog
from common.rebuild import NothingToRebuild, Progress, Projections, Tell, rebuild
from common.replay import Replayed, refuse_unfit, replay_range
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
    # What it builds from the events of others, and can build anew.
    projections: Projections | None = None
    # Who builds them, where the consumer does more than that.
    create_builder: Callable[[Runtime], Consumer] | None = None
    # What is done on projections that were built anew, before they answer: what has fallen due meanwhile, for instance.
    finish_rebuild: Callable[[Runtime], Awaitable[None]] | None = None
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
    """The command line of one service. What only an operator can mend is told in a line."""
    arguments = _arguments(service, argv)
    with told_in_a_line():
        _do(service, runtime_of(service), arguments)


def _arguments(service: Service, argv: Sequence[str] | None) -> argparse.Namespace:
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
    again = commands.add_parser("replay", help="give a range of one topic to the consumer once more")
    again.add_argument("--topic", required=True)
    again.add_argument("--from", dest="start", type=Place.parse, help="a moment, or a place such as 3:1200")
    again.add_argument("--until", type=Place.parse, help="a moment, or a place; without it up to the end")
    again.add_argument("--new-database", action="store_true", help=NEW_DATABASE)
    anew = commands.add_parser("rebuild", help="build the projections anew from the log while the old ones answer")
    anew.add_argument("--short-log", action="store_true", help="also where the log has lost its beginning")
    return parser.parse_args(argv)


def _do(service: Service, runtime: Runtime, arguments: argparse.Namespace) -> None:
    configure_logging(runtime.settings.log_level)
    match arguments.command:
        case "api":
            app = service.create_app(runtime)
            runtime.database.on_commit(Bell(runtime.database).ring)
            tune_garbage_collection()
            serve(app, runtime.settings, host=arguments.host, port=arguments.port)
        case "worker":
            with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:  # the loop that serves the API, too
                runner.run(_work(service, runtime, host=arguments.host, port=arguments.port))
        case "migrate":
            asyncio.run(_migrate(service, runtime))
        case "republish":
            asyncio.run(_republish(service, runtime, arguments.kind))
        case "replay":
            asyncio.run(_replay_from_kafka(service, runtime, arguments))
        case "rebuild":
            asyncio.run(_rebuild_from_kafka(service, runtime, short_log=arguments.short_log))


NEW_DATABASE = "also what is older than an inbox remembers: where the database was made anew, and has forgotten nothing"


async def replay_history(
    service: Service, runtime: Runtime, history: History, *, new_database: bool = False
) -> Replayed:
    """Give what `history` holds to the service's consumer once more; what was handled stays handled.

    What is older than its inbox remembers may have been handled, and is left alone unless the database is new.
    """
    told = TellTale()
    consumer = service.create_consumer(runtime)
    return await replay_range(
        history,
        consumer,
        runtime.database,
        clock=runtime.clock,
        known_since=None if new_database else runtime.clock() - timedelta(days=runtime.settings.inbox_retention_days),
        progress=lambda done: told(f"{done.read} read, {done.applied} applied"),
    )


async def rebuild_projections(
    service: Service, runtime: Runtime, history: History, *, tell: Tell, short_log: bool = False
) -> int:
    """Build the service's projections anew from `history`, which stands at its beginning; gives how many events it took."""
    if service.projections is None:
        raise NothingToRebuild(f"{service.name} owns what it knows: its sources tell it anew with `republish`")
    finish, create = service.finish_rebuild, service.create_builder or service.create_consumer
    return await rebuild(
        runtime.database,
        service.package,
        service.projections,
        history,
        lambda database, clock: create(replace(runtime, database=database, clock=clock)),
        clock=runtime.clock,
        finish=None if finish is None else lambda shadow: finish(replace(runtime, database=shadow)),
        tell=tell,
        short_log=short_log,
    )


class Server(uvicorn.Server):
    """Ends so that nobody's request is cut off: each answer now ends its connection, and idle ones may still ask for a moment.

    uvicorn closes idle connections at once, and with them those on which a request has just come.
    """

    lingers = 0.5  # seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        until = time.monotonic() + self.lingers
        while self.server_state.connections and time.monotonic() < until and not self.force_exit:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def serve(
    app: FastAPI | Callable[..., Awaitable[None]], settings: Settings, *, host: str | None, port: int | None
) -> None:
    """Serve an application until SIGTERM or Ctrl-C; requests under way are finished first, for ten seconds at most."""
    server = Server(
        uvicorn.Config(
            app,
            host=host or settings.host,
            port=settings.port if port is None else port,
            lifespan="on",  # with "auto" a failed start is swallowed, and every request answered 500
            timeout_graceful_shutdown=10,
            access_log=False,
            log_config=None,
            server_header=False,
        )
    )
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(3)  # as uvicorn's own run does


def tune_garbage_collection() -> None:
    """What the start made stays for ever: keep it out of every later collection, which decides the p99 of big batches."""
    gc.freeze()  # as it is: hardly any of it is garbage, and to look for that takes a quarter of a second
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


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
    count = await tried_again(partial(service.republish[kind], runtime))
    await runtime.database.dispose()
    sys.stdout.write(f"{count} events of {kind}\n")


async def _replay_from_kafka(service: Service, runtime: Runtime, asked: argparse.Namespace) -> None:
    try:
        refuse_unfit(asked.topic, service.create_consumer(runtime))
        async with KafkaHistory(_bootstrap(runtime), [asked.topic], start=asked.start, until=asked.until) as history:
            done = await replay_history(service, runtime, history, new_database=asked.new_database)
    except (Refusal, ConsumerStopped) as refusal:
        raise SystemExit(str(refusal)) from refusal
    finally:
        await runtime.database.dispose()
    sys.stdout.write(f"{done}\n")


async def _rebuild_from_kafka(service: Service, runtime: Runtime, *, short_log: bool) -> None:
    try:
        async with KafkaHistory(_bootstrap(runtime), service.create_consumer(runtime).topics) as history:
            told = TellTale()
            count = await rebuild_projections(service, runtime, history, tell=told.progress, short_log=short_log)
        for republish in service.republish.values():  # so that those who listen agree
            await tried_again(partial(republish, runtime))
    except (Refusal, ConsumerStopped) as refusal:
        raise SystemExit(str(refusal)) from refusal
    finally:
        await runtime.database.dispose()
    sys.stdout.write(f"rebuilt from {count} events\n")


class TellTale:
    """Says how far something is, on one line of a terminal or on one line a second of a log."""

    def __init__(self) -> None:
        self._said = 0.0

    def __call__(self, words: str) -> None:
        if time.monotonic() - self._said < 1.0:
            return
        self._said = time.monotonic()
        end = "\r" if sys.stderr.isatty() else "\n"
        sys.stderr.write(f"{words}{end}")
        sys.stderr.flush()

    def progress(self, done: Progress) -> None:
        whole = max(1, done.handled + done.remaining)
        full = round(20 * done.handled / whole)
        self(f"[{'#' * full}{'.' * (20 - full)}] {done.words}: {done.handled} handled, {done.remaining} behind   ")


def _bootstrap(runtime: Runtime) -> str:
    if runtime.settings.kafka_bootstrap is None:
        raise SystemExit("HILO_KAFKA_BOOTSTRAP names no broker; without one, run the embedded stack: hilo run")
    return runtime.settings.kafka_bootstrap
