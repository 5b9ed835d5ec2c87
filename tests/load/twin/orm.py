"""The twin: the same route as a good team would write it first, with FastAPI, SQLModel's ORM and one transaction a request.

LOAD_DATABASE_URL=postgresql+asyncpg://... LOAD_KEY=... uvicorn tests.load.twin.orm:app
It takes Hilo's body, knows resends by source and external id, keeps trace, touchpoint and conversation, and tells three events
by an outbox. It does less: no keyed ids, no merge, no parking, no locks, no promises, no cases, no company's topics.
"""

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from uuid_utils.compat import uuid7

NAMESPACE = UUID("6f0f4a4e-6a0c-4f63-8c9e-5a1f1c9b7d10")
WINDOW = timedelta(hours=72)
TIME = sa.DateTime(timezone=True)


class Receipt(SQLModel, table=True):
    source: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    body_hash: str
    touchpoint_id: UUID
    answer: dict[str, Any] = Field(sa_type=JSONB)


class Trace(SQLModel, table=True):
    trace_id: UUID = Field(primary_key=True)
    identifier: str = Field(index=True)
    customer_id: UUID | None = Field(default=None, index=True)
    name: str | None = None


class Touchpoint(SQLModel, table=True):
    __table_args__ = (sa.Index("ix_touchpoint_trace", "trace_id", "occurred_at"),)

    touchpoint_id: UUID = Field(primary_key=True)
    trace_id: UUID
    conversation_id: UUID
    source: str
    external_id: str
    kind: str
    channel: str
    direction: str
    site: str | None = None
    occurred_at: datetime = Field(sa_type=TIME)  # type: ignore[call-overload]
    recorded_at: datetime = Field(sa_type=TIME)  # type: ignore[call-overload]
    actor: dict[str, Any] = Field(sa_type=JSONB)
    topic: str | None = None
    content: str | None = None
    language: str | None = None
    summary: str | None = None
    stop_point: str | None = None
    next_step: str | None = None
    outcome: str | None = None
    references: list[str] = Field(sa_type=JSONB)
    payload: dict[str, Any] = Field(sa_type=JSONB)
    profile: dict[str, Any] = Field(sa_type=JSONB)
    identifiers: list[str] = Field(sa_type=JSONB)


class Conversation(SQLModel, table=True):
    __table_args__ = (sa.Index("ix_conversation_open", "trace_id", "topic", "last_at"),)

    conversation_id: UUID = Field(primary_key=True)
    trace_id: UUID
    topic: str | None = None
    state: str
    started_at: datetime = Field(sa_type=TIME)  # type: ignore[call-overload]
    last_at: datetime = Field(sa_type=TIME)  # type: ignore[call-overload]
    last_channel: str
    stop_point: str | None = None
    next_step: str | None = None
    summary: str | None = None
    entries: int = 0


class Outbox(SQLModel, table=True):
    seq: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    id: UUID
    topic: str
    key: str
    type: str
    payload: dict[str, Any] = Field(sa_type=JSONB)
    at: datetime = Field(sa_type=TIME)  # type: ignore[call-overload]


class Actor(BaseModel):
    kind: str = "customer"
    id: str | None = None
    name: str | None = None


class TouchpointCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str
    external_id: str
    kind: str
    channel: str
    direction: str = "inbound"
    site: str | None = None
    occurred_at: AwareDatetime
    identifiers: list[str]
    actor: Actor = Actor()
    profile: dict[str, Any] = {}
    topic: str | None = None
    content: str | None = None
    language: str | None = None
    summary: str | None = None
    stop_point: str | None = None
    next_step: str | None = None
    outcome: str | None = None
    references: list[str] = []
    payload: dict[str, Any] = {}


class Recorded(BaseModel):
    status: str
    touchpoint_id: UUID
    conversation_id: UUID
    matched_by: str


class BatchRecorded(BaseModel):
    recorded: int
    duplicate: int
    refused: int
    results: list[Recorded]


engine = create_async_engine(os.environ["LOAD_DATABASE_URL"], pool_size=10, max_overflow=10)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    yield
    await engine.dispose()


async def session_of() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine, expire_on_commit=False) as session:
        yield session


