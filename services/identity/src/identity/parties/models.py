"""The tables of what parties are to us, and of our own people and places."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class PartyRoleRow(Base, table=True):
    """What a party is to us; a dated series on its trace, the latest of a role holds. No body: it ended."""

    __tablename__ = "party_role"
    __table_args__ = (sa.Index("ix_party_role_role", "role", "trace_id"),)

    role_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    role: str = Field(sa_type=sa.String(40))
    body: dict[str, Any] | None = Field(default=None, sa_type=Json)
    by: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)


class DirectoryRow(Base, table=True):
    """Somebody who works for us, or a place of ours, under the code by which our systems know it."""

    __tablename__ = "directory"

    kind: str = Field(sa_type=sa.String(10), primary_key=True)  # staff | site
    code: str = Field(sa_type=sa.String(100), primary_key=True)
    body: dict[str, Any] = Field(sa_type=Json)
    version: int = Field(sa_type=sa.BigInteger)
    by: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)


party_role: sa.Table = PartyRoleRow.__table__  # type: ignore[attr-defined]
directory: sa.Table = DirectoryRow.__table__  # type: ignore[attr-defined]
