"""The tables of whose traces are whose."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from service_audit.tables import Base


class LinkRow(Base, table=True):
    """To which customer a trace belongs, by identity's latest decision."""

    __tablename__ = "link"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    customer_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    revision: int = Field(sa_type=sa.BigInteger)


class CustomerRow(Base, table=True):
    """That a customer exists, and into whom he was absorbed."""

    __tablename__ = "customer"

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    revision: int = Field(sa_type=sa.BigInteger)
    state: str = Field(sa_type=sa.String(20))
    merged_into: UUID | None = Field(default=None, sa_type=sa.Uuid)


link: sa.Table = LinkRow.__table__  # type: ignore[attr-defined]
customer: sa.Table = CustomerRow.__table__  # type: ignore[attr-defined]
