"""The manners that every answer keeps: correlation id, limit of the body, headers, figures, one line of log, the last resort."""

import asyncio
import re
import time

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4

from common import events, problems
from common.errors import Unavailable
from common.overload import Gate, Overloaded, Passage
from common.telemetry import Metrics, failure_of

_CORRELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_READ = frozenset({b"x-correlation-id", b"traceparent", b"content-length"})
_ANSWER_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    # asks again with its ETag; what was said of a customer is in no shared cache
    (b"cache-control", b"private, no-cache"),
)

REFUSAL_HELD = 0.25  # seconds

log = structlog.get_logger()


class Manners:
    """Around every request: correlation id, limit of the body, headers, figures, one line of log, and the last resort."""

    def __init__(self, app: ASGIApp, *, service: str, max_body_bytes: int, metrics: Metrics, gate: Gate) -> None:
        self._app = app
        self._service = service
        self._max_body_bytes = max_body_bytes
        self._metrics = metrics
        self._gate = gate
        # who asks how we are must hear it, most of all when there is too much to do
        self._always = frozenset(f"/{service}/{name}" for name in ("healthz", "readyz", "metrics"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = _told(scope)
        correlation = _given(_CORRELATION, told.get(b"x-correlation-id")) or str(uuid4())
        events.correlation_id.set(correlation)
        events.traceparent.set(_given(_TRACEPARENT, told.get(b"traceparent")))
        answer = _Answer(send, correlation)
        started = time.perf_counter()
        try:
            await self._handle(scope, receive, answer, told.get(b"content-length", ""))
        finally:
            self._tell(scope, answer.status, time.perf_counter() - started)

    async def _handle(self, scope: Scope, receive: Receive, answer: "_Answer", declared: str) -> None:
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._max_body_bytes):
            await problems.problem_response(problems.TooLarge())(scope, receive, answer)
            return
        try:
            await self._let_in(scope, receive, answer, int(declared) if declared.isdigit() else 0)
        except Exception as error:
            if isinstance(error, Unavailable) and answer.status is None:
                if isinstance(error, Overloaded):  # whoever comes back at once would keep us busy with refusing
                    await asyncio.sleep(REFUSAL_HELD)
                await problems.problem_response(error)(scope, receive, answer)
                return
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

    async def _let_in(self, scope: Scope, receive: Receive, answer: "_Answer", declared: int) -> None:
        if scope["path"] in self._always:
            await self._app(scope, receive, answer)
            return
        async with self._gate.admit(declared) as passage:
            await self._app(scope, _limited(receive, self._max_body_bytes, passage), answer)

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

    def __init__(self, send: Send, correlation: str) -> None:
        self._send = send
        self._last = (b"x-correlation-id", correlation.encode())
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            own = {name for name, _ in headers}
            ours = [header for header in _ANSWER_HEADERS if header[0] not in own]
            message["headers"] = [*headers, *ours, self._last]
        await self._send(message)


def _limited(receive: Receive, most: int, passage: Passage) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        # an HTTPException is the one kind of exception that FastAPI passes on while it reads a body
        if taken > most:
            raise HTTPException(413)
        if taken > passage.size:
            try:
                passage.grow(taken - passage.size)
            except Overloaded as refusal:
                raise HTTPException(503, headers={"Retry-After": str(refusal.retry_after)}) from refusal
        return message

    return limited


def _told(scope: Scope) -> dict[bytes, str]:
    """What is read here of the request's headers; of one that is given twice the first."""
    told: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            told.setdefault(name, value.decode("latin-1"))
    return told


def _given(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None


def _route(scope: Scope) -> str | None:
    """The route's template; paths hold ids, and their number would have no end."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path
