"""python saboteur.py PACKAGE PLAN api|worker ...: runs a service that dies at a chosen place, or has a fault planted.

A plan is a list of acts with commas between, each `act` or `act:number`. Nothing of this is known to the services themselves.
"""

import asyncio
import importlib
import os
import random
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

from common.bulk import insert_rows
from common.bus.delivery import Consumer, Delivery, Record
from common.bus.local import LocalReader
from common.db import inbox_table, outbox_table
from common.service import run
from common.uow import UnitOfWork

# What is put in the place of a name there is meant to be seen by nobody but this process.
bus: Any = importlib.import_module("common.bus.kafka")
local: Any = importlib.import_module("common.bus.local")
clocks: Any = importlib.import_module("common.clock")
inbox: Any = importlib.import_module("common.inbox")
outboxes: Any = importlib.import_module("common.outbox")

KILLED = 137
LAST_WORDS = b"died on purpose\n"
_draw = random.Random(os.getpid())


class Countdown:
    """Kills the process at the n-th call, without a chance to tidy up."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def tick(self) -> None:
        self._left -= 1
        if self._left <= 0:
            os.write(sys.stderr.fileno(), LAST_WORDS)
            os._exit(KILLED)


# --- deaths on purpose ------------------------------------------------------------------------------------------------


def die_before_cursor(calls: int) -> None:
    """Published, and the cursor not moved: everything is published again."""
    countdown, move = Countdown(calls), bus.move_cursor

    async def moved(*args: Any, **more: Any) -> None:
        countdown.tick()
        await move(*args, **more)

    bus.move_cursor = moved


def die_before_offset(calls: int) -> None:
    """The effect committed, and the offset not: everything is delivered again."""
    countdown, commit, remember = Countdown(calls), bus.AIOKafkaConsumer.commit, LocalReader._remember

    async def remembered(self: LocalReader, *args: Any) -> None:
        countdown.tick()
        await remember(self, *args)

    LocalReader._remember = remembered  # type: ignore[method-assign,assignment]

    async def committed(self: Any, *args: Any) -> None:
        countdown.tick()
        await commit(self, *args)

    bus.AIOKafkaConsumer.commit = committed


def die_before_scorings_cursor(calls: int) -> None:
    """The same in the one process of the embedded stack, where four consumers read: only scoring's counts."""
    countdown, remember = Countdown(calls), LocalReader._remember

    async def remembered(self: LocalReader, database: Any, reader: str, *args: Any) -> None:
        if reader == "scoring<interactions":
            countdown.tick()
        await remember(self, database, reader, *args)

    LocalReader._remember = remembered  # type: ignore[method-assign,assignment]


def die_after_commit(calls: int) -> None:
    """Committed, and nobody was told."""
    countdown, commit = Countdown(calls), UnitOfWork.commit

    async def committed(self: UnitOfWork) -> None:
        await commit(self)
        countdown.tick()

    UnitOfWork.commit = committed  # type: ignore[method-assign]


def die_before_commit(calls: int) -> None:
    """All was written, nothing committed."""
    countdown = Countdown(calls)

    async def committed(self: UnitOfWork) -> None:
        await self.outbox.flush()
        countdown.tick()
        await self.session.commit()
        self.database.committed()

    UnitOfWork.commit = committed  # type: ignore[method-assign]


# Who handles an erasure at this moment: the name of the consumer; empty for nobody.
_erases: ContextVar[str] = ContextVar("erases", default="")
_ERASURES = ("customer-erased", "customer-forgotten")  # the erasure itself, and what a service says when it is done


def _tells_of_erasure(records: Sequence[Record]) -> bool:
    return any(f"{word}.v1".encode() in record.body for record in records for word in _ERASURES)


