"""Bodies and answers about pairs in doubt."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from identity.customers.schemas import Reason
from identity.reviews.domain import ENTERED_AGAIN, Review

_A, _B, _R = (f"0192f0c1-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
_AT = "2026-11-20T20:04:05Z"
WORDS = {
    "other-name": "The names do not fit each other.",
    "other-document": "Each has an attested document of the same type, with another number.",
    "unclear-document": "The numbers of their documents differ, and one of them is only claimed.",
    "document-one-digit-off": "The numbers of their documents differ by one digit: a slip, or a relative.",
    "several-customers": "Several customers are reached equally well, and nothing tells which of them it is.",
    "weak-evidence": "They share an identifier that people lend each other, and no full name on both sides.",
    ENTERED_AGAIN: "Staff entered one of them anew, with the full name of the other and an identifier that both carry.",
    "claimed-only": "Both have proved identifiers of their own; what joins them is only claimed.",
    "alike-in-part": "What is on record of them is alike, but not so much that it is certain.",
    "unlike-in-part": "They are alike in one record of the customer, and contradict each other in another.",
}


class Side(BaseModel):
    """One of the two traces, and whose it is at present."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"trace_id": _A, "customer_id": _B, "display_name": "Ana López"}}
    )

    trace_id: UUID
    customer_id: UUID | None
    display_name: str | None


class Bar(BaseModel):
    """One bar of the waterfall: how alike a field is, and what that says."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"field": "surnames", "level": "near", "weight": 5.2}},
    )

    field: str
    level: str
    weight: float = Field(
        description="Bits: positive for one person, negative for two; all bars add up to the log odds"
    )


class Explanation(BaseModel):
    """What the two share, and what speaks against their being one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "shares": "profile", "reasons": ["alike-in-part"], "words": [WORDS["alike-in-part"]],
                "probability": 0.81, "waterfall": [{"field": "surnames", "level": "near", "weight": 5.2}],
            }
        }
    )  # fmt: skip

    shares: str = Field(description="The scheme of an identifier that both carry, or `profile`: they are alike")
    reasons: list[str]
    words: list[str]
    probability: float | None = Field(description="That they are one person, where likeness was weighed")
    waterfall: list[Bar] = Field(description="How the probability came about, field by field (cascada de evidencias)")


class ReviewRead(BaseModel):
    """A pair in doubt, explained."""

    review_id: UUID = Field(examples=[_R])
    state: Literal["open", "same", "different"]
    left: Side
    right: Side
    explanation: Explanation
    opened_at: AwareDatetime = Field(examples=[_AT])
    decided_at: AwareDatetime | None = Field(examples=[None])
    decided_by: str | None = Field(examples=[None])
    reason: str | None = Field(examples=[None])
    decision_id: UUID | None = Field(description="The merge, or the decision that keeps them apart", examples=[None])

    @classmethod
    def of(cls, review: Review, owners: dict[UUID, UUID | None], names: dict[UUID, str | None]) -> "ReviewRead":
        reasons = [str(reason) for reason in review.explanation["reasons"]]

        def side(trace_id: UUID) -> Side:
            owner = owners.get(trace_id)
            return Side(trace_id=trace_id, customer_id=owner, display_name=names.get(owner) if owner else None)

        return cls(
            review_id=review.review_id, state=review.state, left=side(review.left_trace), right=side(review.right_trace),
            explanation=Explanation(
                shares=str(review.explanation["shares"]), reasons=reasons, words=[WORDS.get(r, r) for r in reasons],
                probability=review.explanation.get("probability"),
                waterfall=[Bar(**bar) for bar in review.explanation.get("waterfall", [])],
            ),
            opened_at=review.opened_at, decided_at=review.decided_at, decided_by=review.decided_by,
            reason=review.reason, decision_id=review.decision_id,
        )  # fmt: skip


class ReviewPage(BaseModel):
    items: list[ReviewRead]
    next: str | None = Field(examples=[None])


class ReviewDecision(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"verdict": "different", "reason": "Mother and daughter"}}
    )

    verdict: Literal["same", "different"]
    reason: Reason
