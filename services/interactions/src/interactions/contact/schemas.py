"""The bodies of the question whether we may contact a customer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE: dict[str, Any] = {
    "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
    "channel": "whatsapp",
    "purpose": "marketing",
    "allowed": False,
    "reasons": [
        {
            "code": "frequency-reached",
            "detail": "We contacted him as often as he accepts",
            "blocks": True,
            "evidence": {"count": 2, "max_contacts": 2, "window_days": 30},
        }
    ],
    "quota_left": 0,
    "not_before": None,
    "as_of": "2026-11-20T20:04:05Z",
}


class ReasonRead(BaseModel):
    """One thing that was weighed. Where it does not block, it says why the contact is allowed in spite of it."""

    code: str = Field(
        description="archived, do-not-contact, topic-unwanted, consent-withdrawn, consent-missing, quiet-time, frequency-reached, "
        "paid-outbound-suppressed or reply-to-open-conversation"
    )
    detail: str
    blocks: bool
    evidence: dict[str, Any]


class MayContactRead(BaseModel):
    """Yes or no, and every reason (¿lo puedo contactar ahora?)."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    customer_id: UUID
    channel: str
    purpose: str
    allowed: bool
    reasons: list[ReasonRead]
    quota_left: int | None = Field(
        description="Contacts of ours that he still accepts in his window; null: he set no limit"
    )
    not_before: datetime | None = Field(description="When his quiet time ends, where nothing else speaks against it")
    as_of: datetime
