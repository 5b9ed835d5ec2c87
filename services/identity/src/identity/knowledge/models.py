"""The tables of facts and of the questions that were put."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class FactRow(Base, table=True):
    """One answer to one question about a person, at one time. A dated series: nothing is overwritten."""

    __tablename__ = "fact"
    __table_args__ = (sa.Index("ix_fact_trace", "trace_id", "key"),)

    fact_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    key: str = Field(sa_type=sa.String(100))
    value: Any = Field(sa_type=Json)
    source: str = Field(sa_type=sa.String(100))
    confidence: float = Field(sa_type=sa.Float)
    observed_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    touchpoint_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    question_id: str | None = Field(default=None, sa_type=sa.String(100))
    by: str | None = Field(default=None, sa_type=sa.String(200))


class QuestionPutRow(Base, table=True):
    """A question of the drip dialogue was put to the person behind a trace, or he would not answer it."""

    __tablename__ = "question_put"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    question_id: str = Field(sa_type=sa.String(100), primary_key=True)
    put_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)  # the touchpoint, or an id of its own
    state: str = Field(sa_type=sa.String(10))  # asked | declined
    at: datetime = Field(sa_type=UtcDateTime)


class CaseRow(Base, table=True):
    """A complaint or claim of the person behind a trace, and whether it is open: then nothing is asked."""

    __tablename__ = "case_seen"

    case_number: str = Field(sa_type=sa.String(100), primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    open: bool = Field(sa_type=sa.Boolean)
    at: datetime = Field(sa_type=UtcDateTime)


fact: sa.Table = FactRow.__table__  # type: ignore[attr-defined]
question_put: sa.Table = QuestionPutRow.__table__  # type: ignore[attr-defined]
case_seen: sa.Table = CaseRow.__table__  # type: ignore[attr-defined]
