"""The bodies of the timeline."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.money import MoneyBody

EXAMPLE: dict[str, Any] = {
    "touchpoint_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
    "conversation_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
    "occurred_at": "2026-11-20T20:04:05Z",
    "kind": "message",
    "channel": "whatsapp",
    "direction": "inbound",
    "site": "bogota-chapinero",
    "actor": {"kind": "customer", "id": None, "name": None},
    "topic": "billing",
    "summary": "October invoice received twice",
    "content": "Buenas, la factura de octubre me llegó doble",
    "stop_point": "He will send both invoices",
    "next_step": "We compare them",
    "outcome": "pending",
    "case_number": None,
    "references": ["invoice:F-2210"],
    "amount": None,
    "internal": {
        "visibility": "customer",
        "source": "whatsapp-gateway",
        "external_id": "wamid.0001",
        "partner": None,
        "recorded_at": "2026-11-20T20:04:06Z",
        "backfill": False,
        "payload": {},
    },
}


class Actor(BaseModel):
    """Who attended, or the customer himself."""

    kind: str | None
    id: str | None
    name: str | None


class Internal(BaseModel):
    """What only staff and systems see."""

    visibility: str
    source: str
    external_id: str
    partner: str | None
    recorded_at: datetime
    backfill: bool
    payload: dict[str, Any]


class TimelineItem(BaseModel):
    """One contact (contacto), as its channel told it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    touchpoint_id: UUID
    conversation_id: UUID | None
    occurred_at: datetime
    kind: str
    channel: str
    direction: str
    site: str | None
    actor: Actor
    topic: str | None
    summary: str | None
    content: str | None
    stop_point: str | None
    next_step: str | None
    outcome: str | None
    case_number: str | None
    references: list[str]
    amount: MoneyBody | None = Field(description="Of a purchase, payment or quote")
    internal: Internal | None = Field(default=None, description="Agent view only; absent from every other")

    @classmethod
    def of(cls, row: Mapping[str, Any], *, internal: bool) -> "TimelineItem":
        amount = row["figures"].get("amount")
        actor = Actor(kind=row["actor_kind"], id=row["actor_id"] if internal else None, name=row["actor_name"])
        told = {name: row[name] for name in cls.model_fields if name in row}
        behind = {"internal": Internal.model_validate(dict(row))} if internal else {}
        money = MoneyBody.of(amount["minor"], amount["currency"]) if amount else None
        return cls(**told | {"actor": actor, "amount": money} | behind)
