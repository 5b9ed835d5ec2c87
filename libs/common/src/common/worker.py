"""The work of a service beside its API: ship the outbox, consume the others' events, wake the timers, keep the log short."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from common.bus.waiting import nap
from common.clock import Clock
from common.db import Database, is_transient
from common.errors import Transient
from common.health import seconds_ahead
from common.idempotency import forget_before
from common.outbox import drop_before, still_to_read
from common.partitions import INBOX, OUTBOX, KeptLog, Partitioned, attach, drop, forget_oldest, passed, wanted
from common.timers import Timer, next_due
from common.uow import UnitOfWork

log = structlog.get_logger()

# Called inside one transaction with the due timers of one name; it must not commit.
TimerHandler = Callable[[Sequence[Timer], Any], Awaitable[None]]
LONGEST_NAP = 0.25  # seconds until a timer is seen that another process has set, by one look into an index
SHORTEST_NAP = 0.01  # while another worker wakes what is due
AFTER_FAILURE = 1.0
RETRY_AFTER = timedelta(minutes=5)
RETENTION_ROUND = 3600.0
CLOCK_OFF = 3600.0  # seconds
IDEMPOTENCY_KEPT = timedelta(days=2)
BETWEEN_CHUNKS = 0.02
TIMERS_AT_ONCE = 100
T = TypeVar("T")


class Runs(Protocol):
    """Something that works until told to stop: a relay, a reader, the timers."""

    async def run(self, stop: asyncio.Event) -> None: ...


class TimerLoop:
    """Hands the timers that are due to the handler of their name, and takes them away in one transaction with its effects.

    They are read first and taken away last: a row locked before the handler takes its locks would wait crosswise with a
    consumer that sets the same timer under them.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, TimerHandler],
        *,
        unit_of_work: Callable[[], UnitOfWork],
        clock: Clock,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                pause = await self._until_next()
                if pause > 0 or not await self._wake():
                    await nap(stop, max(pause, SHORTEST_NAP))
            except Exception as error:
                if not isinstance(error, Transient) and not is_transient(error):
                    raise
                log.warning("timers_wait", reason=type(error).__name__)
                await nap(stop, AFTER_FAILURE)

    async def fire(self) -> int:
        """Wake what is due now; gives how many timers had their effect."""
        return 0 if await self._until_next() > 0 else await self._wake()

    async def _wake(self) -> int:
        try:
            return await self._fire(TIMERS_AT_ONCE)
        except Exception as error:
            if is_transient(error):
                raise
            log.exception("timers_failed")
            return await self._one_by_one()

    async def drain(self) -> int:
        """Wake until nothing is due. For tests and catch-up."""
        total = 0
        while fired := await self.fire():
            total += fired
        return total

    async def _until_next(self) -> float:
        """Seconds until the next timer is due, as long as a nap may be; 0 where one is due."""
        async with UnitOfWork(self._database, reading=True) as uow:
            due_at = await next_due(uow.session)
        if due_at is None:
            return LONGEST_NAP
        return min(LONGEST_NAP, max(0.0, (due_at - self._clock()).total_seconds()))

    async def _fire(self, limit: int) -> int:
        """Of one name, that of the timer that is due first: two handlers in one transaction would take their locks crosswise with others."""
        async with self._unit_of_work() as uow:
            if not await uow.timers.alone():
                return 0
            due = await uow.timers.due(now=self._clock(), limit=limit)
            mine = [timer for timer in due if timer.name == due[0].name]
            if mine:
                await self._handle(mine[0].name, mine, uow)
            await uow.timers.done(mine)
            await uow.commit()
        return len(mine)

    async def _handle(self, name: str, mine: Sequence[Timer], uow: Any) -> None:
        handler = self._handlers.get(name)
        if handler is None:  # of a version after this one, whose worker is to find it: never taken away
            log.error("timer_without_handler", timer=name)
            await uow.timers.set_all([replace(timer, due_at=self._clock() + RETRY_AFTER) for timer in mine])
        else:
            await handler(mine, uow)

    async def _one_by_one(self) -> int:
        """One timer's handler fails: the others go on, and that one is due again later, never lost."""
        fired = 0
        for _ in range(TIMERS_AT_ONCE):
            if await self._until_next() > 0:
                break
            try:
                fired += await self._fire(1)
            except Exception as error:
                if is_transient(error):
                    raise
                await self._postpone_first()
        return fired

    async def _postpone_first(self) -> None:
        async with UnitOfWork(self._database) as uow:
            for timer in await uow.timers.due(now=self._clock(), limit=1):
                await uow.timers.set(timer.name, timer.key, self._clock() + RETRY_AFTER, timer.payload)
                log.error("timer_postponed", timer=timer.name)
            await uow.commit()


