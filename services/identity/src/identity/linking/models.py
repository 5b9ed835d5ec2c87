"""The tables of whose trace is whose: traces, the decisions on them, and pairs that are never joined."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class TraceRow(Base, table=True):
    """The trail that one person leaves under one identifier, and whose it is at present."""

    __tablename__ = "trace"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    revision: int = Field(sa_type=sa.BigInteger)  # of the link; 0: never linked
    proof: str = Field(sa_type=sa.String(10))  # attested | claimed | person
    via: UUID | None = Field(default=None, sa_type=sa.Uuid)  # the identifier that led it to its customer
    scheme: str = Field(sa_type=sa.String(20))
    names: list[str] = Field(sa_type=Json)  # folded; each that it has gone by
    decision_id: UUID | None = Field(default=None, sa_type=sa.Uuid)
    came_at: datetime = Field(sa_type=UtcDateTime)  # when identity first heard of it
    first_seen: datetime = Field(sa_type=UtcDateTime)
    last_seen: datetime = Field(sa_type=UtcDateTime)


class DecisionRow(Base, table=True):
    """Who decided what on whose traces, why, and how it was before. Never changed but for `undone_by`."""

    __tablename__ = "decision"
    __table_args__ = (
        sa.Index("ix_decision_survivor", "survivor", "decision_id"),
        sa.Index("ix_decision_absorbed", "absorbed", "decision_id"),
        sa.Index("ix_decision_by", "by", "decision_id"),
    )

    decision_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    kind: str = Field(sa_type=sa.String(10))  # link | merge | undo | different
    by: str = Field(sa_type=sa.String(200))  # "rules", or who decided
    reason: str = Field(sa_type=sa.Text)
    at: datetime = Field(sa_type=UtcDateTime)
    survivor: UUID | None = Field(default=None, sa_type=sa.Uuid)
    absorbed: UUID | None = Field(default=None, sa_type=sa.Uuid)
    left_trace: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)  # the two traces that it concerns
    right_trace: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    before: dict[str, Any] = Field(sa_type=Json)
    undone_by: UUID | None = Field(default=None, sa_type=sa.Uuid)


class CannotLinkRow(Base, table=True):
    """Two traces that are two persons', whatever customers carry them, until a person lifts it."""

    __tablename__ = "cannot_link"

    left_trace: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    right_trace: UUID = Field(sa_type=sa.Uuid, primary_key=True, index=True)
    decision_id: UUID = Field(sa_type=sa.Uuid)
    at: datetime = Field(sa_type=UtcDateTime)
    lifted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lifted_by: str | None = Field(default=None, sa_type=sa.String(200))
    lift_reason: str | None = Field(default=None, sa_type=sa.Text)


trace: sa.Table = TraceRow.__table__  # type: ignore[attr-defined]
decision: sa.Table = DecisionRow.__table__  # type: ignore[attr-defined]
cannot_link: sa.Table = CannotLinkRow.__table__  # type: ignore[attr-defined]
