"""The tables of the threads: a projection that can be computed anew, and the acts of people that it is computed from."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from common.db import UtcDateTime
from interactions.tables import Base


class ConversationRow(Base, table=True):
    """One thread of one party, as of its latest entry. The id is that of its first touchpoint."""

    __tablename__ = "conversation"
    __table_args__ = (
        sa.Index("ix_conversation_party", "party_id", "state"),
        sa.Index("ix_conversation_topic", "party_id", "topic"),
    )

    conversation_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    party_id: UUID = Field(sa_type=sa.Uuid)  # the customer, or the trace while it has none
    topic: str | None = Field(default=None, sa_type=sa.String(100))
    state: str = Field(sa_type=sa.String(20))  # waiting-us | waiting-customer | parked | closed
    started_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    last_channel: str = Field(sa_type=sa.String(60))
    last_site: str | None = Field(default=None, sa_type=sa.String(100))
    stop_point: str | None = Field(default=None, sa_type=sa.Text)
    next_step: str | None = Field(default=None, sa_type=sa.Text)
    summary: str | None = Field(default=None, sa_type=sa.Text)
    last_touchpoint_id: UUID = Field(sa_type=sa.Uuid)  # the latest by occurred_at
    dialogue: bool = Field(default=True, sa_type=sa.Boolean)  # false: purchases and the like, which await nothing
    entries: int = Field(default=1, sa_type=sa.Integer)  # live ones; 0: all were retracted, show it nowhere
    posture: str = Field(sa_type=sa.String(20))  # us | customer | parked | closed: before open promises are counted
    moved_at: datetime = Field(sa_type=UtcDateTime)  # of the entry or the act that decided the posture
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # of the entry that gave the stop point
    summed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # of the entry that gave the summary
    latest_position: UUID = Field(sa_type=sa.Uuid)  # of the entry recorded last


class ConversationEntryRow(Base, table=True):
    """That a touchpoint is part of a thread, and by which rule."""

    __tablename__ = "conversation_entry"
    __table_args__ = (
        sa.Index("ix_conversation_entry_conversation", "conversation_id", "touchpoint_id"),
        sa.Index("ix_conversation_entry_party", "party_id"),
    )

    touchpoint_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    conversation_id: UUID = Field(sa_type=sa.Uuid)
    party_id: UUID = Field(sa_type=sa.Uuid)
    matched_by: str = Field(sa_type=sa.String(20))  # reference | topic | recent | new | resumed-closed


class ConversationReferenceRow(Base, table=True):
    """That a thread speaks of an invoice, an order or the like: how a later contact about the same thing finds it."""

    __tablename__ = "conversation_reference"
    __table_args__ = (sa.Index("ix_conversation_reference_conversation", "conversation_id"),)

    party_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    reference: str = Field(sa_type=sa.String(200), primary_key=True)
    conversation_id: UUID = Field(sa_type=sa.Uuid)


class ConversationActRow(Base, table=True):
    """What a person did to a thread. Append-only; named by a touchpoint, since threads are computed."""

    __tablename__ = "conversation_act"
    __table_args__ = (sa.Index("ix_conversation_act_trace", "trace_id"),)

    act_id: UUID = Field(sa_type=sa.Uuid, primary_key=True)
    trace_id: UUID = Field(sa_type=sa.Uuid)
    touchpoint_id: UUID = Field(sa_type=sa.Uuid)
    act: str = Field(sa_type=sa.String(10))  # park | close
    at: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(sa_type=sa.String(200))
    reason: str = Field(sa_type=sa.Text)


conversation: sa.Table = ConversationRow.__table__  # type: ignore[attr-defined]
conversation_entry: sa.Table = ConversationEntryRow.__table__  # type: ignore[attr-defined]
conversation_reference: sa.Table = ConversationReferenceRow.__table__  # type: ignore[attr-defined]
conversation_act: sa.Table = ConversationActRow.__table__  # type: ignore[attr-defined]
