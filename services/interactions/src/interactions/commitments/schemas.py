"""The bodies of the promises."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.moments import Moment
from interactions.touchpoints.schemas import Reason


class EarlierDate(BaseModel):
    """By when it had been promised before, and how that changed. By whom, with whom and why is for staff."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "due_at": "2026-11-21T22:00:00Z",
                "moved_at": "2026-11-21T15:10:00Z",
                "moved_by": "Luisa",
                "agreed_with": "Ana, by telephone",
                "reason": "The invoice has to be approved anew",
            }
        }
    )

    due_at: AwareDatetime | None
    moved_at: AwareDatetime
    moved_by: str | None
    agreed_with: str | None
    reason: str | None


class CommitmentRead(BaseModel):
    """A promise of ours or of the customer's (compromiso). The id of who gave it, and why it was moved, are for staff."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "commitment_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d11",
                "by": "company",
                "text": "Send one corrected invoice",
                "owner": "agent-7",
                "owner_name": "Luisa",
                "due_at": "2026-11-22T22:00:00Z",
                "state": "late",
                "made_at": "2026-11-20T20:04:05Z",
                "moved_at": "2026-11-22T22:00:00Z",
                "reason": None,
                "case_number": None,
                "touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
                "channel": "whatsapp",
                "earlier_dates": [],
                "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d00",
            }
        }
    )

    commitment_id: UUID
    by: Literal["company", "customer"]
    text: str
    owner: str | None
    owner_name: str | None
    due_at: AwareDatetime | None
    state: Literal["open", "late", "kept", "broken", "waived", "retracted"]
    made_at: AwareDatetime
    moved_at: AwareDatetime
    reason: str | None
    case_number: str | None
    touchpoint_id: UUID
    channel: str
    earlier_dates: list[EarlierDate] = Field(description="By when it had been promised before, the first date first")
    customer_id: UUID | None = Field(description="Whose it is; null while nobody is known behind the contact")


class CommitmentReason(BaseModel):
    """How it was kept, or why it need not be."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "The invoice went out by e-mail"}}
    )

    reason: Reason


class CommitmentDate(BaseModel):
    """The date that was agreed on instead, with whom and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "due_at": "2027-01-15T17:00:00-05:00",
                "reason": "The invoice has to be approved anew",
                "agreed_with": "Ana, by telephone",
            }
        },
    )

    due_at: Moment = Field(description="By when it is promised now; it lies ahead")
    reason: Reason
    agreed_with: str | None = Field(
        None, min_length=1, max_length=200, description="Who agreed to it on the other side; nobody, where left out"
    )