def _in_erasures(who: str, struck: Callable[..., Any]) -> None:
    """Have each commit of an erasure by `who` (a service's consumer, or `api` where it is asked for) done by `struck`."""
    deliver, commit = Delivery.deliver, UnitOfWork.commit

    async def delivered(self: Delivery, records: Sequence[Record]) -> None:
        token = _erases.set(self.consumer.name if _tells_of_erasure(records) else "")
        try:
            await deliver(self, records)
        finally:
            _erases.reset(token)

    async def committed(self: UnitOfWork) -> None:
        told = any(kind.endswith("customer-erased") for _, _, _, kind, *_ in self.outbox._rows)
        if who == (_erases.get() or ("api" if told else None)):
            await struck(self, commit)
        else:
            await commit(self)

    Delivery.deliver = delivered  # type: ignore[method-assign]
    UnitOfWork.commit = committed  # type: ignore[method-assign]


def die_in_erasure(who: str) -> None:
    """Somebody is taken out, and nothing of it committed."""

    async def struck(uow: UnitOfWork, _: Any) -> None:
        await uow.outbox.flush()
        Countdown(1).tick()

    _in_erasures(who, struck)


def die_after_erasure(who: str) -> None:
    """Somebody was taken out; the caller was not told, or the offset not committed."""

    async def struck(uow: UnitOfWork, commit: Callable[..., Any]) -> None:
        await commit(uow)
        Countdown(1).tick()

    _in_erasures(who, struck)


# --- trouble that must do no harm -------------------------------------------------------------------------------------


def slow_commits(milliseconds: int) -> None:
    """Every transaction that tells something waits before it commits: sequence numbers are taken early, seen late."""

    async def committed(self: UnitOfWork) -> None:
        await self.outbox.flush()
        await asyncio.sleep(_draw.uniform(0, milliseconds / 1000))
        await self.session.commit()
        self.database.committed()

    UnitOfWork.commit = committed  # type: ignore[method-assign]


def late_links(milliseconds: int) -> None:
    """Half of identity's events are handled late, so that a later decision often comes before an earlier one."""
    deliver = Delivery.deliver

    async def delivered(self: Delivery, records: Sequence[Record]) -> None:
        late = [record for record in records if record.topic == "identity.v1" and _draw.random() < 0.5]
        await deliver(self, [record for record in records if record not in late])
        for record in late:
            _spawn(_later(deliver, self, record, milliseconds / 1000 * _draw.random()))

    Delivery.deliver = delivered  # type: ignore[method-assign]


async def _later(deliver: Callable[..., Any], delivery: Delivery, record: Record, seconds: float) -> None:
    await asyncio.sleep(seconds)
    for _ in range(20):
        try:
            await deliver(delivery, [record])
        except Exception:  # noqa: BLE001 - a deadlock's victim tries again, as the reader would
            await asyncio.sleep(0.1)
        else:
            return


_late: set[asyncio.Task[Any]] = set()


def _spawn(work: Any) -> None:
    task = asyncio.create_task(work)
    _late.add(task)
    task.add_done_callback(_late.discard)


