"""The tables of erasures, and of what each service has confirmed of them."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class ErasureRow(Base, table=True):
    """That a customer was erased, why, and whether every service has said so. Nothing in it tells who he was."""

    __tablename__ = "erasure"

    erasure_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID = Field(sa_type=sa.Uuid, unique=True)
    reason: str = Field(sa_type=sa.Text)
    by: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)  # what was recorded, or occurred, until then is gone
    parts: int = Field(sa_type=sa.Integer)  # into how many events it was divided
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ErasureLineRow(Base, table=True):
    """What one service has taken out of one part, in counts."""

    __tablename__ = "erasure_line"

    erasure_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    service: str = Field(sa_type=sa.String(40), primary_key=True)
    part: int = Field(sa_type=sa.Integer, primary_key=True)
    removed: dict[str, int] = Field(sa_type=Json)
    kept: dict[str, int] = Field(sa_type=Json)
    at: datetime = Field(sa_type=UtcDateTime)


erasure: sa.Table = ErasureRow.__table__  # type: ignore[attr-defined]
erasure_line: sa.Table = ErasureLineRow.__table__  # type: ignore[attr-defined]
