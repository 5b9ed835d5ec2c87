"""The table of readings: who read which packet of whom, so that use and misuse can be measured."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from interactions.tables import Base


class ResumeReadRow(Base, table=True):
    """One reading of one resume. Append-only; ids only, nothing that was in it."""

    __tablename__ = "resume_read"
    __table_args__ = (sa.Index("ix_resume_read_customer", "customer_id", "read_id"),)

    read_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    key_id: str = Field(sa_type=sa.String(200))
    reader: str = Field(sa_type=sa.String(200))  # the credential's name, or its subject
    customer_id: UUID | None = Field(default=None, sa_type=sa.Uuid)  # none: candidates, anonymous or unknown
    recognised: str = Field(sa_type=sa.String(20))
    view: str = Field(sa_type=sa.String(10))
    channel: str | None = Field(default=None, sa_type=sa.String(60))
    version: str = Field(sa_type=sa.String(40))
    unchanged: bool = Field(sa_type=sa.Boolean)  # answered 304


resume_read: sa.Table = ResumeReadRow.__table__  # type: ignore[attr-defined]
