"""What the system tells of itself: one line of JSON a fact, and numbers for Prometheus; never a secret, never a content."""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TextIO, cast

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from structlog.types import EventDict, Processor

from common.events import correlation_id

_SECRET_NAME = re.compile(
    r"secret|password|passwd|authorization|credential|cookie|(^|_)token$|api_key|database_url", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"hilo_[0-9a-z]+_[0-9a-f]{16,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")
_HIDDEN = "***"

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _CurrentStderr:
    """Whatever stderr is at the moment of writing: loggers live longer than a stream that was put in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR = cast("TextIO", _CurrentStderr())


class Metrics:
    """The numbers of one service in one process. Labels take codes only, never an id or a name."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        space, mine = "hilo", self.registry
        # every answered request, by route template
        self.http = Histogram(
            "http_request_seconds", "Time to answer", ("method", "route", "status"), space, registry=mine, buckets=_FAST
        )
        # requests that are being worked on, and those that were refused at the door: requests, bytes (too many at once), wait (too slow)
        self.in_flight = Gauge("requests_in_flight", "Requests being worked on", (), space, registry=mine)
        self.shed = Counter("requests_shed", "Requests refused at the door", ("reason",), space, registry=mine)
        # touchpoints by fate (recorded, duplicate, refused) and way in (http, kafka)
        self.ingested = Counter("touchpoints", "Touchpoints taken in", ("outcome", "via"), space, registry=mine)
        # age of the oldest event that a reader of the outbox has not passed on
        self.outbox_age = Gauge(
            "outbox_age_seconds", "Age of the oldest event not passed on", ("reader",), space, registry=mine
        )
        self.outbox_waiting = Gauge("outbox_waiting_events", "Events not passed on", ("reader",), space, registry=mine)
        # how far a consumer is behind
        self.consumer_lag = Gauge(
            "consumer_lag_events", "Events not yet handled", ("consumer", "topic"), space, registry=mine
        )
        self.consumer_lag_seconds = Gauge(
            "consumer_lag_seconds",
            "Age of the oldest event not yet handled",
            ("consumer", "topic"),
            space,
            registry=mine,
        )
        # timers that are due and were not fired: a worker that does not run, or handlers that fail
        self.timers_overdue = Gauge("timers_overdue", "Timers that are due", (), space, registry=mine)
        self.timers_overdue_seconds = Gauge(
            "timers_overdue_seconds", "Since the oldest of them was due", (), space, registry=mine
        )
        # events by fate (handled, known, parked, retried)
        self.consumed = Counter("events", "Events consumed", ("consumer", "outcome"), space, registry=mine)
        # what waits for a person
        self.parked = Gauge("parked", "Parked touchpoints and events", ("kind", "code"), space, registry=mine)
        self.resume = Histogram("resume_seconds", "Time to compose a resume", (), space, registry=mine, buckets=_FAST)

    def render(self) -> bytes:
        """Prometheus' text format. Takes tens of milliseconds with many routes: call it in a thread."""
        return generate_latest(self.registry)


def configure_logging(level: str = "info") -> None:
    """One JSON object a line on stderr, from our loggers and from the libraries'. Called once by a composition root."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _add_correlation,
        _add_frames,
        scrub,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_line)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(_STDERR),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_STDERR)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_line),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def scrub(_: Any, __: str, event: EventDict) -> EventDict:
    """A processor: values under telling names, and whatever looks like a key, a token or a password in an address, go."""
    return _scrubbed(event)


def _scrubbed(fields: MutableMapping[str, Any]) -> dict[str, Any]:
    return {name: _HIDDEN if _names_a_secret(name) else _clean(value) for name, value in fields.items()}


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        # the expression is tried at every character of every value of every line; these three are found at once
        looks_odd = "hilo_" in value or "eyJ" in value or "@" in value
        return _SECRET_VALUE.sub(_HIDDEN, value) if looks_odd else value
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return _scrubbed(dict(value))
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value


def _add_correlation(_: Any, __: str, event: EventDict) -> EventDict:
    if (correlation := correlation_id.get()) is not None:
        event.setdefault("correlation_id", correlation)
    return event


def failure_of(error: BaseException) -> dict[str, Any]:
    """An exception as its type and where it happened. Its message is left out: a database's repeats the values of the row."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return {"error": type(error).__name__, "frames": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]}


def _add_frames(_: Any, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    return {**event, **failure_of(error)} if isinstance(error, BaseException) else event


def _line(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
