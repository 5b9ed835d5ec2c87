"""The tables of value: a row for each trace, day and currency, so that any window, merge and undo is exact."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from scoring.tables import Base


class DayValueRow(Base, table=True):
    """What one trace brought and cost on one day, in one currency. Columns are those of `domain.Tally`."""

    __tablename__ = "day_value"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    day: date = Field(sa_type=sa.Date, primary_key=True)  # in the company's time zone
    currency: str = Field(sa_type=sa.String(3), primary_key=True)
    entries: int = Field(sa_type=sa.BigInteger)
    purchases: int = Field(sa_type=sa.BigInteger)
    returns: int = Field(sa_type=sa.BigInteger)
    quantity: int = Field(sa_type=sa.BigInteger)  # thousandths
    revenue: int = Field(sa_type=sa.BigInteger)
    cost_of_goods: int = Field(sa_type=sa.BigInteger)
    contacts: int = Field(sa_type=sa.BigInteger)
    contact_cost: int = Field(sa_type=sa.BigInteger)
    quotes: int = Field(sa_type=sa.BigInteger)
    quotes_won: int = Field(sa_type=sa.BigInteger)
    quotes_lost: int = Field(sa_type=sa.BigInteger)
    payments: int = Field(sa_type=sa.BigInteger)
    paid: int = Field(sa_type=sa.BigInteger)


class CategoryValueRow(Base, table=True):
    """How often a trace bought of a category."""

    __tablename__ = "category_value"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    category: str = Field(sa_type=sa.String(200), primary_key=True)
    purchases: int = Field(sa_type=sa.BigInteger)


day_value: sa.Table = DayValueRow.__table__  # type: ignore[attr-defined]
category_value: sa.Table = CategoryValueRow.__table__  # type: ignore[attr-defined]
