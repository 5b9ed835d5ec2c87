"""The tables of clean-up runs and of what each of them proposes."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import Json, UtcDateTime
from identity.tables import Base


class CleanupRow(Base, table=True):
    """One run: its rule, what is to be done with those whom it finds, and who let it act."""

    __tablename__ = "cleanup"

    cleanup_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    rule: dict[str, Any] = Field(sa_type=Json)
    action: str = Field(sa_type=sa.String(20))  # archive | merge | do-not-contact
    reason: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.String(12))  # finding | proposed | acting | done | undoing | undone
    by: str = Field(sa_type=sa.String(200))
    at: datetime = Field(sa_type=UtcDateTime)
    place: UUID | None = Field(default=None, sa_type=sa.Uuid)  # how far finding has come
    approved_by: str | None = Field(default=None, sa_type=sa.String(200))
    approved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undone_by: str | None = Field(default=None, sa_type=sa.String(200))
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undo_reason: str | None = Field(default=None, sa_type=sa.Text)


class CleanupItemRow(Base, table=True):
    """What a run proposes for one customer (or for a pair), the figures it was found by, and what became of it."""

    __tablename__ = "cleanup_item"
    __table_args__ = (
        sa.Index("ix_cleanup_item_run", "cleanup_id", "state", "item_id"),
        sa.Index("ix_cleanup_item_customer", "customer_id"),
    )

    item_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    cleanup_id: UUID = Field(sa_type=sa.Uuid)
    customer_id: UUID = Field(sa_type=sa.Uuid)
    other_id: UUID | None = Field(default=None, sa_type=sa.Uuid, index=True)  # of a pair: who would absorb him
    figures: dict[str, Any] = Field(sa_type=Json)
    state: str = Field(sa_type=sa.String(12))  # proposed | left-out | done | not-possible | taken-back
    note: str | None = Field(default=None, sa_type=sa.String(100))
    outcome: UUID | None = Field(default=None, sa_type=sa.Uuid)  # the merge, where one was made
    moved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


cleanup: sa.Table = CleanupRow.__table__  # type: ignore[attr-defined]
cleanup_item: sa.Table = CleanupItemRow.__table__  # type: ignore[attr-defined]
