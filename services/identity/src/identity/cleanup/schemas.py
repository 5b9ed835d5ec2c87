"""Bodies and answers about clean-up runs."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from identity.cleanup.domain import Action, Cleanup, Item, ItemState, State
from identity.customers.schemas import Reason

_R, _I, _A, _B = (f"0192f0c1-0000-7000-8000-00000000000{n}" for n in (7, 8, 1, 2))
_AT = "2026-11-20T20:04:05Z"
_RULE: dict[str, Any] = {
    "when": {"all": [{"field": "days_since_seen", "op": "ge", "value": 1095}, {"field": "key_account", "op": "eq", "value": False}]},
    "do": "archive",
}  # fmt: skip
_RUN: dict[str, Any] = {
    "cleanup_id": _R, "state": "proposed", "rule": _RULE, "action": "archive", "reason": "Yearly cleaning",
    "by": "Marta Gil", "at": _AT, "approved_by": None, "approved_at": None, "undone_by": None, "undone_at": None,
    "undo_reason": None, "items": {"proposed": 12},
}  # fmt: skip


class Rule(BaseModel):
    """Whom a run looks for, and what is to be done with those whom it finds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _RULE})

    when: dict[str, Any] = Field(
        description="A condition over figures of a record (days_since_seen, reachable, deceased, has_phone, facts, ...); "
        "for `merge` over a pair in doubt (shares, reason, probability, days_open)"
    )
    do: Action


class CleanupCreate(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"rule": "stale", "reason": "Yearly cleaning"}}
    )

    rule: Literal["stale", "dead", "unreachable", "duplicate"] | Rule = Field(
        description="A shipped rule, or one's own"
    )
    reason: Reason = Field("Cleaning up", description="Why; it stands on each merge that is made")


class CleanupApproval(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"leave_out": [_I]}})

    leave_out: list[UUID] = Field([], max_length=1000, description="Items of which nothing is to be done")


class CleanupReason(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "The rule was too wide"}})

    reason: Reason


class CleanupRead(BaseModel):
    """A run (depuración): its rule, how far it is, how many items stand where."""

    model_config = ConfigDict(json_schema_extra={"example": _RUN})

    cleanup_id: UUID
    state: State
    rule: dict[str, Any]
    action: Action
    reason: str
    by: str
    at: AwareDatetime
    approved_by: str | None
    approved_at: AwareDatetime | None
    undone_by: str | None
    undone_at: AwareDatetime | None
    undo_reason: str | None
    items: dict[str, int] = Field(description="Items by state")

    @classmethod
    def of(cls, run: Cleanup, counts: dict[str, int]) -> "CleanupRead":
        told = {name: getattr(run, name) for name in cls.model_fields if name != "items"}
        return cls(**told, items=counts)


class CleanupPage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [_RUN], "next": None}})

    items: list[CleanupRead]
    next: str | None


class CleanupItemRead(BaseModel):
    """What is proposed for one customer, by which figures, and what became of it."""

    item_id: UUID = Field(examples=[_I])
    customer_id: UUID = Field(examples=[_A])
    other_id: UUID | None = Field(description="Of a pair: who would absorb him", examples=[_B])
    figures: dict[str, Any] = Field(examples=[{"days_since_seen": 1200, "facts": 0}])
    state: ItemState
    note: str | None = Field(description="Why it was not possible: the code of the refusal", examples=[None])
    outcome: UUID | None = Field(description="The merge that was made", examples=[None])
    moved_at: AwareDatetime | None = Field(examples=[None])

    @classmethod
    def of(cls, item: Item) -> "CleanupItemRead":
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class CleanupItemPage(BaseModel):
    items: list[CleanupItemRead]
    next: str | None = Field(examples=[None])
