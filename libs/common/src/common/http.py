"""One service's face: its routes under `/{name}/v1`, its documents, its health, and the manners that all answers keep."""

import asyncio
import inspect
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import events, problems
from common.access import AccessKeys
from common.asyncapi import asyncapi, event_schema
from common.auth import Authenticator
from common.clock import Clock, utc_now
from common.company import Company
from common.db import Database
from common.errors import NotFound
from common.health import PATIENCE_SECONDS, Alive, Readiness, Readings, database_answers, outbox_moves, take_figures
from common.openapi import described
from common.settings import Settings
from common.telemetry import Metrics, failure_of

STATIC = Path(__file__).with_name("static")
_SHIPPED = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "docs.js": "text/javascript"}
_CORRELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ANSWER_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    # asks again with its ETag; what was said of a customer is in no shared cache
    (b"cache-control", b"private, no-cache"),
)
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
    _watch(app)
    problems.install(app)
    for router in routers:
        app.include_router(router)
    open_routers = [_operations(name)]
    if settings.docs:
        open_routers.append(_documents(app, name, publishes=publishes, consumes=consumes))
    for router in open_routers:
        app.include_router(router)
    own = {route.path for router in open_routers for route in router.routes if isinstance(route, APIRoute)}
    app.state.open_paths = frozenset(own | {f"/{name}/openapi.json"})
    app.add_middleware(Manners, service=name, max_body_bytes=settings.max_body_bytes, metrics=app.state.metrics)
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


def _watch(app: FastAPI) -> None:
    def database() -> Database | None:
        return getattr(app.state, "database", None)

    readings: Readings = app.state.readings
    readings.add("database", database_answers(database))
    if app.state.settings.kafka_bootstrap:
        readings.add("outbox", outbox_moves(database, app.state.clock))


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
        """Asks each part: the database, the outbox, the consumer. 503 while one of them says that no work should come."""
        readiness: Readiness = await request.app.state.readings.read()
        response.status_code = 200 if readiness.status == "ready" else 503
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
            relayed = bool(state.settings.kafka_bootstrap)
            await take_figures(state.database, state.metrics, state.clock(), relayed=relayed)
    except Exception as error:  # noqa: BLE001 - the figures of this process are wanted most when the database is away
        log.warning("figures_missing", error=type(error).__name__)


_PROMETHEUS = {
    "description": "Prometheus' text format",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": 'hilo_parked{kind="touchpoint"} 0.0\n'}},
}


def _documents(app: FastAPI, name: str, *, publishes: Sequence[str], consumes: Sequence[str]) -> APIRouter:
    router = APIRouter(prefix=f"/{name}", include_in_schema=False)
    schemas = {f"{e.type}.{events.VERSION}.json": e for e in events.registered({*publishes, *consumes})}

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(name, app.title), headers={"Content-Security-Policy": _PAGE_POLICY})

    @router.get("/static/{file}")
    async def static(file: str) -> FileResponse:
        if file not in _SHIPPED:
            raise NotFound
        return FileResponse(STATIC / file, media_type=_SHIPPED[file], headers={"Cache-Control": "public, max-age=3600"})

    @router.get("/asyncapi.json")
    async def events_document() -> JSONResponse:
        return JSONResponse(asyncapi_of(app, name, publishes=publishes, consumes=consumes))

    @router.get("/schemas/{file}")
    async def schema(file: str) -> JSONResponse:
        if file not in schemas:
            raise NotFound
        return JSONResponse(event_schema(schemas[file]), media_type="application/schema+json")

    return router


def asyncapi_of(app: FastAPI, name: str, *, publishes: Sequence[str], consumes: Sequence[str]) -> dict[str, Any]:
    """The AsyncAPI document of an application made by `create_service`."""
    return asyncapi(
        name=name,
        title=f"{app.title}: events",
        description=app.description,
        version=app.version,
        publishes=publishes,
        consumes=consumes,
    )


def _docs_page(name: str, title: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/{name}/static/swagger-ui.css">
<script src="/{name}/static/swagger-ui-bundle.js" defer></script>
<script src="/{name}/static/docs.js" defer></script>
</head>
<body><div id="swagger-ui" data-openapi="/{name}/openapi.json"></div></body>
</html>
"""


# --- the manners of every answer --------------------------------------------------------------------------------------


class Manners:
    """Around every request: correlation id, limit of the body, headers, figures, one line of log, and the last resort."""

    def __init__(self, app: ASGIApp, *, service: str, max_body_bytes: int, metrics: Metrics) -> None:
        self._app = app
        self._service = service
        self._max_body_bytes = max_body_bytes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        events.correlation_id.set(_given(_CORRELATION, headers.get("x-correlation-id")) or str(uuid4()))
        events.traceparent.set(_given(_TRACEPARENT, headers.get("traceparent")))
        answer = _Answer(send)
        started = time.perf_counter()
        try:
            await self._handle(scope, _limited(receive, self._max_body_bytes), answer, headers)
        finally:
            self._tell(scope, answer.status, time.perf_counter() - started)

    async def _handle(self, scope: Scope, receive: Receive, answer: "_Answer", headers: Headers) -> None:
        declared = headers.get("content-length", "")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._max_body_bytes):
            await problems.problem_response(problems.TooLarge())(scope, receive, answer)
            return
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            log.error(  # noqa: TRY400 - a trace would show values
                "request_failed",
                service=self._service,
                method=scope["method"],
                route=_route(scope),
                **failure_of(error),
            )
            if answer.status is not None:
                raise  # half of the answer is out: the server closes the connection, and the client sees that it broke
            await problems.unexpected_response()(scope, receive, answer)

    def _tell(self, scope: Scope, status: int | None, seconds: float) -> None:
        route, method = _route(scope), scope["method"]
        self._metrics.http.labels(method if route else "*", route or "unmatched", str(status or 0)).observe(seconds)
        log.info(
            "request_answered",
            service=self._service,
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            who=scope.get("hilo_who"),
        )


class _Answer:
    """Sends on, with the headers of every answer, and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            own = {name for name, _ in headers}
            headers += [header for header in _ANSWER_HEADERS if header[0] not in own]
            headers.append((b"x-correlation-id", (events.correlation_id.get() or "").encode()))
        await self._send(message)


def _limited(receive: Receive, most: int) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            # the one kind of exception that FastAPI passes on while it reads a body
            raise HTTPException(413)
        return message

    return limited


def _given(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None


def _route(scope: Scope) -> str | None:
    """The route's template; paths hold ids, and their number would have no end."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path
