"""What the tests of service-audit share: the service on a migrated database, events to tell it, and what it tells."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from common.company import Company
from common.contracts.identity import CustomerChanged, LinksChanged, Move
from common.contracts.interactions import (
    CaseMoved,
    CommitmentMoved,
    ConversationMoved,
    TouchpointRecorded,
    TouchpointRetracted,
)
from common.db import outbox_table
from common.events import Event, EventData, decode
from common.ids import new_id
from common.service import Runtime
from common.testing import FakeClock, client_for, settings_for
from service_audit.consumers import consume
from service_audit.evidence.domain import Evidence
from service_audit.evidence.repository import EvidenceFilter
from service_audit.main import create_app
from service_audit.settings import AuditSettings
from service_audit.uow import AuditUnitOfWork
from service_audit.worker import create_timers, prepare

START = FakeClock().now
TRACE = UUID("11111111-1111-4111-8111-111111111111")


def told(data: EventData, *, event_id: UUID | None = None) -> Event:
    """The event as a consumer receives it."""
    return Event(id=event_id or new_id(), type=data.type, source="/test", time=START, subject=data.key(), data=data)


def touchpoint(**changes: Any) -> TouchpointRecorded:
    known = {
        "touchpoint_id": uuid4(),
        "trace_id": TRACE,
        "source": "test",
        "kind": "message",
        "channel": "whatsapp",
        "direction": "inbound",
        "occurred_at": START,
        "recorded_at": START,
    }
    return TouchpointRecorded(**(known | changes))


def survey(answer: object, **changes: Any) -> TouchpointRecorded:
    answers = {"survey": "post-contact", "survey_answers": {"satisfaction": answer}}
    return touchpoint(**({"kind": "survey_response"} | answers | changes))


def retracted(recorded: TouchpointRecorded, **changes: Any) -> TouchpointRetracted:
    return TouchpointRetracted(**(recorded.model_dump() | changes))


def case(move: str, *, hours: float = 0, number: str = "PQR-1", **changes: Any) -> CaseMoved:
    """A case that was opened at the start, moved `hours` later."""
    known = {
        "case_number": number,
        "trace_id": TRACE,
        "kind": "complaint",
        "severity": "high",
        "move": move,
        "channel": "web",
        "occurred_at": START,
        "at": START + timedelta(hours=hours),
    }
    return CaseMoved(**(known | changes))


def commitment(move: str, *, late: float | None = None, **changes: Any) -> CommitmentMoved:
    known = {
        "commitment_id": UUID(int=7),
        "trace_id": TRACE,
        "move": move,
        "by": "company",
        "made_at": START,
        "due_at": START + timedelta(hours=48),
        "at": START + timedelta(hours=48),
        "late_seconds": late,
    }
    return CommitmentMoved(**(known | changes))


def conversation(move: str, *, hours: float = 0, **changes: Any) -> ConversationMoved:
    known = {
        "conversation_id": UUID(int=9),
        "trace_id": TRACE,
        "move": move,
        "touchpoint_id": uuid4(),
        "channel": "call",
        "at": START + timedelta(hours=hours),
    }
    return ConversationMoved(**(known | changes))


def links(customer_id: UUID | None, *traces: UUID, revision: int) -> LinksChanged:
    moves = [Move(trace_id=trace, customer_id=customer_id, revision=revision) for trace in traces]
    return LinksChanged(decision_id=uuid4(), kind="link", moves=moves)


def customer(customer_id: UUID, *, revision: int, merged_into: UUID | None = None) -> CustomerChanged:
    state = "active" if merged_into is None else "merged"
    return CustomerChanged(customer_id=customer_id, revision=revision, state=state, merged_into=merged_into)


@dataclass
class Audit:
    """The service on one database, without HTTP."""

    runtime: Runtime
    clock: FakeClock

    def uow(self, *, reading: bool = False) -> AuditUnitOfWork:
        return AuditUnitOfWork(self.runtime.database, reading=reading)

    async def hears(self, *events: Event | EventData) -> None:
        """One batch."""
        batch = [event if isinstance(event, Event) else told(event) for event in events]
        await consume(batch, uow=self.uow(), clock=self.clock)

    async def passes(self, **time: float) -> None:
        """Time goes by, and what is due wakes."""
        self.clock.advance(timedelta(**time))
        await create_timers(self.runtime).drain()

    async def evidence(self, moment: str | None = None, **wanted: Any) -> list[Evidence]:
        async with self.uow(reading=True) as uow:
            return await uow.evidence.page(EvidenceFilter(moment=moment, **wanted), after=None, limit=10_000)

    async def states(self, moment: str) -> list[str]:
        return sorted(one.state for one in await self.evidence(moment))

    async def says(self, kind: type[EventData]) -> list[Any]:
        """Everything of one type that was told, in order."""
        async with self.uow(reading=True) as uow:
            query = select(outbox_table.c.payload).order_by(outbox_table.c.seq)
            bodies = (await uow.session.execute(query)).scalars().all()
        events = [decode(body) for body in bodies]
        return [event.data for event in events if event is not None and isinstance(event.data, kind)]


@pytest.fixture
def telling() -> SimpleNamespace:
    """The builders above, for the tests to reach."""
    builders = (told, touchpoint, survey, retracted, case, commitment, conversation, links, customer)
    return SimpleNamespace(start=START, trace=TRACE, **{builder.__name__: builder for builder in builders})


@pytest.fixture
async def audit(make_database: Any, clock: FakeClock) -> Audit:
    """The service with the standards that are shipped."""
    database = await make_database("service_audit")
    runtime = Runtime(settings_for(AuditSettings), database, Company.load(None), clock)
    await prepare(runtime)
    return Audit(runtime, clock)


@pytest.fixture
async def client(audit: Audit) -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(create_app(audit.runtime)) as client:
        yield client
