"""The table of guards that bit."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class GuardTripRow(Base, table=True):
    """A guard bit: on an identifier, or on a customer who gathers too many. Once for each `about`, never changed."""

    __tablename__ = "guard_trip"
    __table_args__ = (sa.UniqueConstraint("about"), sa.Index("ix_guard_trip_customer", "customer_id", "trip_id"))

    trip_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    guard: str = Field(sa_type=sa.String(40))
    about: str = Field(
        sa_type=sa.String(150)
    )  # so that a guard barks once: shared/<identifier>, gathers/<customer>/phone/<day>
    scheme: str = Field(sa_type=sa.String(20))
    identifier_id: UUID | None = Field(default=None, sa_type=sa.Uuid)
    customer_id: UUID | None = Field(default=None, sa_type=sa.Uuid)
    trace_id: UUID | None = Field(default=None, sa_type=sa.Uuid)
    figures: dict[str, Any] = Field(sa_type=Json)  # counts and limits, never a value
    at: datetime = Field(sa_type=UtcDateTime)


guard_trip: sa.Table = GuardTripRow.__table__  # type: ignore[attr-defined]
