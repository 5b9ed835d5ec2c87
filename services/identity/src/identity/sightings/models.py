"""The tables of what was seen: sightings, identifiers, who carries which, profile values and words of names."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base

# Prefix search needs byte order, whatever the database's collation.
BYTES = sa.String(100).with_variant(sa.String(100, collation="C"), "postgresql")


class SightingRow(Base, table=True):
    """What one touchpoint taught about a person, kept so that taking it back is exact. `unseen`: it was taken back."""

    __tablename__ = "sighting"

    touchpoint_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, index=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    source: str = Field(sa_type=sa.String(100))
    channel: str = Field(sa_type=sa.String(60))
    identifiers: list[dict[str, Any]] = Field(sa_type=Json)  # {"id", "attested"}
    profile: dict[str, str] = Field(sa_type=Json)
    unseen: bool = Field(sa_type=sa.Boolean)
    came_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # when we took it in, a microsecond apart


class IdentifierRow(Base, table=True):
    """One identifier in normal form. `shared`: it reaches too many customers to tell who is who."""

    __tablename__ = "identifier"

    identifier_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    scheme: str = Field(sa_type=sa.String(20))
    value: str = Field(sa_type=sa.String(300))
    shared: bool = Field(sa_type=sa.Boolean)
    first_seen: datetime = Field(sa_type=UtcDateTime)


class TraceIdentifierRow(Base, table=True):
    """A trace carries an identifier. Attested only together with the trace's own identifier."""

    __tablename__ = "trace_identifier"
    __table_args__ = (sa.Index("ix_trace_identifier_identifier", "identifier_id", "trace_id"),)

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    identifier_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    attested: bool = Field(sa_type=sa.Boolean)
    source: str = Field(sa_type=sa.String(100))  # who gave it first
    by_person: bool = Field(sa_type=sa.Boolean)  # linked by hand: no retraction takes it away
    first_seen: datetime = Field(sa_type=UtcDateTime)
    last_seen: datetime = Field(sa_type=UtcDateTime)


class ProfileValueRow(Base, table=True):
    """A value that a source has on record about the person behind a trace; verified: staff wrote it. Null: staff removed it."""

    __tablename__ = "profile_value"

    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    key: str = Field(sa_type=sa.String(60), primary_key=True)
    source: str = Field(sa_type=sa.String(100), primary_key=True)
    digest: str = Field(sa_type=sa.String(32), primary_key=True)  # of the value: text columns make poor keys
    value: str | None = Field(default=None, sa_type=sa.Text)
    verified: bool = Field(sa_type=sa.Boolean)
    first_seen: datetime = Field(sa_type=UtcDateTime)
    last_seen: datetime = Field(sa_type=UtcDateTime)


class NameTokenRow(Base, table=True):
    """A folded word of a name that a trace has gone by, for search."""

    __tablename__ = "name_token"

    token: str = Field(sa_type=BYTES, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid, primary_key=True, index=True)


sighting: sa.Table = SightingRow.__table__  # type: ignore[attr-defined]
identifier: sa.Table = IdentifierRow.__table__  # type: ignore[attr-defined]
trace_identifier: sa.Table = TraceIdentifierRow.__table__  # type: ignore[attr-defined]
profile_value: sa.Table = ProfileValueRow.__table__  # type: ignore[attr-defined]
name_token: sa.Table = NameTokenRow.__table__  # type: ignore[attr-defined]
