"""A world to read from: touchpoints recorded by the real use case, links and parts as the other services tell them."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from common.auth import dev_token
from common.company import Company
from common.db import Database
from common.events import Event, EventData
from common.http import ServiceApp, create_service
from common.identifiers import identifier_id, parse_identifier
from common.testing import TEST_SECRET, FakeClock, client_for, settings_for
from interactions.cases.router import router as cases
from interactions.commitments.router import router as commitments
from interactions.contact.router import router as contact
from interactions.conversations.router import router as conversations
from interactions.conversations.use_cases import recompute, told_of
from interactions.corrections.router import router as corrections
from interactions.parts.use_cases import apply_parts
from interactions.reports.router import router as reports
from interactions.resume.router import router as resume
from interactions.settings import InteractionsSettings
from interactions.timeline.router import router as timeline
from interactions.touchpoints.domain import Speaker
from interactions.touchpoints.models import trace, trace_identifier
from interactions.touchpoints.schemas import read_document
from interactions.touchpoints.use_cases import Desk, Recorded, record_touchpoints
from interactions.uow import InteractionsUnitOfWork

SCOPES = ("resume:read", "timeline:read", "contact:read")
ATTESTING = Speaker(by="first key", attests=frozenset({"*"}))
CLAIMING = Speaker(by="a web form")


class World:
    """One deployment of interactions, with identity and scoring played by hand."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock
        self.company = Company.load()
        self.settings = settings_for(InteractionsSettings)
        self._numbers = iter(range(1, 100_000))

    @property
    def desk(self) -> Desk:
        return Desk(self.database, self.clock, self.company, self.settings.identifier_secret)

    def app(self) -> ServiceApp:
        state = {"database": self.database, "clock": self.clock, "company": self.company}
        return create_service(
            name="interactions",
            title="Interactions",
            description="",
            settings=self.settings,
            routers=[resume, contact, timeline, cases, commitments, conversations, corrections, reports],
            state=state,
        )

    def client(self, **claims: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """With the first key; or with a token: `scopes`, `hilo_subject`, `source`."""
        if not claims:
            return client_for(self.app())
        token = dev_token(TEST_SECRET, subject="somebody", **{"scopes": SCOPES, **claims})
        return client_for(self.app(), token)

    async def record(
        self, *, ago: timedelta = timedelta(), speaker: Speaker = ATTESTING, **said: Any
    ) -> dict[str, Any]:
        """Record one touchpoint; a WhatsApp message of just now where nothing else is said."""
        document = {
            "source": "test",
            "external_id": f"t-{next(self._numbers)}",
            "kind": "message",
            "channel": "whatsapp",
            "occurred_at": (self.clock() - ago).isoformat(),
            **said,
        }
        draft = read_document(document, speaker=speaker, company=self.company)
        (outcome,) = await record_touchpoints([draft], desk=self.desk)
        assert isinstance(outcome, Recorded), outcome
        return outcome.as_body()

    async def link(
        self, *identifiers: str, customer: UUID | None = None, proof: str = "attested", revision: int = 1
    ) -> UUID:
        """Identity decides: every trace that carries one of the identifiers is the customer's."""
        customer = customer or uuid4()
        async with InteractionsUnitOfWork(self.database) as uow:
            carrying = sa.select(trace_identifier.c.trace_id).where(
                trace_identifier.c.identifier_id.in_(self.ids(identifiers))
            )
            traces = set((await uow.session.scalars(carrying)).all())
            owners = sa.select(trace.c.customer_id).where(
                trace.c.trace_id.in_(traces), trace.c.customer_id.is_not(None)
            )
            before = set((await uow.session.scalars(owners)).all())
            parties = {customer, *before, *traces}
            told = await told_of(parties, uow=uow, company=self.company)
            await uow.traces.assign(
                [{"trace_id": t, "customer_id": customer, "revision": revision, "proof": proof} for t in traces]
            )
            await uow.traces.save_customers([_customer(customer, revision)])
            await recompute(parties, told=told, uow=uow, company=self.company, now=self.clock())
            await uow.commit()
        return customer

    async def merge(self, survivor: UUID, absorbed: UUID, *, revision: int = 9) -> None:
        """Identity merges: the absorbed customer's traces move, and his id says where he went."""
        async with InteractionsUnitOfWork(self.database) as uow:
            moved = sa.select(trace.c.trace_id).where(trace.c.customer_id == absorbed)
            traces = (await uow.session.scalars(moved)).all()
            parties = {survivor, absorbed}
            told = await told_of(parties, uow=uow, company=self.company)
            await uow.traces.assign(
                [{"trace_id": t, "customer_id": survivor, "revision": revision, "proof": "person"} for t in traces]
            )
            await uow.traces.save_customers([_customer(absorbed, revision, merged_into=survivor)])
            await recompute(parties, told=told, uow=uow, company=self.company, now=self.clock())
            await uow.commit()

    async def say(self, *said: EventData, at: datetime | None = None) -> None:
        """Another service tells something."""
        events = [
            Event(id=uuid4(), type=data.type, source="/test", time=at or self.clock(), subject=data.key(), data=data)
            for data in said
        ]
        async with InteractionsUnitOfWork(self.database) as uow:
            await apply_parts(events, uow=uow, now=self.clock())
            await uow.commit()

    def ids(self, identifiers: Iterable[str]) -> list[UUID]:
        region, secret = self.company.phone_region, self.settings.identifier_secret
        return [
            identifier_id(parse_identifier(i, default_region=region, source="test").text, secret) for i in identifiers
        ]

    async def rows(self, table: sa.Table) -> list[sa.RowMapping]:
        async with InteractionsUnitOfWork(self.database, reading=True) as uow:
            return list((await uow.session.execute(sa.select(table))).mappings().all())


def _customer(customer_id: UUID, revision: int, merged_into: UUID | None = None) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "state": "merged" if merged_into else "active",
        "merged_into": merged_into,
        "revision": revision,
        "since": None,
        "key_account": False,
    }


@pytest.fixture
async def world(make_database: Callable[[str], Awaitable[Database]]) -> World:
    return World(await make_database("interactions"), FakeClock())
