"""A scoring service on a fresh database, and events as the other services would send them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select

from common.bus.delivery import Delivery, Record
from common.company import Company
from common.contracts.identity import CustomerChanged, LinksChanged, Move
from common.contracts.interactions import TouchpointFigures, TouchpointRecorded, TouchpointRetracted
from common.db import Database, outbox_table
from common.events import Event, EventData, decode, encode
from common.ids import new_id
from common.service import Runtime
from common.testing import FakeClock, settings_for
from common.worker import TimerLoop
from scoring.settings import Settings
from scoring.uow import ScoringUnitOfWork
from scoring.worker import create_consumer, create_timers, unit_of_work


def event_of(data: EventData, at: datetime | None = None, event_id: UUID | None = None) -> Event:
    """The event as a consumer gets it, by way of its bytes."""
    _, body = encode(data, at=at or datetime(2026, 11, 20, tzinfo=UTC), event_id=event_id)
    event = decode(body)
    assert event is not None
    return event


def touchpoint(trace: UUID, on: str, **more: Any) -> TouchpointRecorded:
    """A touchpoint at noon, UTC."""
    return TouchpointRecorded.model_validate(
        {
            "touchpoint_id": new_id(),
            "trace_id": trace,
            "source": "till",
            "channel": "shop",
            "direction": "inbound",
            "occurred_at": f"{on}T12:00:00Z",
            "recorded_at": "2026-11-20T20:00:00Z",
        }
        | more
    )


def purchase(trace: UUID, on: str, amount: int, **more: Any) -> TouchpointRecorded:
    """A purchase of `amount` minor units."""
    return touchpoint(trace, on, **{"kind": "purchase", "amount": {"minor": amount, "currency": "COP"}, **more})


def contact(trace: UUID, on: str, cost: int, **more: Any) -> TouchpointRecorded:
    """A call that cost so many minor units."""
    return touchpoint(trace, on, **{"kind": "call", "contact_cost": {"minor": cost, "currency": "COP"}, **more})


def retraction(of: TouchpointFigures, **more: Any) -> TouchpointRetracted:
    return TouchpointRetracted.model_validate({**of.model_dump(), **more})


def linked(*moves: tuple[UUID, UUID | None, int], kind: str = "link") -> LinksChanged:
    return LinksChanged.model_validate(
        {
            "decision_id": new_id(),
            "kind": kind,
            "moves": [Move(trace_id=trace, customer_id=owner, revision=revision) for trace, owner, revision in moves],
        }
    )


def customer(customer_id: UUID, *, revision: int = 1, state: str = "active", **more: Any) -> CustomerChanged:
    return CustomerChanged.model_validate({"customer_id": customer_id, "revision": revision, "state": state} | more)


@dataclass
class Scoring:
    """The service without its processes: events go in, timers are woken, the outbox is read."""

    runtime: Runtime
    clock: FakeClock
    timers: TimerLoop

    @property
    def database(self) -> Database:
        return self.runtime.database

    def uow(self, *, reading: bool = True) -> ScoringUnitOfWork:
        return unit_of_work(self.runtime, reading=reading)

    async def hear(self, *events: Event | EventData) -> list[Event]:
        """Consume as one batch; gives the events, to be sent again."""
        batch = [each if isinstance(each, Event) else event_of(each) for each in events]
        await create_consumer(self.runtime).handle(batch)
        return batch

    async def deliver(self, *bodies: bytes) -> None:
        records = [Record("interactions.v1", "key", body) for body in bodies]
        await Delivery(create_consumer(self.runtime), self.database, clock=self.clock).deliver(records)

    async def wait(self, by: timedelta = timedelta(seconds=2)) -> None:
        """Let time pass, and wake what is due."""
        self.clock.advance(by)
        await self.timers.drain()

    async def days(self, days: int) -> None:
        """Let days pass one by one, as they do."""
        for _ in range(days):
            await self.wait(timedelta(days=1))

    async def told(self, event_type: str, customer_id: UUID | None = None) -> list[dict[str, Any]]:
        """The data of the events of a type in the outbox, the oldest first."""
        query = select(outbox_table.c.payload).where(outbox_table.c.type == f"scoring.{event_type}")
        async with self.uow() as uow:
            rows = (await uow.session.scalars(query.order_by(outbox_table.c.seq))).all()
        data = [orjson.loads(row)["data"] for row in rows]
        return [each for each in data if customer_id is None or each["customer_id"] == str(customer_id)]

    async def value(self, customer_id: UUID) -> dict[str, Any]:
        """What was last told of a customer."""
        return max(await self.told("value-changed", customer_id), key=lambda each: int(each["revision"]))

    async def standing(self, customer_id: UUID) -> Any:
        async with self.uow() as uow:
            return (await uow.standings.of([customer_id])).get(customer_id)


def scoring_on(database: Database, clock: FakeClock, company: Company | None = None) -> Scoring:
    settings = settings_for(Settings)
    runtime = Runtime(settings, database, company or Company.load(), clock)
    return Scoring(runtime, clock, create_timers(runtime))


@pytest.fixture
async def scoring(make_database: Callable[[str], Awaitable[Database]], clock: FakeClock) -> Scoring:
    return scoring_on(await make_database("scoring"), clock)
