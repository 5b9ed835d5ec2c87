"""The tables of the log: receipts, touchpoints, traces with their identifiers, and what we know of customers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from common.partitions import Partitioned, declared
from interactions.tables import Base

# By years: the resume looks for a customer's latest in every partition, and with months it takes half as long again.
LOG = Partitioned("touchpoint", "touchpoint_id", "recorded_at", "year")

# What is told of a customer however long ago it was, and looked for behind all that came since.
RARE = ("campaign_response", "campaign_send", "purchase", "quote", "web")
_IS_RARE = sa.text(f"kind IN {RARE!r}")
# That he told us something of himself.
LEARNT = sa.text("facts <> '[]'")


class ReceiptRow(Base, table=True):
    """That a source's external id was recorded, and what we answered the first time. Never partitioned: it is the key."""

    __tablename__ = "receipt"

    source: str = Field(sa_type=sa.String(100), primary_key=True)
    external_id: str = Field(sa_type=sa.String(200), primary_key=True)
    body_hash: str = Field(sa_type=sa.String(64))
    touchpoint_id: UUID = Field(sa_type=sa.Uuid)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    answer: dict[str, Any] = Field(sa_type=Json)


class TouchpointRow(Base, table=True):
    """One contact, as its channel told it. Content changes by redaction only; a correction is a row beside it."""

    __tablename__ = "touchpoint"
    __table_args__ = (
        sa.Index("ix_touchpoint_trace", "trace_id", "occurred_at"),
        sa.Index("ix_touchpoint_position", "trace_id", "position"),
        sa.Index("ix_touchpoint_rare", "trace_id", "occurred_at", postgresql_where=_IS_RARE, sqlite_where=_IS_RARE),
        sa.Index("ix_touchpoint_learnt", "trace_id", "occurred_at", postgresql_where=LEARNT, sqlite_where=LEARNT),
    )

    touchpoint_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    version: int = Field(default=1, sa_type=sa.Integer)
    position: UUID = Field(sa_type=sa.Uuid)  # the id of its first version: its place in the order of recording
    corrects: UUID | None = Field(default=None, sa_type=sa.Uuid)  # the version before this one
    corrected_by: UUID | None = Field(default=None, sa_type=sa.Uuid)  # the version after this one
    source: str = Field(sa_type=sa.String(100))
    external_id: str = Field(sa_type=sa.String(200))
    kind: str = Field(sa_type=sa.String(30))
    channel: str = Field(sa_type=sa.String(60))
    direction: str = Field(sa_type=sa.String(10))  # inbound | outbound | internal
    site: str | None = Field(default=None, sa_type=sa.String(100))
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    actor_kind: str | None = Field(default=None, sa_type=sa.String(20))  # customer | staff | partner | system
    actor_id: str | None = Field(default=None, sa_type=sa.String(200))
    actor_name: str | None = Field(default=None, sa_type=sa.String(200))
    topic: str | None = Field(default=None, sa_type=sa.String(100))
    content: str | None = Field(default=None, sa_type=sa.Text)
    language: str | None = Field(default=None, sa_type=sa.String(20))
    summary: str | None = Field(default=None, sa_type=sa.Text)
    stop_point: str | None = Field(default=None, sa_type=sa.Text)
    next_step: str | None = Field(default=None, sa_type=sa.Text)
    outcome: str | None = Field(default=None, sa_type=sa.String(20))
    visibility: str = Field(sa_type=sa.String(10))  # customer | internal
    partner: str | None = Field(default=None, sa_type=sa.String(100))  # through whom it came, where a partner sent it
    references: list[str] = Field(sa_type=Json)
    payload: dict[str, Any] = Field(sa_type=Json)
    profile: dict[str, Any] = Field(sa_type=Json)
    facts: list[dict[str, Any]] = Field(sa_type=Json)
    identifiers: list[dict[str, Any]] = Field(sa_type=Json)  # {"id","scheme","value","given","normalised","attested"}
    figures: dict[str, Any] = Field(sa_type=Json)  # TouchpointFigures as published
    continues: UUID | None = Field(default=None, sa_type=sa.Uuid)  # the touchpoint whose thread it named
    case_number: str | None = Field(default=None, sa_type=sa.String(30))  # the case that it opened or spoke of
    backfill: bool = Field(default=False, sa_type=sa.Boolean)
    state: str = Field(default="live", sa_type=sa.String(10))  # live | retracted | corrected
    retracted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retracted_by: str | None = Field(default=None, sa_type=sa.String(200))
    retracted_reason: str | None = Field(default=None, sa_type=sa.Text)
    redacted: list[dict[str, Any]] = Field(sa_type=Json)  # [{"pointer","at","by","reason"}]


class TraceRow(Base, table=True):
    """The trail left under one identifier, and the customer it belongs to by the latest decision we know of."""

    __tablename__ = "trace"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    revision: int = Field(default=0, sa_type=sa.BigInteger)  # 0: ours, provisional; identity's decisions are higher
    proof: str | None = Field(default=None, sa_type=sa.String(10))  # attested | claimed | person
    folded_name: str | None = Field(default=None, sa_type=sa.String(400))
    documents: list[str] = Field(sa_type=Json)  # normalised documents seen on it, "document:co-cc:..."


class TraceIdentifierRow(Base, table=True):
    """That a trace carries an identifier, by its keyed id."""

    __tablename__ = "trace_identifier"
    __table_args__ = (sa.Index("ix_trace_identifier_trace", "trace_id"),)

    identifier_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    scheme: str = Field(sa_type=sa.String(30))


class CustomerRow(Base, table=True):
    """What identity told about a customer: whether he is there, or who absorbed him."""

    __tablename__ = "customer"

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    state: str = Field(sa_type=sa.String(10))  # active | merged | archived
    merged_into: UUID | None = Field(default=None, sa_type=sa.Uuid)
    revision: int = Field(sa_type=sa.BigInteger)
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    key_account: bool = Field(default=False, sa_type=sa.Boolean)


receipt: sa.Table = ReceiptRow.__table__  # type: ignore[attr-defined]
touchpoint: sa.Table = declared(TouchpointRow.__table__, LOG)  # type: ignore[attr-defined]
trace: sa.Table = TraceRow.__table__  # type: ignore[attr-defined]
trace_identifier: sa.Table = TraceIdentifierRow.__table__  # type: ignore[attr-defined]
customer: sa.Table = CustomerRow.__table__  # type: ignore[attr-defined]