def clock(seconds: int) -> None:
    """The process's clock is off by so many seconds."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=seconds)

    clocks.datetime = Off


def raise_on(mark: str) -> None:
    """A handler that raises on every event that carries the mark; `*`: on everything."""
    deliver = Delivery.__init__

    def made(self: Delivery, consumer: Consumer, *args: Any, **more: Any) -> None:
        handle = consumer.handle

        async def raising(events: Sequence[Any]) -> None:
            if mark == "*" or any(mark in event.data.model_dump_json() for event in events):
                raise RuntimeError("a fault of this version's")
            await handle(events)

        deliver(self, replace(consumer, handle=raising), *args, **more)

    Delivery.__init__ = made  # type: ignore[method-assign]


# --- faults that the checks must find ---------------------------------------------------------------------------------


def publish_before_commit(calls: int) -> None:
    """What happened is told in a transaction of its own, before the effect commits; at the n-th time nothing follows."""
    countdown = Countdown(calls)

    async def committed(self: UnitOfWork) -> None:
        if self.outbox._rows:
            async with self.database.session() as session:
                outbox = outboxes.Outbox(session)
                outbox._rows, self.outbox._rows = self.outbox._rows, []
                await outbox.flush()
                await session.commit()
            countdown.tick()
        await self.session.commit()
        self.database.committed()

    UnitOfWork.commit = committed  # type: ignore[method-assign]


def no_claim(_: int) -> None:
    """Whatever is delivered takes effect, however often."""

    async def claim(self: Any, events: Any, *, consumer: str) -> Any:
        now = inbox.utc_now()
        rows = [{"event_id": event_id, "consumer": consumer, "at": now} for event_id in sorted({e.id for e in events})]
        await insert_rows(self._session, inbox_table, rows, on_conflict="nothing")
        return list(events)

    inbox.Inbox.claim = claim


def offset_before_effect(calls: int) -> None:
    """The offset is committed first; at the n-th time no effect follows."""
    countdown, deliver = Countdown(calls), bus.KafkaReader._deliver

    async def delivered(self: Any, consumer: Any, records: Any) -> Any:
        await consumer.commit({partition: batch[-1].offset + 1 for partition, batch in records.items()})
        countdown.tick()
        return await deliver(self, consumer, records)

    bus.KafkaReader._deliver = delivered

    async def stepped(self: LocalReader, name: str, source: Any, checked: set[str]) -> int:
        reader = f"{self._delivery.consumer.name}<{name}"
        async with UnitOfWork(self._database, reading=True) as uow:
            position = await outboxes.position_of(uow.session, reader)
        async with UnitOfWork(source, reading=True) as uow:
            topics = self._delivery.consumer.all_topics
            entries = await outboxes.read(uow.session, after=position, topics=topics)
        if entries:
            await self._remember(self._database, reader, entries[-1].position)
            countdown.tick()
            await self._delivery.deliver([local._record(entry) for entry in entries])
        return len(entries)

    LocalReader._step = stepped  # type: ignore[method-assign]


def naive_cursor(_: int) -> None:
    """The relay reads `seq > last`, and whatever commits late is passed over."""
    t = outbox_table

    async def read(session: Any, *, after: Any, topics: Any = (), limit: int = 500) -> Any:
        query = (
            outboxes.select(t.c.xid, t.c.seq, t.c.id, t.c.aggregatetype, t.c.aggregateid, t.c.type, t.c.payload)
            .where(t.c.seq > after.seq)
            .order_by(t.c.seq)
            .limit(limit)
        )
        return [
            outboxes.Entry(
                outboxes.Position(r.xid, r.seq, r.id), r.aggregatetype, r.aggregateid, r.type, r.payload.encode()
            )
            for r in (await session.execute(query)).all()
        ]

    assert bus.read
    bus.read = read


def acknowledge_before_commit(_: int) -> None:
    """The caller is told yes, and the transaction commits a moment later."""

    async def committed(self: UnitOfWork) -> None:
        await self.outbox.flush()
        session, self.session = self.session, self.database.session(reading=True)

        async def settle() -> None:
            await asyncio.sleep(0.3)
            await session.commit()
            await session.close()

        _spawn(settle())

    UnitOfWork.commit = committed  # type: ignore[method-assign]


def revision_ignored(_: int) -> None:
    """Of two decisions on a trace the one that arrives last wins, not the later one."""
    links: Any = importlib.import_module("scoring.links.repository")
    assert links.if_newer  # what is replaced has to be there: else nothing would be planted

    def always(_: str, columns: Sequence[str], **__: Any) -> dict[str, str]:
        return {column: f'excluded."{column}"' for column in columns}

    links.if_newer = always


ACTS: dict[str, Callable[[Any], None]] = {
    act.__name__.replace("_", "-"): act
    for act in (
        die_before_cursor, die_before_scorings_cursor, die_before_offset, die_after_commit, die_before_commit, slow_commits, late_links,
        die_in_erasure, die_after_erasure,
        publish_before_commit, no_claim, offset_before_effect, naive_cursor, acknowledge_before_commit, revision_ignored,
        clock, raise_on,
    )
}  # fmt: skip


def plant(plan: str) -> None:
    for act in plan.split(","):
        name, _, word = act.partition(":")
        ACTS[name](int(word) if word.lstrip("-").isdigit() else word or 0)


def main(package: str, plan: str, *arguments: str) -> None:
    plant(plan)
    if package == "hilo":
        importlib.import_module("hilo.cli").app(list(arguments))
        return
    run(importlib.import_module(f"{package}.service").SERVICE, arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
