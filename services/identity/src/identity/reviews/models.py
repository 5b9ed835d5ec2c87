"""The table of pairs in doubt."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class ReviewRow(Base, table=True):
    """Two traces that may be one person's. Keyed by traces, so that it survives whatever becomes of the customers."""

    __tablename__ = "review"
    __table_args__ = (
        sa.UniqueConstraint("left_trace", "right_trace"),
        sa.Index("ix_review_state", "state", "review_id"),
    )

    review_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    left_trace: UUID = Field(sa_type=sa.Uuid)
    right_trace: UUID = Field(sa_type=sa.Uuid, index=True)
    explanation: dict[str, Any] = Field(sa_type=Json)
    state: str = Field(sa_type=sa.String(10))  # open | same | different
    opened_at: datetime = Field(sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str | None = Field(default=None, sa_type=sa.String(200))
    reason: str | None = Field(default=None, sa_type=sa.Text)
    decision_id: UUID | None = Field(default=None, sa_type=sa.Uuid)


review: sa.Table = ReviewRow.__table__  # type: ignore[attr-defined]
