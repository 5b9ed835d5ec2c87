"""The tables of what was seen and of what was taken back."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from service_audit.tables import Base


class ObservationRow(Base, table=True):
    """One event of interactions, in ids and codes: what a standard of today or of tomorrow is applied to."""

    __tablename__ = "observation"
    __table_args__ = (sa.Index("ix_observation_source", "source", "key"),)

    key: str = Field(sa_type=sa.String(200), primary_key=True)
    source: str = Field(sa_type=sa.String(30))
    told: UUID = Field(sa_type=sa.Uuid)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    noted_at: datetime = Field(sa_type=UtcDateTime)
    backfill: bool = Field(sa_type=sa.Boolean)
    fields: dict[str, Any] = Field(sa_type=Json)
    touchpoint_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    conversation_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    commitment_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    case_number: str | None = Field(default=None, sa_type=sa.String(60), index=True)


class WithdrawalRow(Base, table=True):
    """A touchpoint, commitment or case that was retracted, and the event that said so."""

    __tablename__ = "withdrawal"

    key: str = Field(sa_type=sa.String(200), primary_key=True)
    told: UUID = Field(sa_type=sa.Uuid)


observation: sa.Table = ObservationRow.__table__  # type: ignore[attr-defined]
withdrawal: sa.Table = WithdrawalRow.__table__  # type: ignore[attr-defined]
