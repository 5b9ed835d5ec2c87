"""The tables of a customer's standing: the present one, and the series of what it was."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from scoring.tables import Base


class StandingRow(Base, table=True):
    """What was last said of a customer. The figures are kept so that moved cut points find those whom they concern."""

    __tablename__ = "standing"
    __table_args__ = (sa.Index("ix_standing_profit", "profitability", "customer_id"),)

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    revision: int = Field(sa_type=sa.BigInteger)
    appraised_at: datetime = Field(sa_type=UtcDateTime)
    is_vacant: bool = Field(sa_type=sa.Boolean)  # no trace is his any more: absorbed, or taken back
    is_ranked: bool = Field(sa_type=sa.Boolean)  # he bought or returned something in the window of ABC
    tier: str = Field(sa_type=sa.String(20), index=True)
    abc: str | None = Field(default=None, sa_type=sa.String(1), index=True)
    lifecycle: str = Field(sa_type=sa.String(20))
    in_best: bool = Field(sa_type=sa.Boolean)
    in_worst: bool = Field(sa_type=sa.Boolean)
    frequency: int = Field(sa_type=sa.BigInteger)
    revenue: int = Field(sa_type=sa.BigInteger)  # to date, as are the next two; minor units of the company's currency
    profitability: int = Field(sa_type=sa.BigInteger)
    contribution: int = Field(sa_type=sa.BigInteger)
    contacts: int = Field(sa_type=sa.BigInteger)
    contact_cost: int = Field(sa_type=sa.BigInteger)
    abc_profit: int = Field(sa_type=sa.BigInteger)
    ranked_profit: int = Field(sa_type=sa.BigInteger)
    contributed: int = Field(sa_type=sa.BigInteger)
    service_level: str = Field(sa_type=sa.String(60))
    suppress_paid_outbound: bool = Field(sa_type=sa.Boolean)
    rules_version: str = Field(sa_type=sa.String(60))
    # The four parts of ValueChanged as they were told, to be told again.
    parts: dict[str, Any] = Field(sa_type=Json)


class StandingChangeRow(Base, table=True):
    """One change of tier, class, lifecycle or service level: a dated series that is never overwritten."""

    __tablename__ = "standing_change"
    __table_args__ = (sa.Index("ix_standing_change_customer", "customer_id", "id"),)

    id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID = Field(sa_type=sa.Uuid)
    at: datetime = Field(sa_type=UtcDateTime)
    tier: str = Field(sa_type=sa.String(20))
    abc: str | None = Field(default=None, sa_type=sa.String(1))
    lifecycle: str = Field(sa_type=sa.String(20))
    service_level: str = Field(sa_type=sa.String(60))
    reasons: list[str] = Field(sa_type=Json)
    profitability: int = Field(sa_type=sa.BigInteger)
    contribution: int = Field(sa_type=sa.BigInteger)
    rules_version: str = Field(sa_type=sa.String(60))


standing: sa.Table = StandingRow.__table__  # type: ignore[attr-defined]
standing_change: sa.Table = StandingChangeRow.__table__  # type: ignore[attr-defined]
