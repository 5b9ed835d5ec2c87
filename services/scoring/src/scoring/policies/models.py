"""The table of the rules: every version that was ever in force, with its author."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from scoring.tables import Base


class PolicyRow(Base, table=True):
    """One version of the thresholds or of the treatment policy; the highest is in force."""

    __tablename__ = "policy"

    name: str = Field(sa_type=sa.String(20), primary_key=True)  # thresholds | treatment
    version: int = Field(sa_type=sa.Integer, primary_key=True)
    body: dict[str, Any] = Field(sa_type=Json)
    author: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)


policy: sa.Table = PolicyRow.__table__  # type: ignore[attr-defined]