class Retention:
    """Drops what is kept for a time only: outbox entries (never past a cursor), claims of the inbox, answers to repeated POSTs.

    On PostgreSQL whole partitions go, and the next ones are made; whichever worker comes first does it. Row by row goes only
    what a partition would hold back for long. `logs` are the service's own partitioned tables, each with how long it is kept.
    """

    def __init__(
        self, database: Database, *, clock: Clock, outbox_days: int, inbox_days: int, logs: Sequence[KeptLog] = ()
    ) -> None:
        self._database = database
        self._clock = clock
        self._outbox_days = timedelta(days=outbox_days)
        self._inbox_days = timedelta(days=inbox_days)
        self._logs = list(logs)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                # years would be dropped by a clock that is years ahead
                if abs(ahead := await seconds_ahead(self._database, self._clock)) > CLOCK_OFF:
                    log.error("retention_waits", reason="clock", seconds_ahead=round(ahead))
                else:
                    await self.shorten()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("retention_waits", reason=type(error).__name__)
            await nap(stop, RETENTION_ROUND)

    async def shorten(self) -> None:
        now = self._clock()
        kept: list[KeptLog] = [(OUTBOX, self._outbox_days), (INBOX, self._inbox_days), *self._logs]
        for plan, age in kept:
            await self._tend(plan, now, None if age is None else now - age)
        await self._shorten_rows(now)

    async def _tend(self, plan: Partitioned, now: datetime, before: datetime | None) -> None:
        """The partitions of one table: those made that will be needed, those dropped that nobody needs."""
        made = [each for each in await self._step(wanted, plan, now) or () if await self._step(attach, plan, *each)]
        unread = "false"
        if plan is OUTBOX:
            async with UnitOfWork(self._database, reading=True) as uow:
                unread = await still_to_read(uow.session)
        over = () if before is None else await self._step(partial(passed, unread=unread), plan, before) or ()
        dropped = [one.name for one in over if await self._step(partial(drop, unread=unread), plan, one)]
        if made or dropped:
            log.info("partitions", table=plan.table, made=len(made), dropped=dropped)

    async def _step(self, step: Callable[..., T], *given: Any) -> T | None:
        """One short transaction. Where a lock is not to be had at once, it is left for the next round."""
        if self._database.dialect == "sqlite":
            return None
        try:
            async with self._database.engine.begin() as connection:
                return await connection.run_sync(step, *given)
        except DBAPIError as error:
            if not is_transient(error):
                raise
            log.warning("partition_waits", step=getattr(step, "__name__", "drop"), table=given[0].table)
            return None

    async def _shorten_rows(self, now: datetime) -> None:
        # Of a partition that is still written, rows go by themselves only when they are older than it could be.
        late = timedelta(0) if self._database.dialect == "sqlite" else timedelta(days=1)
        week = 8 * late
        await self._in_chunks(lambda uow: drop_before(uow.session, now - self._outbox_days - late))
        await self._in_chunks(lambda uow: uow.inbox.forget_before(now - self._inbox_days - week))
        for plan, age in self._logs:
            if age is not None and self._database.dialect == "sqlite":
                await self._in_chunks(partial(_forget_log, plan, now - age))
        async with UnitOfWork(self._database) as uow:
            await forget_before(uow.session, now - IDEMPOTENCY_KEPT)
            await uow.commit()

    async def _in_chunks(self, shorten: Callable[[UnitOfWork], Awaitable[int]]) -> None:
        """Until nothing is left to go, in transactions so short that whoever writes hardly waits."""
        while True:
            async with UnitOfWork(self._database) as uow:
                gone = await shorten(uow)
                await uow.commit()
            if not gone:
                return
            await asyncio.sleep(BETWEEN_CHUNKS)


async def _forget_log(plan: Partitioned, before: datetime, uow: UnitOfWork) -> int:
    return await (await uow.session.connection()).run_sync(forget_oldest, plan, before)


class Worker:
    """Runs its parts side by side until told to stop; if one ends in an error, all end, and the error is raised.

    `stop` is of this worker alone: a part that fails sets it. `service` is whose worker it is, where a process has several.
    """

    def __init__(self, parts: Sequence[Runs], *, service: str | None = None) -> None:
        self.parts = list(parts)
        self.failed: str | None = None  # which part failed first and of what, if one did
        self._service = service

    async def run(self, stop: asyncio.Event) -> None:
        tasks = [asyncio.create_task(self._run(part, stop), name=type(part).__name__) for part in self.parts]
        try:
            await asyncio.gather(*tasks)
        finally:
            stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, part: Runs, stop: asyncio.Event) -> None:
        """One part. Its failure is told at once: the others take as long to end as what they are about takes."""
        try:
            await part.run(stop)
        except Exception as error:
            name = type(part).__name__
            self.failed = self.failed or f"{name} failed: {type(error).__name__}"
            log.exception("worker_failed", service=self._service, part=name)
            raise

    @property
    def stopped(self) -> list[str]:
        """Why consumers stopped themselves, for readiness."""
        return [reason for part in self.parts if (reason := getattr(part, "stopped", None))]
