"""The table of contact decisions."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from interactions.tables import Base


class ContactDecisionRow(Base, table=True):
    """That somebody asked whether he may contact a customer, and what we answered. Append-only."""

    __tablename__ = "contact_decision"
    __table_args__ = (sa.Index("ix_contact_decision_customer", "customer_id", "decision_id"),)

    decision_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID = Field(sa_type=sa.Uuid)
    channel: str = Field(sa_type=sa.String(60))
    purpose: str = Field(sa_type=sa.String(60))
    allowed: bool = Field(sa_type=sa.Boolean)
    reasons: list[str] = Field(sa_type=Json)  # codes
    at: datetime = Field(sa_type=UtcDateTime)
    asked_by: str = Field(sa_type=sa.String(200))


contact_decision: sa.Table = ContactDecisionRow.__table__  # type: ignore[attr-defined]
