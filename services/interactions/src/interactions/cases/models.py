"""The tables of the cases and of their steps."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from interactions.tables import Base


class CaseFileRow(Base, table=True):
    """One case (PQR), opened by a touchpoint and keyed by its trace."""

    __tablename__ = "case_file"
    __table_args__ = (sa.Index("ix_case_file_trace", "trace_id", "state"),)

    number: str = Field(sa_type=sa.String(30), primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    touchpoint_id: UUID = Field(sa_type=sa.Uuid, index=True)
    kind: str = Field(sa_type=sa.String(20))  # complaint | claim | petition | suggestion | compliment
    severity: str = Field(sa_type=sa.String(10))  # low | medium | high | critical
    about: str | None = Field(default=None, sa_type=sa.String(200))
    topic: str | None = Field(default=None, sa_type=sa.String(100))
    channel: str = Field(sa_type=sa.String(60))
    state: str = Field(sa_type=sa.String(10))  # received | answered | verified | closed | reopened | retracted
    occurred_at: datetime = Field(sa_type=UtcDateTime)  # when the customer complained
    opened_at: datetime = Field(sa_type=UtcDateTime)  # when we learned of it
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # the first substantive answer
    timely: bool | None = Field(default=None, sa_type=sa.Boolean)  # as the source says, where it says so
    recovery_deadline: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    contacts_count: int = Field(default=1, sa_type=sa.Integer)  # of the customer on it, the first included
    last_contact_at: datetime = Field(sa_type=UtcDateTime)
    first_contact: bool | None = Field(
        default=None, sa_type=sa.Boolean
    )  # solved by the first contact; null: not yet known
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verified_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recovered: bool | None = Field(default=None, sa_type=sa.Boolean)  # the customer confirms that it is well again
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retention_critical: bool = Field(default=False, sa_type=sa.Boolean)
    owner: str | None = Field(default=None, sa_type=sa.String(200))
    backfill: bool = Field(default=False, sa_type=sa.Boolean)
    moved_at: datetime = Field(sa_type=UtcDateTime)


class CaseStepRow(Base, table=True):
    """What was done on a case, by whom, in which words. Append-only."""

    __tablename__ = "case_step"
    __table_args__ = (sa.Index("ix_case_step_number", "number", "step_id"),)

    step_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    number: str = Field(sa_type=sa.String(30))
    move: str = Field(sa_type=sa.String(20))
    at: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(sa_type=sa.String(200))
    text: str | None = Field(default=None, sa_type=sa.Text)
    touchpoint_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    channel: str | None = Field(default=None, sa_type=sa.String(60))


class CaseCounterRow(Base, table=True):
    """The last case number given in a year."""

    __tablename__ = "case_counter"

    year: int = Field(sa_type=sa.Integer, primary_key=True)
    last: int = Field(sa_type=sa.Integer)


case_file: sa.Table = CaseFileRow.__table__  # type: ignore[attr-defined]
case_step: sa.Table = CaseStepRow.__table__  # type: ignore[attr-defined]
case_counter: sa.Table = CaseCounterRow.__table__  # type: ignore[attr-defined]

# What is still owed him. That it was verified ends it only where he says that it is well again.
IS_OPEN: sa.ColumnElement[bool] = sa.or_(
    case_file.c.state.in_(("received", "answered", "reopened")),
    sa.and_(case_file.c.state == "verified", case_file.c.recovered.is_(sa.false())),
)
