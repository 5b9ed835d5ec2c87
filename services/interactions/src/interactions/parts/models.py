"""The tables of what other services say: the latest word of each on a customer, and the moments of truth that failed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from interactions.parts.domain import LONGEST_NAME
from interactions.tables import Base


class PartRow(Base, table=True):
    """What one source says of one customer, ready for the resume. The highest revision stays."""

    __tablename__ = "part"

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    source: str = Field(sa_type=sa.String(40), primary_key=True)  # identity | identity-contact | scoring
    revision: int = Field(sa_type=sa.BigInteger)
    as_of: datetime = Field(sa_type=UtcDateTime)
    received_at: datetime = Field(sa_type=UtcDateTime)
    body: dict[str, Any] = Field(sa_type=Json)


class FailedMomentRow(Base, table=True):
    """A moment of truth that missed its standard, keyed by trace so that merges and undos need no rewriting."""

    __tablename__ = "failed_moment"
    __table_args__ = (sa.Index("ix_failed_moment_trace", "trace_id", "at"),)

    evidence_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    cycle: str = Field(sa_type=sa.String(100))
    moment: str = Field(sa_type=sa.String(100))
    name: str = Field(sa_type=sa.String(LONGEST_NAME))
    critical: bool = Field(sa_type=sa.Boolean)
    at: datetime = Field(sa_type=UtcDateTime)
    detail: dict[str, Any] = Field(sa_type=Json)
    taken_back: bool = Field(sa_type=sa.Boolean)
    told_at: datetime = Field(sa_type=UtcDateTime)  # of the event that said so: the latest stays
    received_at: datetime = Field(sa_type=UtcDateTime)


part: sa.Table = PartRow.__table__  # type: ignore[attr-defined]
failed_moment: sa.Table = FailedMomentRow.__table__  # type: ignore[attr-defined]
