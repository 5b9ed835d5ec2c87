"""The tables of preferences and consents; both only grow."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class PreferenceRow(Base, table=True):
    """How a customer wants to be contacted, as of a moment; the latest holds."""

    __tablename__ = "preference"

    preference_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    body: dict[str, Any] = Field(sa_type=Json)
    at: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(sa_type=sa.String(200))


class ConsentRow(Base, table=True):
    """A consent given or withdrawn, with its evidence. Append-only."""

    __tablename__ = "consent"

    consent_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    purpose: str = Field(sa_type=sa.String(60))
    channel: str = Field(sa_type=sa.String(60))  # "*": all
    granted: bool = Field(sa_type=sa.Boolean)
    given_at: datetime = Field(sa_type=UtcDateTime)  # when he said so
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    source: str = Field(sa_type=sa.String(100))
    evidence: str = Field(sa_type=sa.Text)
    by: str = Field(sa_type=sa.String(200))


preference: sa.Table = PreferenceRow.__table__  # type: ignore[attr-defined]
consent: sa.Table = ConsentRow.__table__  # type: ignore[attr-defined]
