"""The tables of matching: what is compared of each trace, and the keys under which it is found."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json
from identity.tables import Base


class MatchRecordRow(Base, table=True):
    """What a trace tells of a person, in comparable form."""

    __tablename__ = "match_record"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    told: dict[str, Any] = Field(sa_type=Json)


class MatchKeyRow(Base, table=True):
    """A key (a hash) under which a trace is found."""

    __tablename__ = "match_key"

    key: int = Field(sa_type=sa.BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True, index=True)


match_record: sa.Table = MatchRecordRow.__table__  # type: ignore[attr-defined]
match_key: sa.Table = MatchKeyRow.__table__  # type: ignore[attr-defined]
