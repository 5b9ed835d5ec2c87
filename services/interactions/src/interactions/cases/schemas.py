"""The bodies of the cases."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

State = Literal["received", "answered", "verified", "closed", "reopened"]
_CASE: dict[str, Any] = {
    "number": "PQR-2026-000123",
    "kind": "complaint",
    "severity": "high",
    "about": "double-charge",
    "topic": "billing",
    "channel": "web",
    "state": "received",
    "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d00",
    "touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
    "occurred_at": "2026-11-20T20:04:05Z",
    "opened_at": "2026-11-20T20:04:06Z",
    "answered_at": None,
    "timely": None,
    "hours_open": 1.2,
    "recovery_deadline": "2026-12-20T20:04:05Z",
    "expired_at": None,
    "contacts_count": 1,
    "first_contact": None,
    "resolved_at": None,
    "verified_at": None,
    "recovered": None,
    "closed_at": None,
    "retention_critical": False,
    "owner": None,
}


# Fields of a case and of its steps that only staff and systems see, as in the resume; absent from what others are told.
OF_STAFF = frozenset({"contacts_count", "retention_critical", "owner", "by", "text"})


class CaseRead(BaseModel):
    """A complaint, claim, petition, suggestion or compliment (PQR)."""

    model_config = ConfigDict(json_schema_extra={"example": _CASE})

    number: str
    kind: Literal["complaint", "claim", "petition", "suggestion", "compliment"]
    severity: Literal["low", "medium", "high", "critical"]
    about: str | None
    topic: str | None
    channel: str
    state: State
    customer_id: UUID | None
    touchpoint_id: UUID
    occurred_at: AwareDatetime
    opened_at: AwareDatetime
    answered_at: AwareDatetime | None
    timely: bool | None
    hours_open: float
    recovery_deadline: AwareDatetime | None
    expired_at: AwareDatetime | None
    contacts_count: int | None = Field(default=None, description="Agents only: how often he had to contact us about it")
    first_contact: bool | None
    resolved_at: AwareDatetime | None
    verified_at: AwareDatetime | None
    recovered: bool | None
    closed_at: AwareDatetime | None
    retention_critical: bool | None = Field(
        default=None, description="Agents only: the channel says that he may be lost over it"
    )
    owner: str | None = Field(default=None, description="Agents only")


class StepRead(BaseModel):
    """What was done on a case. By whom and in which words is for staff."""

    move: str
    at: AwareDatetime
    by: str | None = Field(default=None, description="Agents only")
    text: str | None = Field(default=None, description="Agents only")
    touchpoint_id: UUID | None
    channel: str | None


class CaseWithStepsRead(CaseRead):
    """A case with all that was done on it, in order."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_CASE,
                "steps": [
                    {
                        "move": "opened",
                        "at": "2026-11-20T20:04:05Z",
                        "by": "web-form",
                        "text": None,
                        "touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
                        "channel": "web",
                    }
                ],
            }
        }
    )

    steps: list[StepRead]


class CaseText(BaseModel):
    """What was answered, or why it is done."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"text": "The second charge was returned today"}}
    )

    text: str = Field(min_length=1, max_length=10_000, pattern=r"\S", validation_alias=AliasChoices("text", "reason"))


class CaseReason(BaseModel):
    """Why it is done."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "He was charged again"}})

    reason: str = Field(min_length=1, max_length=10_000, pattern=r"\S", validation_alias=AliasChoices("reason", "text"))


class CaseVerdict(BaseModel):
    """What the customer says of it now."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"text": "He confirms the money is back", "recovered": True}}
    )

    text: str = Field(min_length=1, max_length=10_000, pattern=r"\S", validation_alias=AliasChoices("text", "reason"))
    recovered: bool = Field(True, description="The customer himself confirms that it is well again")
