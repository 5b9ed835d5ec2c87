"""HTTP bodies of improvement actions."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.moments import Moment
from service_audit.actions.domain import Action, Area, Horizon, Result
from service_audit.standards.schemas import Code

EXAMPLE: dict[str, Any] = {
    "action_id": "0192f0c1-3333-7000-8000-000000000001",
    "source": "moment",
    "title": "Critical moment of truth failed: A complaint is answered within 24 hours",
    "cycle": "complaint-care",
    "moment": "complaint-answered",
    "trace_id": "3f0d6a52-8f3e-4f5a-9a0e-1f8f3b1c2d4e",
    "evidence_id": "0b6b2f4e-7c1d-5e51-9d0b-2f6a3f8f1a77",
    "area": "service",
    "horizon": "short",
    "owner": "customer-care",
    "due_at": None,
    "state": "open",
    "opened_at": "2026-11-21T15:00:00Z",
    "opened_by": "service-audit",
    "closed_at": None,
    "closed_by": None,
    "result": None,
    "reason": None,
}


class ActionCreate(BaseModel):
    """An improvement action that somebody decided on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "title": "Answer templates for double charges",
                "cycle": "complaint-care",
                "moment": "complaint-answered",
                "area": "service",
                "horizon": "medium",
                "owner": "customer-care",
                "due_at": "2026-12-15T17:00:00-05:00",
            }
        },
    )

    title: str = Field(min_length=1, max_length=500, pattern=r"\S")
    cycle: Code | None = None
    moment: Code | None = None
    area: Area | None = Field(None, description="What it changes: data, product, service or communication")
    horizon: Horizon | None = None
    owner: str | None = Field(None, max_length=200, description="Who sees to it")
    due_at: Moment | None = None


class ActionClose(BaseModel):
    """What came of an action."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"result": "done", "reason": "Called back, corrected invoice sent"}},
    )

    result: Literal["done", "not-done", "not-needed"]
    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S")


class ActionRead(BaseModel):
    """An improvement action (acción de mejora)."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    action_id: UUID
    source: Literal["moment", "hand"]
    title: str
    cycle: str | None
    moment: str | None
    trace_id: UUID | None
    evidence_id: UUID | None
    area: Area | None
    horizon: Horizon | None
    owner: str | None
    due_at: AwareDatetime | None
    state: Literal["open", "closed"]
    opened_at: AwareDatetime
    opened_by: str
    closed_at: AwareDatetime | None
    closed_by: str | None
    result: Result | None
    reason: str | None

    @classmethod
    def of(cls, action: Action) -> Self:
        return cls(**{name: getattr(action, name) for name in cls.model_fields})


class ActionPage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE], "next": None}})

    items: list[ActionRead]
    next: str | None
