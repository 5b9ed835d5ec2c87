"""The table of customers: that they exist, what they are, where they went. What is known of them hangs on their traces."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from identity.tables import Base


class CustomerRow(Base, table=True):
    """A person, organisation or household. `merged_into` keeps an absorbed id addressable."""

    __tablename__ = "customer"

    customer_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    kind: str = Field(sa_type=sa.String(20))  # person | organisation | household
    state: str = Field(sa_type=sa.String(10))  # active | merged | archived
    merged_into: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)
    key_account: bool = Field(sa_type=sa.Boolean)
    since: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(sa_type=sa.String(200))
    revision: int = Field(sa_type=sa.BigInteger)  # of CustomerChanged
    profiled: int = Field(sa_type=sa.BigInteger)  # revision of CustomerProfiled
    profile_digest: str | None = Field(default=None, sa_type=sa.String(64))  # of what was last told
    contacted: int = Field(sa_type=sa.BigInteger)  # revision of ContactChanged
    contact_digest: str | None = Field(default=None, sa_type=sa.String(64))


customer: sa.Table = CustomerRow.__table__  # type: ignore[attr-defined]
