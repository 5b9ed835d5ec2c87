"""Bodies and answers about who looks after a customer."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.moments import Moment
from identity.customers.schemas import PersonAround


class Assign(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "role": "account_owner", "staff_id": "s-17", "name": "Marta Gil",
                "handover_note": "Prefers to be visited in the morning",
            }
        },
    )  # fmt: skip

    role: str = Field(
        min_length=1, max_length=40,
        description="One of the company's roles, or a word for it: account_owner (owner, responsable), nanny (niñera), "
        "executive_counterpart, division_contact, team, and those that its own file adds",
    )  # fmt: skip
    staff_id: str | None = Field(min_length=1, max_length=100, description="Null: nobody has the role any more")
    name: str | None = Field(None, min_length=1, max_length=200)
    since: Moment | None = Field(None, description="Now, where left out; not in the future")
    handover_note: str | None = Field(None, min_length=1, max_length=2000)


class AssignmentRead(PersonAround):
    """One entry of the series: who took which role, when, and who wrote it down. No staff: nobody had it from then on."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "role": "account_owner", "staff_id": "s-17", "name": "Marta Gil", "since": "2026-11-20T20:04:05Z",
                "handover_note": "Prefers to be visited in the morning", "by": "Carlos Peña",
                "recorded_at": "2026-11-20T20:04:05Z",
            }
        }
    )  # fmt: skip

    by: str
    recorded_at: AwareDatetime


class AssignmentPage(BaseModel):
    items: list[AssignmentRead]
    next: str | None = Field(examples=[None])


class PeopleAround(BaseModel):
    """Who looks after him by now."""

    items: list[PersonAround]
