"""What reports over the log read like."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from interactions.reports.repository import Dependency


class DependencyRead(BaseModel):
    """A customer whose bond is with one employee rather than with the company."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10", "staff_id": "s-17", "staff_name": "Marta Gil",
                "contacts_with_him": 11, "contacts": 12, "share": 0.917, "last_contact_at": "2026-11-20T20:04:05Z",
            }
        }
    )  # fmt: skip

    customer_id: UUID
    staff_id: str
    staff_name: str | None
    contacts_with_him: int
    contacts: int = Field(description="All contacts of the customer in these days, on any channel")
    share: float
    last_contact_at: AwareDatetime

    @classmethod
    def of(cls, found: Dependency) -> "DependencyRead":
        return cls(
            customer_id=found.customer_id, staff_id=found.staff_id, staff_name=found.staff_name,
            contacts_with_him=found.with_him, contacts=found.contacts, share=round(found.with_him / found.contacts, 3),
            last_contact_at=found.last_at,
        )  # fmt: skip
