"""The table of what came of each moment of truth."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from service_audit.tables import Base


class EvidenceRow(Base, table=True):
    """One occasion of one moment of truth, judged by its standard; written anew when the judgement changes."""

    __tablename__ = "evidence"
    __table_args__ = (
        sa.Index("ix_evidence_at", "at", "evidence_id"),
        sa.Index("ix_evidence_trace", "trace_id", "at"),
        sa.Index("ix_evidence_version", "cycle", "version"),
    )

    evidence_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    cycle: str = Field(sa_type=sa.String(60))
    moment: str = Field(sa_type=sa.String(60))
    version: int = Field(sa_type=sa.Integer)  # of the cycle, by which it was judged last
    scope: str = Field(sa_type=sa.String(240), index=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    touchpoint_id: UUID | None = Field(default=None, sa_type=sa.Uuid)
    case_number: str | None = Field(default=None, sa_type=sa.String(60))
    channel: str | None = Field(default=None, sa_type=sa.String(60))
    opened_at: datetime = Field(sa_type=UtcDateTime)
    at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = Field(sa_type=sa.String(10))  # waiting | met | failed | excluded
    value: float | None = Field(default=None, sa_type=sa.Float)
    score: float | None = Field(default=None, sa_type=sa.Float)
    reason: str | None = Field(default=None, sa_type=sa.String(60))
    backfill: bool = Field(sa_type=sa.Boolean)
    noted_at: datetime = Field(sa_type=UtcDateTime)
    raised: bool = Field(sa_type=sa.Boolean)  # told as a failed moment


evidence: sa.Table = EvidenceRow.__table__  # type: ignore[attr-defined]
