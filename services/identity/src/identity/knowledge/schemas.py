"""Bodies and answers about facts and questions."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from identity.knowledge.domain import Fact

_ID = "0192f0c1-0000-7000-8000-000000000001"
_AT = "2026-11-20T20:04:05Z"


class FactLearn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"key": "best_hour", "value": "after 18:00", "confidence": 0.9, "question_id": "q-best-hour"}
        },
    )

    key: str = Field(min_length=1, max_length=100, pattern=r"^[a-z0-9_.-]+$")
    value: str | int | float | bool | list[str]
    confidence: float = Field(1.0, ge=0, le=1)
    observed_at: AwareDatetime | None = Field(None, description="When he said so; now, where left out")
    expires_at: AwareDatetime | None = Field(None, description="Where left out, as long as facts of this key hold")
    source: str | None = Field(
        None, min_length=1, max_length=100, description="Where it is from; the credential's, where left out"
    )
    question_id: str | None = Field(None, max_length=100, description="The question that it answers")


class FactRead(BaseModel):
    """One entry of a dated series."""

    fact_id: UUID = Field(examples=[_ID])
    key: str = Field(examples=["best_hour"])
    value: Any = Field(examples=["after 18:00"])
    source: str = Field(examples=["call-centre"])
    confidence: float = Field(examples=[0.9])
    observed_at: AwareDatetime = Field(examples=[_AT])
    expires_at: AwareDatetime | None = Field(examples=[None])
    touchpoint_id: UUID | None = Field(description="The touchpoint in which it was learnt", examples=[None])
    question_id: str | None = Field(examples=["q-best-hour"])
    by: str | None = Field(examples=["Marta Gil"])

    @classmethod
    def of(cls, fact: Fact) -> "FactRead":
        return cls(**{name: getattr(fact, name) for name in cls.model_fields})


class FactPage(BaseModel):
    items: list[FactRead]
    next: str | None = Field(examples=[None])


class QuestionRead(BaseModel):
    """A question to put when the talk allows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "question_id": "q-best-hour", "key": "best_hour", "text": "¿A qué hora prefiere que lo contactemos?",
                "channels": [],
            }
        }
    )  # fmt: skip

    question_id: str
    key: str
    text: str
    channels: list[str]


class Questions(BaseModel):
    """At most two; `none_because` says why there are none."""

    items: list[QuestionRead]
    none_because: Literal["open-case", "nothing-left-to-ask"] | None = Field(examples=[None])
