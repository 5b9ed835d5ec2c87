"""One service's face: its routes under `/{name}/v1`, its documents, its health, and the manners that all answers keep."""

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import ClientDisconnect

from common import problems
from common.access import AccessKeys
from common.auth import Authenticator
from common.backlog import Backlog
from common.clock import Clock, utc_now
from common.company import Company
from common.db import Database
from common.direct import Direct
from common.documents import documents_router
from common.health import PATIENCE_SECONDS, Alive, Readiness, Readings, backlog_checks, clock_agrees, database_answers
from common.manners import Manners
from common.openapi import described
from common.overload import Gate, Probe
from common.settings import Settings
from common.telemetry import Metrics

Made = TypeVar("Made")

_EXPOSED = ["ETag", "Retry-After", "X-Correlation-ID", "Location", "Deprecation"]

log = structlog.get_logger()


class ServiceApp(FastAPI):
    """One of the four, whole: the embedded stack dispatches to it by path and enters its lifespan."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = described(self, super().openapi())
        return self.openapi_schema


def create_service(
    *,
    name: str,
    title: str,
    description: str,
    settings: Settings,
    routers: Sequence[APIRouter],
    publishes: Sequence[str] = (),
    consumes: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    state: Mapping[str, Any] | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> ServiceApp:
    """The application of the service `name`. Routers carry their full path (`APIRouter(prefix="/scoring/v1/...")`).

    `state` is set on `app.state` before anything runs, so that the dependencies below find it: `database` (needed, or set
    by the lifespan), `clock`, `company`, and what else the service's own dependencies read. Checks for readiness are added
    with `app.state.readings.add(name, check)`.
    """
    app = ServiceApp(
        title=title,
        description=description,
        version=version("hilo"),
        lifespan=lifespan,
        openapi_url=f"/{name}/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        openapi_tags=[
            {"name": tag, "description": words}
            for tag, words in {**(tags or {}), "operations": "Health and figures."}.items()
        ],
        generate_unique_id_function=_operation_id,
        # without providers these only cost time; traces are switched on by the composition root's instrumentation
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.clock = utc_now
    app.state.metrics = Metrics()
    app.state.readings = Readings()
    app.state.access_keys = AccessKeys(lambda: app.state.database)
    app.state.authenticator = Authenticator(settings, app.state.access_keys.find)
    for key, value in (state or {}).items():
        setattr(app.state, key, value)
    _watch(app, publishes)
    problems.install(app)
    for router in routers:
        app.include_router(router)
    open_routers = [_operations(name)]
    if settings.docs:
        open_routers.append(documents_router(app, name, publishes=publishes, consumes=consumes))
    for router in open_routers:
        app.include_router(router)
    own = {route.path for router in open_routers for route in router.routes if isinstance(route, APIRoute)}
    app.state.open_paths = frozenset(own | {f"/{name}/openapi.json"})
    app.add_middleware(Direct, service=app)
    app.add_middleware(
        Manners,
        service=name,
        max_body_bytes=settings.max_body_bytes,
        metrics=app.state.metrics,
        gate=Gate(
            most_requests=settings.most_requests,
            most_bytes=settings.most_request_bytes,
            longest_wait=settings.longest_wait_seconds,
            metrics=app.state.metrics,
            probe=_database_probe(app),
        ),
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                "Idempotency-Key",
                "X-Correlation-ID",
            ],
            expose_headers=_EXPOSED,
        )
    return app


def _database_probe(app: FastAPI) -> Probe:
    async def probe(within: float) -> bool:
        database: Database | None = getattr(app.state, "database", None)
        return database is None or await database.answers(within)

    return probe


def _watch(app: FastAPI, publishes: Sequence[str]) -> None:
    def database() -> Database | None:
        return getattr(app.state, "database", None)

    settings, readings = app.state.settings, app.state.readings
    relayed = bool(settings.kafka_bootstrap)
    backlog = app.state.backlog = Backlog(database, app.state.clock, relayed, topics=frozenset(publishes))
    readings.add("database", database_answers(database))
    readings.add("clock", clock_agrees(database, app.state.clock))
    for name, check in backlog_checks(backlog, settings, strict=False).items():
        readings.add(name, check)


# --- what routes ask for ----------------------------------------------------------------------------------------------


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def clock_of(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock


def company_of(request: Request) -> Company:
    company: Company = request.app.state.company
    return company


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def metrics_of(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def body_of(request: Request) -> bytes:
    """The body, for a route that reads it itself, without the generators that Starlette puts around it."""
    parts: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def made_once(request: Request, name: str, make: Callable[[], Made]) -> Made:
    """What the application keeps under the name, made when it is first needed."""
    made: Made | None = getattr(request.app.state, name, None)
    if made is None:
        made = make()
        setattr(request.app.state, name, made)
    return made


async def _database(request: Request) -> Database:
    return database_of(request)


async def _clock(request: Request) -> Clock:
    return clock_of(request)


async def _company(request: Request) -> Company:
    return company_of(request)


# FastAPI runs a dependency that is no coroutine in a thread, which costs more than the rest of a small request.
DatabaseOf = Annotated[Database, Depends(_database)]
ClockOf = Annotated[Clock, Depends(_clock)]
CompanyOf = Annotated[Company, Depends(_company)]


def threaded_dependencies(app: FastAPI) -> list[str]:
    """Routes and their dependencies that would run in a thread. A test asserts that there are none."""
    found: set[str] = set()
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            found |= {f"{context.path}: {name}" for name in _threaded(context.dependant)}
    return sorted(found)


def _threaded(dependant: Dependant) -> Iterator[str]:
    call = dependant.call
    if call is not None and not _is_async(call):
        yield getattr(call, "__qualname__", repr(call))
    for each in dependant.dependencies:
        yield from _threaded(each)


def _is_async(call: Any) -> bool:
    called = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


# --- the routes that every service has --------------------------------------------------------------------------------


def _operation_id(route: APIRoute) -> str:
    return route.name


def _operations(name: str) -> APIRouter:
    router = APIRouter(prefix=f"/{name}", tags=["operations"])

    @router.get("/healthz", summary="Is the process alive?")
    async def alive() -> Alive:
        """Answers as long as the process can answer at all; asks nothing of the database or the broker."""
        return Alive(status="ok")

    @router.get(
        "/readyz", summary="Is it ready for work?", responses={503: {"model": Readiness, "description": "Not ready"}}
    )
    async def ready(request: Request, response: Response) -> Readiness:
        """Asks each part: the database, what waits in the outbox, before the consumer, parked, or for its timer.

        503 and `not-ready` while one of them says that no work should come; `degraded`, with 200, where somebody should look.
        """
        readiness: Readiness = await request.app.state.readings.read()
        response.status_code = 503 if readiness.status == "not-ready" else 200
        return readiness

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response, responses={200: _PROMETHEUS})
    async def metrics(request: Request) -> Response:
        """Requests, ingest, outbox age, consumer lag, parked, resume latency, in Prometheus' text format."""
        await _take_figures(request)
        body = await asyncio.to_thread(metrics_of(request).render)
        return Response(body, media_type="text/plain; version=0.0.4")

    return router


async def _take_figures(request: Request) -> None:
    state = request.app.state
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await state.backlog.tell(state.metrics)
    except Exception as error:  # noqa: BLE001 - the figures of this process are wanted most when the database is away
        log.warning("figures_missing", error=type(error).__name__)


_PROMETHEUS = {
    "description": "Prometheus' text format",
    "content": {
        "text/plain": {"schema": {"type": "string"}, "example": 'hilo_parked{code="invalid",kind="touchpoint"} 2.0\n'}
    },
}
