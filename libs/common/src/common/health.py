"""Whether a service is alive, and whether it is ready to be sent work."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select, text

from common.clock import Clock
from common.db import Database, parked_table
from common.outbox import oldest_unread
from common.telemetry import Metrics

# Gives words on the state of a part; raises when the service should get no work because of it.
Check = Callable[[], Awaitable[str]]
PATIENCE_SECONDS = 2.0
RELAY = "relay"  # the name of the Kafka relay's cursor

log = structlog.get_logger()


class NotReady(Exception):  # noqa: N818 - a verdict of a check
    """The part works but the service should get no work yet; the message says why, in codes and numbers only."""


class Alive(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    """`checks` says of each part `ok`, figures, or why not."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ready", "checks": {"database": "ok"}}})

    status: Literal["ready", "not-ready"]
    checks: dict[str, str]


class Readings:
    """The checks of one service, asked all at once, each with a limit of time."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    async def read(self) -> Readiness:
        verdicts = await asyncio.gather(*(_verdict(name, check) for name, check in self._checks.items()))
        checks = {name: words for name, (_, words) in zip(self._checks, verdicts, strict=True)}
        return Readiness(status="ready" if all(ok for ok, _ in verdicts) else "not-ready", checks=checks)


async def _verdict(name: str, check: Check) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return True, await check()
    except NotReady as verdict:
        return False, str(verdict)
    except TimeoutError:
        return False, "no answer in time"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, the answer is "not ready"
        log.warning("check_failed", check=name, error=type(error).__name__)
        return False, type(error).__name__


def database_answers(database: Callable[[], Database | None]) -> Check:
    """A check that asks the database the smallest question."""

    async def check() -> str:
        async with _connected(database).session(reading=True) as session:
            await session.execute(text("SELECT 1"))
        return "ok"

    return check


def outbox_moves(database: Callable[[], Database | None], clock: Clock) -> Check:
    """Says how old the oldest unpublished event is. Never a reason to get no work: the outbox keeps it until the broker is back."""

    async def check() -> str:
        age = await outbox_age(_connected(database), clock())
        return "ok" if age == 0 else f"oldest unpublished event: {age:.0f} s"

    return check


async def outbox_age(database: Database, now: datetime) -> float:
    """Seconds since the oldest event was written that the relay has not published; 0 when all are."""
    async with database.session(reading=True) as session:
        since = await oldest_unread(session, RELAY)
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


async def take_figures(database: Database, metrics: Metrics, now: datetime, *, relayed: bool) -> None:
    """Set the gauges that are read from the database when Prometheus asks. `relayed`: a Kafka relay reads the outbox."""
    if relayed:
        metrics.outbox_age.labels(RELAY).set(await outbox_age(database, now))
    t = parked_table
    query = select(t.c.kind, func.count()).where(t.c.state == "parked").group_by(t.c.kind)
    async with database.session(reading=True) as session:
        found = {row[0]: row[1] for row in await session.execute(query)}
    for kind in ("touchpoint", "event"):
        metrics.parked.labels(kind).set(found.get(kind, 0))


def _connected(database: Callable[[], Database | None]) -> Database:
    connected = database()
    if connected is None:
        raise NotReady("not connected yet")
    return connected
