"""HTTP bodies of evidence."""

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service_audit.evidence.domain import Evidence, State

EXAMPLE: dict[str, Any] = {
    "evidence_id": "0b6b2f4e-7c1d-5e51-9d0b-2f6a3f8f1a77",
    "cycle": "complaint-care",
    "moment": "complaint-answered",
    "name": "A complaint is answered within 24 hours",
    "name_es": "La queja se responde en 24 horas",
    "kind": "ORDINARY",
    "critical": True,
    "attribute": "responsiveness",
    "state": "failed",
    "met": False,
    "value": 30.5,
    "score": 0.0,
    "reason": None,
    "opened_at": "2026-11-20T15:00:00Z",
    "at": "2026-11-21T15:00:00Z",
    "due_at": "2026-11-21T15:00:00Z",
    "trace_id": "3f0d6a52-8f3e-4f5a-9a0e-1f8f3b1c2d4e",
    "touchpoint_id": "0192f0c1-2222-7000-8000-000000000001",
    "case_number": "PQR-2026-000017",
    "channel": "web",
    "backfill": False,
}


class EvidenceRead(BaseModel):
    """What came of a moment of truth (evidencia de un momento de verdad)."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    evidence_id: UUID
    cycle: str
    moment: str
    name: str | None
    name_es: str | None
    kind: str | None
    critical: bool | None
    attribute: str | None
    state: State = Field(description="waiting: may still be met; excluded: an error of the data, not counted")
    met: bool | None = Field(description="Null while it waits and where it is excluded")
    value: float | None = Field(description="The raw measure: hours, a rating, a count")
    score: float | None = Field(description="0-100")
    reason: str | None = Field(description="Why it is excluded, as a code")
    opened_at: AwareDatetime = Field(description="When the moment of truth came")
    at: AwareDatetime = Field(description="When it was decided, or will be: the time as of which it counts")
    due_at: AwareDatetime | None
    trace_id: UUID
    touchpoint_id: UUID | None
    case_number: str | None
    channel: str | None
    backfill: bool

    @classmethod
    def of(cls, evidence: Evidence, bodies: Mapping[tuple[str, str], Mapping[str, Any]]) -> Self:
        """`bodies`: the moments as they stand in the cycles' documents."""
        body = bodies.get((evidence.cycle, evidence.moment), {})
        described = {name: body.get(name) for name in ("name", "name_es", "kind", "critical", "attribute")}
        own = {name: getattr(evidence, name) for name in cls.model_fields if name not in described and name != "met"}
        return cls(met=evidence.state == "met" if evidence.counts else None, **described, **own)


class EvidencePage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE], "next": None}})

    items: list[EvidenceRead]
    next: str | None


class CustomersEvidence(EvidencePage):
    """The evidence of one customer."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"customer_id": "0192f0c1-1111-7000-8000-000000000001", "items": [EXAMPLE], "next": None}
        }
    )

    customer_id: UUID = Field(description="Whose it is: the survivor, where the customer asked for was absorbed")
