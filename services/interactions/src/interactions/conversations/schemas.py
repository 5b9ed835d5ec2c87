"""The bodies of the threads."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from interactions.touchpoints.schemas import Reason

_THREAD: dict[str, Any] = {
    "conversation_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
    "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d00",
    "topic": "billing",
    "state": "waiting-us",
    "started_at": "2026-11-20T20:04:05Z",
    "last_at": "2026-11-20T20:04:05Z",
    "last_channel": "whatsapp",
    "last_site": "bogota-chapinero",
    "summary": "October invoice received twice",
    "stop_point": "He will send both invoices",
    "next_step": "We compare them",
    "references": ["invoice:F-2210"],
    "last_touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
}


class EntryRead(BaseModel):
    """One touchpoint of a thread, and the rule by which it joined."""

    touchpoint_id: UUID
    matched_by: Literal["reference", "topic", "recent", "new", "resumed-closed"]
    occurred_at: AwareDatetime
    kind: str
    channel: str
    direction: str
    site: str | None
    actor: dict[str, Any] | None
    content: str | None
    summary: str | None
    stop_point: str | None
    next_step: str | None
    outcome: str | None
    visibility: str | None = Field(default=None, description="Agents only")


class ConversationRead(BaseModel):
    """A thread (hilo) across channels, with its contacts, the latest first."""

    model_config = ConfigDict(json_schema_extra={"example": {**_THREAD, "items": [], "next": None}})

    conversation_id: UUID
    customer_id: UUID | None
    topic: str | None
    state: Literal["waiting-us", "waiting-customer", "parked", "closed"]
    started_at: AwareDatetime
    last_at: AwareDatetime
    last_channel: str
    last_site: str | None
    summary: str | None
    stop_point: str | None
    next_step: str | None
    references: list[str]
    last_touchpoint_id: UUID
    items: list[EntryRead]
    next: str | None


class ConversationReason(BaseModel):
    """Why it is parked or closed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "Waits for the bank's answer"}})

    reason: Reason
