"""The table of the signals, raised and cleared: a dated series; what was cleared is never overwritten."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from scoring.tables import Base


class SignalRow(Base, table=True):
    """One time that a signal held for a customer; open while `cleared_at` is null, and follows till then what is known of him."""

    __tablename__ = "signal"
    __table_args__ = (sa.Index("ix_signal_open", "signal", "cleared_at"),)

    id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID = Field(sa_type=sa.Uuid, index=True)
    signal: str = Field(sa_type=sa.String(30))
    since: date = Field(sa_type=sa.Date)
    raised_at: datetime = Field(sa_type=UtcDateTime)
    announced: bool = Field(sa_type=sa.Boolean)
    evidence: dict[str, Any] = Field(sa_type=Json)
    cleared_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cleared_evidence: dict[str, Any] | None = Field(default=None, sa_type=Json)


signal: sa.Table = SignalRow.__table__  # type: ignore[attr-defined]
