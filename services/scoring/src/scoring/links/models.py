"""The tables that say which customer a trace belongs to, and what is on record of that customer."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from scoring.tables import Base


class TraceLinkRow(Base, table=True):
    """A trace's customer as identity last told; the highest revision wins."""

    __tablename__ = "trace_link"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    revision: int = Field(sa_type=sa.BigInteger)


class CustomerRow(Base, table=True):
    """A customer as identity last told; the highest revision wins."""

    __tablename__ = "customer"

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    revision: int = Field(sa_type=sa.BigInteger)
    kind: str = Field(sa_type=sa.String(20))
    state: str = Field(sa_type=sa.String(20))
    merged_into: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    key_account: bool = Field(default=False, sa_type=sa.Boolean)


class OpenCaseRow(Base, table=True):
    """A complaint or claim and whether it is open; what was told last wins."""

    __tablename__ = "open_case"

    case_number: str = Field(sa_type=sa.String(60), primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    is_open: bool = Field(sa_type=sa.Boolean)
    moved_at: datetime = Field(sa_type=UtcDateTime)
    told: UUID = Field(sa_type=sa.Uuid)  # the id of the event: in the order of telling


class RestrictionRow(Base, table=True):
    """Whether a customer's data may be used, as identity last told; the highest revision wins."""

    __tablename__ = "restriction"

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    revision: int = Field(sa_type=sa.BigInteger)
    restricted: bool = Field(sa_type=sa.Boolean)


trace_link: sa.Table = TraceLinkRow.__table__  # type: ignore[attr-defined]
customer: sa.Table = CustomerRow.__table__  # type: ignore[attr-defined]
open_case: sa.Table = OpenCaseRow.__table__  # type: ignore[attr-defined]
restriction: sa.Table = RestrictionRow.__table__  # type: ignore[attr-defined]
