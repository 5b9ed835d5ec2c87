"""Whether a service is alive, and whether it is ready to be sent work."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select, text

from common.backlog import Backlog, Behind, Figures
from common.clock import Clock
from common.db import Database, UtcDateTime, outbox_table
from common.settings import Settings

# Gives words on the state of a part; raises when the service should get no work because of it.
Check = Callable[[], Awaitable[str]]
PATIENCE_SECONDS = 2.0
SOON_SECONDS = 5.0
CLOCK_TOLERANCE_SECONDS = 60.0
_SERVER_CLOCK = select(func.clock_timestamp(type_=UtcDateTime))
# Of many, since what is noted with a clock that is behind comes last.
_LAST = select(outbox_table.c.at).order_by(outbox_table.c.seq.desc()).limit(1_000).subquery()
_LAST_NOTED = select(func.max(_LAST.c.at))
State = Literal["ready", "degraded", "not-ready"]
_WORSE: tuple[State, ...] = ("ready", "degraded", "not-ready")
VERSION = version("hilo")

log = structlog.get_logger()


class NotReady(Exception):  # noqa: N818 - a verdict of a check
    """The part works but the service should get no work yet; the message says why, in codes and numbers only."""


class Degraded(Exception):  # noqa: N818 - a verdict of a check
    """Work may be sent, but somebody should look; the message says why, in codes and numbers only."""


class Alive(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    """`checks` says of each part `ok`, figures, or why not; `concerns` names the parts because of which it is not `ready`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"status": "ready", "version": "0.3.0", "checks": {"database": "ok"}, "concerns": []}
        }
    )

    status: State
    version: str
    checks: dict[str, str]
    concerns: list[str]


class Readings:
    """The checks of one service, asked all at once, each with a limit of time."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    async def read(self) -> Readiness:
        verdicts = await asyncio.gather(*(_verdict(name, check) for name, check in self._checks.items()))
        states = [state for state, _ in verdicts]
        return Readiness(
            status=max(states, key=_WORSE.index, default="ready"),
            version=VERSION,
            checks={name: words for name, (_, words) in zip(self._checks, verdicts, strict=True)},
            concerns=[name for name, state in zip(self._checks, states, strict=True) if state != "ready"],
        )


async def _verdict(name: str, check: Check) -> tuple[State, str]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return "ready", await check()
    except Degraded as verdict:
        return "degraded", str(verdict)
    except NotReady as verdict:
        return "not-ready", str(verdict)
    except TimeoutError:
        return "not-ready", "no answer in time"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, the answer is "not ready"
        log.warning("check_failed", check=name, error=type(error).__name__)
        return "not-ready", type(error).__name__


def database_answers(database: Callable[[], Database | None]) -> Check:
    """A check that asks the database the smallest question, and whether it took what was last written."""

    async def check() -> str:
        connected = _connected(database)
        async with connected.session(reading=True) as session:
            await session.execute(text("SELECT 1"))
        if connected.takes_no_writes is not None:
            raise NotReady(f"takes no writes: {connected.takes_no_writes}")
        return "ok"

    return check


def clock_agrees(database: Callable[[], Database | None], clock: Clock) -> Check:
    """A check of our clock: against the server's, or where the database is a file against the latest moment that was noted there."""
    latest: datetime | None = None  # as far as this process has seen

    async def check() -> str:
        nonlocal latest
        connected = _connected(database)
        if connected.dialect == "sqlite":
            async with connected.session(reading=True) as session:
                latest = max(filter(None, (await session.scalar(_LAST_NOTED), latest)), default=None)
            # that something was long ago is no fault of the clock's
            ahead = min(0.0, (clock() - latest).total_seconds()) if latest else 0.0
        else:
            ahead = await seconds_ahead(connected, clock)
        if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
            raise Degraded(f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's")
        return "ok"

    return check


async def seconds_ahead(database: Database, clock: Clock) -> float:
    """How far our clock is ahead of the server's, negative where it is behind; 0 where the database is a file, which has none."""
    if database.dialect == "sqlite":
        return 0.0
    async with database.session(reading=True) as session:
        theirs: datetime = (await session.execute(_SERVER_CLOCK)).scalar_one()
    return (clock() - theirs).total_seconds()


def backlog_checks(backlog: Backlog, settings: Settings, *, strict: bool) -> dict[str, Check]:
    """What waits, in words. `strict`: this process is to see to it, so it is degraded when something waits for too long.

    Never a reason to get no work: what waits is kept, and an API answers all the same.
    """

    def of(words: Callable[[Figures], tuple[str, bool]]) -> Check:
        async def check() -> str:
            said, late = words(await backlog.read())
            if strict and late:
                raise Degraded(said)
            return said

        return check

    checks = {
        "parked": of(lambda found: _parked_words(found, settings.parked_many)),
        "timers": of(lambda found: _timer_words(found, settings.timers_late_seconds)),
    }
    if backlog.relayed or backlog.readers:
        checks["outbox"] = of(lambda found: _behind_words(found.outbox, settings.outbox_late_seconds))
    if backlog.consumers:
        checks["lag"] = of(lambda found: _lag_words(found, settings.lag_late_seconds))
    return checks


def consumer_goes_on(parts: Callable[[], Iterable[object]], *, needed: bool) -> Check:
    """Says when a part of a worker has stopped itself or waits, and why. `needed`: without a consumer it is not ready."""

    async def check() -> str:
        stopped = [str(reason) for part in parts() if (reason := getattr(part, "stopped", None))]
        if stopped and needed:
            raise NotReady("; ".join(stopped))
        troubles = [str(trouble) for part in parts() if (trouble := getattr(part, "trouble", None))]
        if stopped or troubles:
            raise Degraded("; ".join([*stopped, *(f"waits: {trouble}" for trouble in troubles)]))
        return "ok"

    return check


def worker_goes_on(failed: Callable[[], str | None]) -> Check:
    """Says when the worker beside an API has ended, and why. What is posted is taken all the same: its events wait in the outbox."""

    async def check() -> str:
        if (why := failed()) is not None:
            raise Degraded(f"ended: {why}")
        return "ok"

    return check


def _behind_words(behind: Sequence[Behind], late: float) -> tuple[str, bool]:
    events, seconds = sum(each.events for each in behind), max((each.seconds for each in behind), default=0.0)
    if not events:
        return "ok", False
    readers = ", ".join(sorted({each.reader for each in behind if each.events}))
    return f"{events} events before {readers}, the oldest for {seconds:.0f} s", seconds > late


def _lag_words(found: Figures, late: float) -> tuple[str, bool]:
    if found.lag_unknown is not None:
        return f"not known: {found.lag_unknown}", True
    return _behind_words(found.lag, late)


def _parked_words(found: Figures, many: int) -> tuple[str, bool]:
    if not found.parked:
        return "ok", False
    words = ", ".join(f"{count} {kind}/{code}" for (kind, code), count in sorted(found.parked.items()))
    return words, sum(found.parked.values()) >= many


def _timer_words(found: Figures, late: float) -> tuple[str, bool]:
    # one that is due is fired within a second: only what lasts is worth a word
    if found.timers_seconds < SOON_SECONDS:
        return "ok", False
    return f"{found.timers} overdue, the oldest for {found.timers_seconds:.0f} s", found.timers_seconds > late


def _connected(database: Callable[[], Database | None]) -> Database:
    connected = database()
    if connected is None:
        raise NotReady("not connected yet")
    return connected
