"""The table of what holds between two parties."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class RelationshipRow(Base, table=True):
    """One thing said of two parties, each by its trace `customer:<id>`; a dated series, the latest of a pair and kind holds."""

    __tablename__ = "relationship"

    relationship_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    from_trace: UUID = Field(sa_type=sa.Uuid, index=True)
    to_trace: UUID = Field(sa_type=sa.Uuid, index=True)
    kind: str = Field(sa_type=sa.String(40))
    body: dict[str, Any] = Field(sa_type=Json)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    source: str = Field(sa_type=sa.String(100))
    by: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)


relationship: sa.Table = RelationshipRow.__table__  # type: ignore[attr-defined]
