"""The table of improvement actions."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from service_audit.tables import Base


class ActionRow(Base, table=True):
    """Something that we do better because of something that we saw."""

    __tablename__ = "action"
    __table_args__ = (sa.Index("ix_action_state", "state", "action_id"),)

    action_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    source: str = Field(sa_type=sa.String(20))  # moment | hand
    title: str = Field(sa_type=sa.Text)
    cycle: str | None = Field(default=None, sa_type=sa.String(60))
    moment: str | None = Field(default=None, sa_type=sa.String(60))
    trace_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    evidence_id: UUID | None = Field(default=None, sa_type=sa.Uuid)
    area: str | None = Field(default=None, sa_type=sa.String(20))
    horizon: str | None = Field(default=None, sa_type=sa.String(10))
    owner: str | None = Field(default=None, sa_type=sa.String(200))
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = Field(sa_type=sa.String(10))  # open | closed
    # cycle/moment/trace while open, null afterwards: at most one open action of its kind
    open_key: str | None = Field(default=None, sa_type=sa.String(200), unique=True)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    opened_by: str = Field(sa_type=sa.String(200))
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_by: str | None = Field(default=None, sa_type=sa.String(200))
    result: str | None = Field(default=None, sa_type=sa.String(20))
    reason: str | None = Field(default=None, sa_type=sa.Text)


action: sa.Table = ActionRow.__table__  # type: ignore[attr-defined]
