"""The table of who looks after whom."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from identity.tables import Base


class AssignmentRow(Base, table=True):
    """A member of staff takes a role towards a customer; a dated series, the latest of a role holds. No staff: it ended."""

    __tablename__ = "assignment"

    assignment_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    role: str = Field(sa_type=sa.String(40))
    staff_id: str | None = Field(default=None, sa_type=sa.String(100), index=True)
    name: str | None = Field(default=None, sa_type=sa.String(200))
    since: datetime = Field(sa_type=UtcDateTime)
    handover_note: str | None = Field(default=None, sa_type=sa.Text)
    by: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)


assignment: sa.Table = AssignmentRow.__table__  # type: ignore[attr-defined]
