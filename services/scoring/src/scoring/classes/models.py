"""The table of the cut points: every computation is kept, dated and numbered."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field

from common.db import AutoBigInt, UtcDateTime
from scoring.tables import Base


class CutPointsRow(Base, table=True):
    """The lines through the population as they were on one day."""

    __tablename__ = "cut_points"

    version: int | None = Field(default=None, sa_type=AutoBigInt, primary_key=True)
    computed_at: datetime = Field(sa_type=UtcDateTime)
    as_of: date = Field(sa_type=sa.Date)
    thresholds_version: int = Field(sa_type=sa.Integer)
    population: int = Field(sa_type=sa.BigInteger)
    abc_kind: str = Field(sa_type=sa.String(20))
    abc_first: date = Field(sa_type=sa.Date)
    abc_last: date = Field(sa_type=sa.Date)
    a: int | None = Field(default=None, sa_type=sa.BigInteger)
    b: int | None = Field(default=None, sa_type=sa.BigInteger)
    mvc_kind: str = Field(sa_type=sa.String(20))
    mvc_first: date = Field(sa_type=sa.Date)
    mvc_last: date = Field(sa_type=sa.Date)
    mvc: int | None = Field(default=None, sa_type=sa.BigInteger)
    active: int = Field(sa_type=sa.BigInteger)
    worst_kind: str = Field(sa_type=sa.String(20))
    worst_first: date = Field(sa_type=sa.Date)
    worst_last: date = Field(sa_type=sa.Date)
    worst: int | None = Field(default=None, sa_type=sa.BigInteger)


cut_points: sa.Table = CutPointsRow.__table__  # type: ignore[attr-defined]
