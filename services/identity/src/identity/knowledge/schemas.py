"""Bodies and answers about facts and questions."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.company import FactCategory, FactDefinition
from common.moments import Moment
from common.rules import HIGHEST
from identity.knowledge.domain import Asked, Fact, KnowledgeIndex, Part

_ID = "0192f0c1-0000-7000-8000-000000000001"
_AT = "2026-11-20T20:04:05Z"


Said = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
Whole = Annotated[int, Field(ge=-HIGHEST, le=HIGHEST)]
Number = Annotated[float, Field(ge=-HIGHEST, le=HIGHEST)]  # infinite, or none at all, it would be kept as null
FactValue = Said | Whole | Number | bool | Annotated[list[Said], Field(min_length=1, max_length=100)]


class FactLearn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"key": "best_hour", "value": "after 18:00", "confidence": 0.9, "question_id": "q-best-hour"}
        },
    )

    key: str = Field(min_length=1, max_length=100, pattern=r"^[a-z0-9_.-]+$")
    value: FactValue
    confidence: float = Field(1.0, ge=0, le=1)
    observed_at: Moment | None = Field(None, description="When he said so; now, where left out")
    expires_at: Moment | None = Field(None, description="Where left out, as long as facts of this key hold")
    source: str | None = Field(
        None, min_length=1, max_length=100, description="Where it is from; the credential's, where left out"
    )
    question_id: str | None = Field(None, max_length=100, description="The question that it answers")


class FactRead(BaseModel):
    """One entry of a dated series."""

    fact_id: UUID = Field(examples=[_ID])
    key: str = Field(examples=["best_hour"])
    value: Any = Field(description="Null: what stood was wrong, and was taken away", examples=["after 18:00"])
    source: str = Field(examples=["call-centre"])
    confidence: float = Field(examples=[0.9])
    observed_at: AwareDatetime = Field(examples=[_AT])
    expires_at: AwareDatetime | None = Field(examples=[None])
    touchpoint_id: UUID | None = Field(description="The touchpoint in which it was learnt", examples=[None])
    question_id: str | None = Field(examples=["q-best-hour"])
    by: str | None = Field(examples=["Marta Gil"])
    stale: bool = Field(description="Too old to go by: it may be asked again")
    sensitivity: Literal["public", "internal", "restricted"] = Field(
        description="Restricted ones never leave this service", examples=["public"]
    )
    category: FactCategory | None = Field(
        description="What of him it tells, by the company's definition of the key", examples=["preference"]
    )

    @classmethod
    def of(cls, fact: Fact, *, definition: FactDefinition | None, now: datetime) -> "FactRead":
        told = {name: getattr(fact, name) for name in cls.model_fields if name in fact.__dataclass_fields__}
        sensitivity, category = (
            ("internal", None) if definition is None else (definition.sensitivity, definition.category)
        )
        return cls(**told, stale=fact.stale(now), sensitivity=sensitivity, category=category)


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
    none_because: Literal["open-case", "nothing-left-to-ask", "use-restricted"] | None = Field(examples=[None])


class AskedRead(BaseModel):
    """What became of one question. `repeated`: so often he was asked what we knew, and it was fresh."""

    question_id: str = Field(examples=["q-best-hour"])
    key: str = Field(examples=["best_hour"])
    text: str = Field(examples=["¿A qué hora prefiere que lo contactemos?"])
    state: Literal["never-asked", "asked", "declined", "answered", "stale", "known"] = Field(
        description="stale: answered, too long ago; known: on record otherwise than by an answer", examples=["asked"]
    )
    times_asked: int = Field(examples=[1])
    times_declined: int = Field(examples=[0])
    repeated: int = Field(examples=[0])
    last_put_at: AwareDatetime | None = Field(examples=[_AT])
    answered_at: AwareDatetime | None = Field(examples=[None])
    rests_until: AwareDatetime | None = Field(description="Not to be put before", examples=["2026-12-20T20:04:05Z"])

    @classmethod
    def of(cls, asked: Asked) -> "AskedRead":
        told = {name: getattr(asked, name) for name in cls.model_fields if name in asked.__dataclass_fields__}
        return cls(question_id=asked.question.id, key=asked.question.key, text=asked.question.text, **told)


class QuestionRecord(BaseModel):
    """Every question of the drip dialogue, those wanted most first."""

    items: list[AskedRead]


class PartRead(BaseModel):
    """One part of the index: 0 nothing, 1 all that we look for; and what is missing, the weightiest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"value": 0.5, "missing": ["email", "address"]}})

    value: float
    missing: list[str]

    @classmethod
    def of(cls, part: Part) -> "PartRead":
        return cls(value=part.value, missing=part.missing)


class KnowledgeRead(BaseModel):
    """How well we know him."""

    located: PartRead = Field(description="Ubicado: phone, email, address, proved identity; a quarter each")
    understood: PartRead = Field(
        description="Comprendido: confidence of fresh facts, weighted by their questions' priority"
    )
    related: PartRead = Field(
        description="Relacionado: dialogue within 180 days, links, wishes, an owner; a quarter each"
    )
    index: float = Field(description="The mean of the three", examples=[0.62])
    as_of: AwareDatetime = Field(examples=[_AT])

    @classmethod
    def of(cls, index: KnowledgeIndex, *, as_of: datetime) -> "KnowledgeRead":
        parts = {name: PartRead.of(getattr(index, name)) for name in ("located", "understood", "related")}
        return cls(**parts, index=index.value, as_of=as_of)
