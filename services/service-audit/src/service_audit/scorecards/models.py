"""The table of scorecards as they were published."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from service_audit.tables import Base


class PublicationRow(Base, table=True):
    """What was told of a month when it had ended."""

    __tablename__ = "publication"

    period: str = Field(sa_type=sa.String(10), primary_key=True)
    total: float | None = Field(default=None, sa_type=sa.Float)
    attributes: list[dict[str, Any]] = Field(sa_type=Json)
    at: datetime = Field(sa_type=UtcDateTime)


publication: sa.Table = PublicationRow.__table__  # type: ignore[attr-defined]
