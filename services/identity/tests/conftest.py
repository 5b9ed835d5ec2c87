"""What tests of identity share: channels that see people, and a look at who owns what."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import sqlalchemy as sa

from common.auth import dev_token
from common.company import Company
from common.contracts.interactions import CaseMoved, PersonSeen, PersonUnseen
from common.db import Database, outbox_table
from common.events import Event, EventData
from common.http import ServiceApp
from common.identifiers import identifier_id, parse_identifier, trace_of
from common.ids import new_id
from common.service import Runtime
from common.settings import derived_key
from common.testing import TEST_SECRET, FakeClock, client_for, settings_for
from identity.consumers import consume
from identity.linking.models import trace
from identity.main import create_app
from identity.settings import IdentitySettings
from identity.uow import IdentityUnitOfWork

COMPANY = Company.load()
ClientWith = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
SECRET = derived_key(TEST_SECRET, "identifiers")


def seen(
    *identifiers: str, name: str | None = None, attests: tuple[str, ...] = (), at: datetime | None = None,
    profile: dict[str, Any] | None = None, facts: list[dict[str, Any]] | None = None, **more: Any,
) -> PersonSeen:  # fmt: skip
    """A channel saw somebody: what interactions would publish of such a touchpoint."""
    parsed = [parse_identifier(text, default_region="CO", source="shop") for text in identifiers]
    external_id = str(new_id())
    found = trace_of(parsed, name=name, source="shop", external_id=external_id, secret=SECRET)
    return PersonSeen(
        touchpoint_id=more.pop("touchpoint_id", None) or new_id(), trace_id=found.trace_id, source="shop", channel=more.pop("channel", "shop"),
        occurred_at=at or datetime.fromisoformat("2026-11-20T15:00:00-05:00"),
        identifiers=[
            {"id": str(identifier_id(i.text, SECRET)), "scheme": i.scheme, "value": i.value, "attested": i.scheme in attests or "*" in attests}
            for i in parsed
        ],
        profile=({"full_name": name} if name else {}) | (profile or {}), facts=facts or [], **more,
    )  # fmt: skip


def unseen(of: PersonSeen) -> PersonUnseen:
    return PersonUnseen(touchpoint_id=of.touchpoint_id, trace_id=of.trace_id)


def case(of: PersonSeen, move: Any, *, minute: int) -> CaseMoved:
    """What becomes of a complaint in that touchpoint."""
    at = of.occurred_at + timedelta(minutes=minute)
    return CaseMoved(
        case_number="Q-1",
        trace_id=of.trace_id,
        kind="complaint",
        severity="high",
        move=move,
        occurred_at=of.occurred_at,
        at=at,
    )


def event(data: EventData) -> Event:
    return Event(
        id=new_id(),
        type=data.type,
        source="/interactions",
        time=datetime.fromisoformat("2026-11-20T20:00:00Z"),
        subject=data.key(),
        data=data,
    )


@dataclass
class Identity:
    """The service on one database: what happens to it, and what can be seen of it."""

    database: Database
    clock: FakeClock
    company: Company = COMPANY
    sent: list[Event] = field(default_factory=list)
    compared: set[UUID] = field(default_factory=set)

    def uow(self) -> IdentityUnitOfWork:
        return IdentityUnitOfWork(self.database)

    async def handle(self, *events: Event) -> None:
        self.clock.advance(timedelta(seconds=1))
        uow = self.uow()
        await consume(
            list(events), uow=uow, clock=self.clock, company=self.company, secret=SECRET, compared=self.compared
        )

    async def happen(self, *data: EventData) -> None:
        """One batch."""
        await self.handle(*(event(each) for each in data))

    async def owner(self, of: PersonSeen) -> UUID | None:
        return (await self.owners()).get(of.trace_id)

    async def owners(self) -> dict[UUID, UUID | None]:
        async with self.uow() as uow:
            rows = (await uow.session.execute(sa.select(trace.c.trace_id, trace.c.customer_id))).all()
        return {row.trace_id: row.customer_id for row in rows}

    async def rows(self, table: sa.Table) -> list[Any]:
        async with self.uow() as uow:
            return list((await uow.session.execute(sa.select(table))).all())

    async def told(self, kind: str) -> list[dict[str, Any]]:
        """The data of the events of a type, in order."""
        async with self.uow() as uow:
            query = (
                sa.select(outbox_table.c.payload)
                .where(outbox_table.c.type == f"identity.{kind}")
                .order_by(outbox_table.c.seq)
            )
            return [orjson.loads(body)["data"] for body in (await uow.session.scalars(query)).all()]


@pytest.fixture
async def identity(make_database: Callable[[str], Awaitable[Database]], clock: FakeClock) -> Identity:
    return Identity(await make_database("identity"), clock)


@pytest.fixture
def app(identity: Identity) -> ServiceApp:
    made = create_app(Runtime(settings_for(IdentitySettings), identity.database, identity.company, identity.clock))
    assert isinstance(made, ServiceApp)
    return made


@pytest.fixture
async def client(app: ServiceApp) -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(app) as found:
        yield found


@pytest.fixture
def client_with(app: ServiceApp) -> ClientWith:
    """A client with other scopes, or bound to a subject."""

    def make(*scopes: str, subject: str | None = None) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return client_for(app, dev_token(TEST_SECRET, subject="somebody", scopes=scopes, hilo_subject=subject))

    return make