async def caller(token: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    if not secrets.compare_digest(token.credentials, os.environ["LOAD_KEY"]):
        raise HTTPException(401)
    return "caller"


Session = Annotated[AsyncSession, Depends(session_of)]
Caller = Annotated[str, Depends(caller)]
app = FastAPI(lifespan=lifespan)


@app.post("/interactions/v1/touchpoints", status_code=201)
async def record_one(body: TouchpointCreate, session: Session, _: Caller, response: Response) -> Recorded:
    (recorded,) = await record([body], session)
    response.status_code = 201 if recorded.status == "recorded" else 200
    return recorded


@app.post("/interactions/v1/touchpoints:batch")
async def record_batch(body: list[TouchpointCreate], session: Session, _: Caller) -> BatchRecorded:
    results = await record(body, session)
    fresh = sum(one.status == "recorded" for one in results)
    return BatchRecorded(recorded=fresh, duplicate=len(results) - fresh, refused=0, results=results)


async def record(bodies: list[TouchpointCreate], session: AsyncSession) -> list[Recorded]:
    """One transaction for all: what is known is looked up with one query a table, what is new goes in by add_all."""
    now = datetime.now(UTC)
    keys = [(body.source, body.external_id) for body in bodies]
    receipts = (
        await session.exec(select(Receipt).where(sa.tuple_(col(Receipt.source), col(Receipt.external_id)).in_(keys)))
    ).all()
    known = {(one.source, one.external_id): one for one in receipts}
    trace_of = {body.external_id: trace_id(body) for body in bodies}
    ids = set(trace_of.values())
    traces = {
        one.trace_id: one for one in (await session.exec(select(Trace).where(col(Trace.trace_id).in_(ids)))).all()
    }
    threads: dict[tuple[UUID, str | None], Conversation] = {
        (one.trace_id, one.topic): one
        for one in (
            await session.exec(
                select(Conversation)
                .where(col(Conversation.trace_id).in_(ids), col(Conversation.last_at) > now - WINDOW)
                .order_by(col(Conversation.last_at))
            )
        ).all()
    }
    results: list[Recorded] = []
    for body in bodies:
        receipt = known.get((body.source, body.external_id))
        if receipt is not None:
            if receipt.body_hash != body_hash(body):
                raise HTTPException(409, "different body")
            results.append(Recorded(status="duplicate", **receipt.answer))
            continue
        results.append(add(body, trace_of[body.external_id], traces, threads, known, session=session, now=now))
    await session.commit()
    return results


def add(
    body: TouchpointCreate,
    trace: UUID,
    traces: dict[UUID, Trace],
    threads: dict[tuple[UUID, str | None], Conversation],
    known: dict[tuple[str, str], Receipt],
    *,
    session: AsyncSession,
    now: datetime,
) -> Recorded:
    touchpoint_id = uuid7()
    if trace not in traces:
        traces[trace] = Trace(
            trace_id=trace, identifier=body.identifiers[0], name=body.profile.get("full_name"), customer_id=None
        )
        session.add(traces[trace])
    thread = threads.get((trace, body.topic))
    matched_by = "topic" if thread else "new"
    if thread is None:
        thread = Conversation(
            conversation_id=touchpoint_id,
            trace_id=trace,
            topic=body.topic,
            state="waiting-us",
            started_at=body.occurred_at,
            last_at=body.occurred_at,
            last_channel=body.channel,
        )
        threads[trace, body.topic] = thread
    thread.last_at = max(thread.last_at, body.occurred_at)
    thread.last_channel = body.channel
    thread.stop_point, thread.next_step, thread.summary = body.stop_point, body.next_step, body.summary
    thread.entries += 1
    row = Touchpoint(
        touchpoint_id=touchpoint_id,
        trace_id=trace,
        conversation_id=thread.conversation_id,
        recorded_at=now,
        **body.model_dump(exclude={"actor"}),
        actor=body.actor.model_dump(),
    )
    answer = Recorded(
        status="recorded",
        touchpoint_id=touchpoint_id,
        conversation_id=thread.conversation_id,
        matched_by=matched_by,
    )
    receipt = Receipt(
        source=body.source,
        external_id=body.external_id,
        body_hash=body_hash(body),
        touchpoint_id=touchpoint_id,
        answer=answer.model_dump(mode="json", exclude={"status"}),
    )
    known[body.source, body.external_id] = receipt
    session.add_all([thread, row, receipt, *events(body, row, matched_by, now)])
    return answer


def events(body: TouchpointCreate, row: Touchpoint, matched_by: str, now: datetime) -> list[Outbox]:
    """What the others are told: recorded, person seen, conversation moved."""
    figures = row.model_dump(
        mode="json",
        include={"touchpoint_id", "trace_id", "conversation_id", "source", "kind", "channel", "direction", "site",
                 "occurred_at", "recorded_at", "outcome", "topic"},
    )  # fmt: skip
    person = {"touchpoint_id": str(row.touchpoint_id), "identifiers": body.identifiers, "profile": body.profile}
    moved = {"conversation_id": str(row.conversation_id), "matched_by": matched_by, "channel": body.channel}
    told = {"touchpoint-recorded": figures, "person-seen": person, "conversation-moved": moved}
    return [
        Outbox(
            id=uuid7(), topic="interactions.v1", key=str(row.trace_id), type=name, at=now, payload=envelope(name, data)
        )
        for name, data in told.items()
    ]


def envelope(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": f"twin.{name}.v1",
        "source": "/interactions",
        "datacontenttype": "application/json",
        "data": data,
    }


def trace_id(body: TouchpointCreate) -> UUID:
    return uuid5(NAMESPACE, body.identifiers[0] if body.identifiers else f"{body.source}/{body.external_id}")


def body_hash(body: TouchpointCreate) -> str:
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest()
