"""The table of promises."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from interactions.tables import Base

_KEPT = sa.text("kept_by IS NOT NULL")


class CommitmentRow(Base, table=True):
    """One promise, made in a touchpoint. An open one whose time has passed is late, whether its timer has fired or not."""

    __tablename__ = "commitment"
    __table_args__ = (
        sa.Index("ix_commitment_trace", "trace_id", "state"),
        sa.Index("ix_commitment_kept_by", "kept_by", postgresql_where=_KEPT, sqlite_where=_KEPT),
    )

    commitment_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    touchpoint_id: UUID = Field(sa_type=sa.Uuid, index=True)  # whose thread it belongs to
    case_number: str | None = Field(default=None, sa_type=sa.String(30))
    by: str = Field(sa_type=sa.String(10))  # company | customer
    text: str = Field(sa_type=sa.Text)
    owner: str | None = Field(default=None, sa_type=sa.String(200))  # who promised it: the touchpoint's actor
    owner_name: str | None = Field(default=None, sa_type=sa.String(200))
    channel: str = Field(sa_type=sa.String(60))
    visibility: str = Field(sa_type=sa.String(10))  # that of its touchpoint: customer | internal
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = Field(sa_type=sa.String(10))  # open | late | kept | broken | waived | retracted
    made_at: datetime = Field(sa_type=UtcDateTime)
    moved_at: datetime = Field(sa_type=UtcDateTime)
    moved_by: str | None = Field(default=None, sa_type=sa.String(200))
    reason: str | None = Field(default=None, sa_type=sa.Text)
    kept_by: UUID | None = Field(default=None, sa_type=sa.Uuid)  # the touchpoint that kept it
    backfill: bool = Field(default=False, sa_type=sa.Boolean)
    earlier_dates: list[dict[str, Any]] | None = Field(
        default=None, sa_type=Json
    )  # what it was due before, the first first
    also_kept_by: list[str] | None = Field(default=None, sa_type=Json)  # touchpoints that said so after it


commitment: sa.Table = CommitmentRow.__table__  # type: ignore[attr-defined]
